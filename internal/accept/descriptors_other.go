//go:build !unix

package accept

import "net"

// Limit returns how many descriptors the process may have, and whether there
// is a limit.
func Limit() (d Descriptors, ok bool) { return d, false }

func outOfDescriptors(error) bool { return false }

func descriptors(net.Conn) (own, next int) { return -1, -1 }

// silent can not be known here without reading.
func silent(net.Conn) bool { return true }
