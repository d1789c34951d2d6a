//go:build !linux || !amd64

package cluster

import "time"

// JumpClock skips the test: only on Linux on amd64 it is known how to set the
// clock of one process.
func (n *Node) JumpClock(time.Duration) {
	n.c.t.Helper()
	n.c.t.Skip("the clock of one process can be set on Linux on amd64 only")
}
