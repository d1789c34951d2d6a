package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// use asks the system what a process has used so far. The processor time is
// from the clock of the process, which is finer than the hundredths of a second
// in /proc.
func (p process) use() (use, error) {
	if p.pid == 0 {
		return use{}, nil
	}
	text, err := os.ReadFile("/proc/" + strconv.Itoa(p.pid) + "/statm")
	if err != nil {
		return use{}, fmt.Errorf("bench: there is no process %d on this machine", p.pid)
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return use{}, fmt.Errorf("bench: the memory of process %d can not be read", p.pid)
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return use{}, fmt.Errorf("bench: the memory of process %d can not be read", p.pid)
	}
	var t unix.Timespec
	clock := int32(^p.pid<<3 | 2) // as clock_getcpuclockid(3) makes it
	if err := unix.ClockGettime(clock, &t); err != nil {
		return use{}, fmt.Errorf("bench: the processor time of process %d can not be read: %w", p.pid, err)
	}
	return use{cpu: time.Duration(t.Nano()), resident: pages * int64(os.Getpagesize())}, nil
}

// ownUse is the processor time that this process has used.
func ownUse() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
