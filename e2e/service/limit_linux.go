package service

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// LimitDescriptors lets the running process open only that many descriptors
// more than it has open now.
func (s *Service) LimitDescriptors(more int) {
	s.t.Helper()
	pid := s.cmd.Process.Pid
	now, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		s.t.Fatal(err)
	}
	var limit unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &limit); err != nil {
		s.t.Fatal(err)
	}
	limit.Cur = uint64(len(now) + more)
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
		s.t.Fatalf("limit the descriptors of the service: %v", err)
	}
}
