//go:build unix

package cluster

import "syscall"

// The signals that stop a process in the middle of what it does, and let it go
// on.
const (
	sigPause  = syscall.SIGSTOP
	sigResume = syscall.SIGCONT
)
