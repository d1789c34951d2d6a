//go:build !linux

package loop

import "net"

func newWaiter(*Loop) waiter { return newBell() }

func newLink(s *Socket, conn net.Conn) Link { return newStream(s, conn) }
