package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// startAtTerminal runs a command whose input and output are a terminal, and
// returns what appears there.
func startAtTerminal(t *testing.T, dir string, args ...string) *lines {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("this machine has no terminals: ", err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	side, err := os.OpenFile(fmt.Sprint("/dev/pts/", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, args...)
	cmd.Dir, cmd.Env = dir, environment()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = side, side, side
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	side.Close()
	screen := &lines{closed: make(chan struct{}), more: make(chan struct{})}
	go screen.read(master) // ends when the last of the other side has closed it
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		<-screen.closed
	})
	return screen
}

// TestSecretGoesToATerminalOnly starts a service as a person does, and as one
// who looks at nothing.
func TestSecretGoesToATerminalOnly(t *testing.T) {
	dir := t.TempDir()
	screen := startAtTerminal(t, dir, append([]string{"serve", "--path", "/realtime"}, onEphemeralPorts...)...)
	url := screen.await(t, "export BELFRY_URL=")
	_, url, _ = strings.Cut(url, "=")
	for _, want := range []string{" trigger my-channel my-event", `import Pusher from "pusher-js"`, `wsPath: "/realtime"`, `httpPath: "/realtime/pusher"`, "listener=plain"} {
		screen.await(t, want)
	}
	if strings.Contains(screen.String(), "/pusher/auth") {
		t.Error("the lines to paste name what only dev has")
	}
	if status, _, err := runCommand(t, withURL(url), "trigger", "news", "hello"); status != 0 {
		t.Errorf("trigger with the credentials on the terminal (%s): %s", url, err)
	}
	if _, err := os.Stat(filepath.Join(dir, firstAppPath)); err == nil {
		t.Error("the secret is also in a file")
	}
}
