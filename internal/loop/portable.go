//go:build !linux

package loop

import "net"

func newWaiter(*Loop) waiter { return newBell() }

func newLink(s *Socket, conn net.Conn) Link { return newStream(s, conn) }

// unsent is how many bytes the system holds that the peer has not confirmed,
// or 0 where that can not be known. Then a write that has ended shows that
// the peer takes something.
func unsent(net.Conn) int { return 0 }

// Polls reports whether the loops poll descriptors themselves.
func (g *Group) Polls() bool { return false }
