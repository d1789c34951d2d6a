package engine

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The embedded server listens nowhere.
func TestNoListener(t *testing.T) {
	before := listeners(t)
	open(t, Config{DataDir: t.TempDir()})
	if after := listeners(t); after != before {
		t.Errorf("there are %d listening sockets, want the %d of before", after, before)
	}
}

// listeners is how many sockets of this process listen.
func listeners(t *testing.T) int {
	t.Helper()
	ours := map[string]bool{}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if link, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			ours[link] = true
		}
	}
	n := 0
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		text, err := os.ReadFile(table)
		if err != nil {
			continue // there is no IPv6
		}
		for line := range strings.Lines(string(text)) {
			const state, listening, inode = 3, "0A", 9
			if f := strings.Fields(line); len(f) > inode && f[state] == listening && ours[fmt.Sprintf("socket:[%s]", f[inode])] {
				n++
			}
		}
	}
	return n
}
