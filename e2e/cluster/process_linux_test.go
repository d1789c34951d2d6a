package cluster

import "syscall"

// dieWithUs has a process killed when this one dies.
func dieWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
