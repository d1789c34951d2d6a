//go:build !linux

package cluster

// mountDisk skips the test: only Linux has disks of its own for each node.
func (n *Node) mountDisk(int) {
	n.c.t.Helper()
	n.c.t.Skip("a disk of its own for each node is made on Linux only")
}

// unmountDisk has nothing to do.
func (n *Node) unmountDisk() error { return nil }
