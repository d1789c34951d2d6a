// Package subprocess runs the command of somebody else for as long as it needs, and
// knows when the program that has started this one is gone.
//
// It takes no locks. [Run] waits for what it starts; the reader of [AwaitOrphaned]
// ends with the process.
package subprocess

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// parentInterval is how often the parent of this process is looked for, and
// lastWords how long a command has to end after it was told to.
const (
	parentInterval = 250 * time.Millisecond
	lastWords      = 10 * time.Second
)

// Run runs a command that has these variables besides ours, to its end. When
// ctx ends it is asked to end as well, unless somebody has pressed Ctrl-C: the
// terminal has told the command too, and most take a second signal for haste.
func Run(ctx context.Context, in io.Reader, out, warnings io.Writer, command, variables []string) error {
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	c.Stdin, c.Stdout, c.Stderr = in, out, warnings
	c.Env = append(os.Environ(), variables...)
	c.WaitDelay = lastWords
	c.Cancel = func() error {
		switch {
		case interrupted(ctx):
			return nil
		case runtime.GOOS == "windows": // where nothing else can be sent
			return c.Process.Kill()
		}
		return c.Process.Signal(syscall.SIGTERM)
	}
	err := c.Run()
	if e, ok := errors.AsType[*exec.ExitError](err); ok && e.Exited() {
		return &StatusError{e.ExitCode()}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", command[0], err)
	}
	return nil
}

// interrupted reports whether ctx has ended because of a Ctrl-C. Package signal
// says which signal it was in words alone.
func interrupted(ctx context.Context) bool {
	cause := context.Cause(ctx)
	return cause != nil && strings.HasPrefix(cause.Error(), os.Interrupt.String()+" ")
}

// A StatusError is the status of a command that has said itself what was wrong.
type StatusError struct{ Status int }

func (e *StatusError) Error() string {
	return fmt.Sprintf("the command ended with status %d", e.Status)
}

// AwaitOrphaned returns when the program that started this one is gone, or ctx
// ends. A pipe that is closed says so. Of other inputs, such as the null device
// or a terminal, nothing is read. Where the system gives this process
// another parent, that says so too.
func AwaitOrphaned(ctx context.Context, in io.Reader) {
	closed := make(chan struct{})
	if pipe(in) {
		go func() { // it ends with the process: such a read can not be interrupted
			defer close(closed)
			io.Copy(io.Discard, in)
		}()
	}
	parent := os.Getppid()
	look := time.NewTicker(parentInterval)
	defer look.Stop()
	for os.Getppid() == parent {
		select {
		case <-look.C:
		case <-closed:
			return
		case <-ctx.Done():
			return
		}
	}
}

// pipe reports whether another program writes what is read there.
func pipe(r io.Reader) bool {
	f, ok := r.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&(os.ModeNamedPipe|os.ModeSocket) != 0
}
