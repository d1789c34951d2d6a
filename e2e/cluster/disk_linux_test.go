package cluster

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// mountDisk gives the node a disk of its own, of that many bytes. It skips the
// test for those who may not.
func (n *Node) mountDisk(size int) {
	n.c.t.Helper()
	if os.Geteuid() != 0 {
		n.c.t.Skip("a disk of its own for each node needs root")
	}
	dir := filepath.Join(n.dir, "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		n.c.t.Fatal(err)
	}
	if err := syscall.Mount("belfry-test", dir, "tmpfs", 0, "mode=0700,size="+strconv.Itoa(size)); err != nil {
		n.c.t.Skipf("no disk of its own for each node: mount: %v", err)
	}
	n.disk = dir
}

// unmountDisk undoes mountDisk.
func (n *Node) unmountDisk() error {
	if n.disk == "" {
		return nil
	}
	return syscall.Unmount(n.disk, syscall.MNT_DETACH)
}
