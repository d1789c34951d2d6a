//go:build unix && !linux

package cluster

import "syscall"

// dieWithUs has a process killed when this one dies, which Linux alone can.
func dieWithUs() *syscall.SysProcAttr { return nil }
