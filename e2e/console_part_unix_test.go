//go:build unix

package e2e

import (
	"net/http"
	"syscall"
	"testing"
)

// TestConsoleNamesTheNodeThatIsMissing in lists, while it shows what the others have.
// The process is stopped as by a debugger.
func TestConsoleNamesTheNodeThatIsMissing(t *testing.T) {
	t.Parallel()
	nodes := threeNodes(t, "http://192.0.2.1/hook")
	var ids []string
	for _, n := range nodes {
		w := dialWire(t, n)
		w.subscribe("news", "")
		ids = append(ids, w.id)
	}
	tb := openConsole(t, nodes[0])
	tb.open("apps/1/connections")
	tb.see("3 connections, the newest first.", "3 of 3 nodes", ids[0], ids[1], ids[2], "node-2")
	tb.fill("Show", "node")
	tb.see("33 %", "node-1")
	nodes[2].Signal(syscall.SIGSTOP)
	defer nodes[2].Signal(syscall.SIGCONT)
	for _, page := range []string{"apps/1/connections", "apps/1/channels/news", "apps/1/errors"} {
		tb.open(page)
		tb.see("This is of 2 of 3 nodes.", "What node-2 has is missing: has not answered within 2s")
	}
	tb.open("apps/1/connections")
	tb.see("2 connections, the newest first.", ids[0], ids[1])
	tb.gone(ids[2])
	tb.accessible("list of two of three nodes")
	api(t, nodes[1], "GET", "/api/v1/apps/1/connections?by=nothing", "", http.StatusBadRequest, nil)
}
