//go:build unix

package main

import (
	"bufio"
	"io"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
)

// TestTestServerEndsItsCommand when it is told to end itself. A Ctrl-C reaches
// both at once, and the command is told no second time.
func TestTestServerEndsItsCommand(t *testing.T) {
	for name, tt := range map[string]struct {
		signal syscall.Signal
		group  bool // the command gets the signal as well
		want   string
	}{
		"a service manager": {syscall.SIGTERM, false, "begun\nterminated\n"},
		"a terminal":        {syscall.SIGINT, true, "begun\ninterrupted\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.signal == syscall.SIGINT && signal.Ignored(syscall.SIGINT) {
				t.Skip("SIGINT is ignored here, as in what a shell runs in the background; no trap of a shell changes that")
			}
			c := exec.Command(binary, "test-server", "--", "sh", "-c", `
				trap 'echo terminated; exit 3' TERM
				trap 'echo interrupted; kill $!; wait; exit 3' INT
				echo begun
				sleep 1000 & wait`)
			c.Env = environment()
			c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			out, err := c.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }) // the sleep, too
			lines := bufio.NewReader(out)
			first, err := lines.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			pid := c.Process.Pid
			if tt.group {
				pid = -pid
			}
			if err := syscall.Kill(pid, tt.signal); err != nil {
				t.Fatal(err)
			}
			second, err := lines.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			var rest []byte
			if tt.group { // else its sleep is still there, and may write
				rest, _ = io.ReadAll(lines)
			}
			if got := first + second + string(rest); got != tt.want {
				t.Errorf("the command wrote %q, want %q", got, tt.want)
			}
			if err := c.Wait(); c.ProcessState.ExitCode() != 3 {
				t.Errorf("test-server ended with %v, want status 3", err)
			}
		})
	}
}
