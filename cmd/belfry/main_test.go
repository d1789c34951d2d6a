package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binary is the command under test, built once.
var binary string

func TestMain(m *testing.M) {
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "belfry-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "belfry")
	build := exec.Command("go", "build", "-ldflags", "-X main.version=v1.2.3-test", "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%s\n%v\n", out, err)
		return 1
	}
	return m.Run()
}

// patience is how long a test waits for what must happen. It is far more than
// it takes; only a failing test waits that long.
const patience = 30 * time.Second

// A process is a command that was started. Its output is read line by line.
type process struct {
	t        testing.TB
	cmd      *exec.Cmd
	out, err *lines
	status   chan int
}

// A setup is how a command is run, besides its arguments.
type setup struct {
	dir   string // working directory
	env   []string
	stdin string
}

// start runs a command until it ends or the test does.
func start(t testing.TB, s setup, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(binary, args...), status: make(chan int, 1)}
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdin = s.dir, append(environment(), s.env...), strings.NewReader(s.stdin)
	p.out, p.err = newLines(), newLines()
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.err
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.cmd.Wait()
		p.out.close()
		p.err.close()
		p.status <- p.cmd.ProcessState.ExitCode()
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill() // which is nothing, if it has ended
		<-p.out.closed
	})
	return p
}

// environment is that of the tests without what commands read.
func environment() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "BELFRY_") && !strings.HasPrefix(v, "PUSHER_") {
			env = append(env, v)
		}
	}
	return env
}

// end waits for the process and returns its status.
func (p *process) end() int {
	p.t.Helper()
	select {
	case status := <-p.status:
		return status
	case <-time.After(patience):
		p.cmd.Process.Kill()
		p.t.Fatalf("%v did not end; it wrote\n%s%s", p.cmd.Args, p.out, p.err)
		return -1
	}
}

// stop asks the process to end and returns its status.
func (p *process) stop() int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	return p.end()
}

// runCommand runs a command to its end.
func runCommand(t testing.TB, s setup, args ...string) (status int, out, err string) {
	t.Helper()
	p := start(t, s, args...)
	status = p.end()
	return status, p.out.String(), p.err.String()
}

// lines is what a process wrote, for tests that wait for a line of it.
type lines struct {
	closed chan struct{}
	pipe   *io.PipeWriter

	mu     sync.Mutex
	text   strings.Builder // everything
	unread []string        // whole lines that no wait has passed
	more   chan struct{}   // closed when there are more
	ended  bool
}

func newLines() *lines {
	reader, writer := io.Pipe()
	l := &lines{closed: make(chan struct{}), pipe: writer, more: make(chan struct{})}
	go l.read(reader)
	return l
}

func (l *lines) read(reader io.Reader) {
	scanner := bufio.NewScanner(reader)
	for scanner.Scan() {
		l.mu.Lock()
		l.text.WriteString(scanner.Text() + "\n")
		l.unread = append(l.unread, scanner.Text())
		close(l.more)
		l.more = make(chan struct{})
		l.mu.Unlock()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	close(l.more)
	close(l.closed)
}

func (l *lines) Write(b []byte) (int, error) { return l.pipe.Write(b) }

func (l *lines) close() {
	l.pipe.Close()
	<-l.closed
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// await returns the next line that has part in it.
func (l *lines) await(t testing.TB, part string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		l.mu.Lock()
		for len(l.unread) > 0 {
			line := l.unread[0]
			l.unread = l.unread[1:]
			if strings.Contains(line, part) {
				l.mu.Unlock()
				return line
			}
		}
		more, ended := l.more, l.ended
		l.mu.Unlock()
		if ended {
			t.Fatalf("the process ended without %q; it wrote\n%s", part, l)
		}
		select {
		case <-more:
		case <-ctx.Done():
			t.Fatalf("no %q came; the process wrote\n%s", part, l)
		}
	}
}

// startDev runs belfry dev and returns its address.
func startDev(t testing.TB, args ...string) (p *process, address string) {
	t.Helper()
	p = start(t, setup{}, append([]string{"dev", "--listen", "127.0.0.1:0", "--admin-listen", "off"}, args...)...)
	line := p.out.await(t, "http://")
	p.err.await(t, "listener=plain")
	_, address, _ = strings.Cut(line, "http://")
	return p, address
}
