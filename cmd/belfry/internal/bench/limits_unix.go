//go:build unix

package bench

import "golang.org/x/sys/unix"

// checkDescriptors returns an error if the process may not have that many open
// files. Go has raised the limit as far as it may be raised.
func checkDescriptors(need int) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return nil // then opening them tells
	}
	if uint64(need) > uint64(limit.Cur) {
		return &DescriptorError{uint64(need), uint64(limit.Cur)}
	}
	return nil
}
