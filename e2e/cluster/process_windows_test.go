package cluster

import "syscall"

// dieWithUs has a process killed when this one dies, which Linux alone can.
func dieWithUs() *syscall.SysProcAttr { return nil }

// Windows has no signals that pause a process: the tests that send them fail,
// and say what could not be sent.
const (
	sigPause  = syscall.Signal(19)
	sigResume = syscall.Signal(18)
)
