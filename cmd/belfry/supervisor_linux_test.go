package main

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/cmd/belfry/internal/serving"
	"github.com/belfryhq/belfry/internal/server"
)

// listenAsSystemd returns what a service is told to send its states to, and
// the socket that receives them.
func listenAsSystemd(t *testing.T) (name string, socket *net.UnixConn) {
	t.Helper()
	dir, err := os.MkdirTemp("", "notify-") // shorter than that of the test, which may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	name = filepath.Join(dir, "notify")
	socket, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	return name, socket
}

// awaitState reads states until one begins like that, and returns it.
func awaitState(t *testing.T, socket *net.UnixConn, prefix string) string {
	t.Helper()
	if err := socket.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	buffer, before := make([]byte, 4096), []string{}
	for {
		n, err := socket.Read(buffer)
		if err != nil {
			t.Fatalf("no state %s after %q: %v", prefix, before, err)
		}
		if state := string(buffer[:n]); strings.HasPrefix(state, prefix) {
			return state
		}
		before = append(before, string(buffer[:n]))
	}
}

func TestSystemdIsToldHowTheServiceIs(t *testing.T) {
	name, socket := listenAsSystemd(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "belfry.yaml")
	if err := os.WriteFile(file, []byte("drain_timeout: 2m\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := setup{dir: dir, env: []string{"NOTIFY_SOCKET=" + name, "WATCHDOG_USEC=200000"}}
	p := start(t, s, append([]string{"serve", "--config", file}, onEphemeralPorts...)...)

	awaitState(t, socket, "READY=1")
	admin := address(p.err.await(t, "listener=admin"))
	if status, body := get(t, "http://"+admin+"/readyz"); status != 200 {
		t.Errorf("after READY=1 the node says %d %s", status, body)
	}
	awaitState(t, socket, "WATCHDOG=1")
	awaitState(t, socket, "WATCHDOG=1")

	for _, text := range []string{"drain_timeout: 90s\n", "drain_timeout: soon\n"} { // one that is taken, one that is not
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		if state := awaitState(t, socket, "RELOADING=1"); !strings.Contains(state, "\nMONOTONIC_USEC=") {
			t.Errorf("state = %q, want the time with it", state)
		}
		awaitState(t, socket, "READY=1")
	}

	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	// 90 s of drain_timeout, 3 s for goodbyes, twice 15 s for components.
	if state := awaitState(t, socket, "STOPPING=1"); state != "STOPPING=1\nEXTEND_TIMEOUT_USEC=123000000" {
		t.Errorf("state = %q, want a time in which the node can drain", state)
	}
	if status := p.end(); status != 0 {
		t.Errorf("the service ended with %d:\n%s", status, p.err)
	}
}

// A stuckNode is alive until it is not.
type stuckNode struct {
	server.Node
	looks, alive int
}

func (n *stuckNode) Alive(ctx context.Context) error {
	if n.looks++; n.looks <= n.alive {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func TestWatchdogIsNotFedForANodeThatIsStuck(t *testing.T) {
	name, socket := listenAsSystemd(t)
	t.Setenv("NOTIFY_SOCKET", name)
	t.Setenv("WATCHDOG_USEC", "30000000")
	node := &stuckNode{alive: 3}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		serving.Supervisor{Log: slog.New(slog.DiscardHandler)}.Watch(ctx, node)
	})
	if node.looks <= node.alive {
		t.Fatalf("the node was looked at %d times", node.looks)
	}
	serving.Supervisor{Log: slog.New(slog.DiscardHandler)}.Tell("END=1")
	fed := 0
	for buffer := make([]byte, 100); ; {
		if err := socket.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		n, err := socket.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		if string(buffer[:n]) == "END=1" {
			break
		}
		fed++
	}
	if fed != node.alive {
		t.Errorf("the watchdog was fed %d times, want %d", fed, node.alive)
	}
}
