package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws/wsutil"
	"github.com/pusher/pusher-http-go/v5"
)

// startTestServer starts belfry test-server as another program does. Closing
// the result ends it.
func startTestServer(t *testing.T, args ...string) (at description, stdin io.Closer, ended <-chan error) {
	t.Helper()
	c := exec.Command(binary, append([]string{"test-server", "--json"}, args...)...)
	c.Env = environment()
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	status := make(chan error, 1)
	at = readDescription(t, out)
	go func() { status <- c.Wait() }()
	t.Cleanup(func() { c.Process.Kill() }) // which is nothing, if it has ended
	return at, in, status
}

func readDescription(t *testing.T, out io.Reader) (at description) {
	t.Helper()
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatalf("no line came: %v", err)
	}
	if err := json.Unmarshal(line, &at); err != nil {
		t.Fatalf("the line is %s: %v", line, err)
	}
	return at
}

// trigger sends an event with the official library.
func (d description) trigger(t *testing.T) {
	t.Helper()
	c, err := pusher.ClientFromURL(d.URL)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Trigger("my-channel", "my-event", "hi"); err != nil {
		t.Error(err)
	}
}

func awaitEnd(t *testing.T, ended <-chan error) {
	t.Helper()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("test-server ended with %v", err)
		}
	case <-time.After(patience):
		t.Error("test-server goes on")
	}
}

// TestTestServerEndsWithItsInput serves clients, backends and front ends without
// one, and has credentials that no other run has.
func TestTestServerEndsWithItsInput(t *testing.T) {
	at, stdin, ended := startTestServer(t)
	at.trigger(t)
	response, err := http.PostForm(at.Auth, map[string][]string{"socket_id": {"1.2"}, "channel_name": {"private-a"}})
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	response.Body.Close()
	if !strings.HasPrefix(string(body), `{"auth":"`+at.Key+":") {
		t.Errorf("POST %s = %d %s", at.Auth, response.StatusCode, body)
	}
	other, otherStdin, otherEnded := startTestServer(t)
	if other.Key == at.Key || other.Secret == at.Secret || other.Port == at.Port {
		t.Errorf("two runs share something: %+v and %+v", at, other)
	}
	for _, c := range []io.Closer{stdin, otherStdin} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	awaitEnd(t, ended)
	awaitEnd(t, otherEnded)
}

// TestTestServerEndsWithItsParent has an input that says nothing, as that of a
// program in the background.
func TestTestServerEndsWithItsParent(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not tell a process that its parent is gone")
	}
	parent := exec.Command("sh", "-c", `"$0" test-server --json < /dev/null & read line`, binary)
	parent.Env = environment()
	hold, err := parent.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer hold.Close()
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	readDescription(t, out).trigger(t)
	if err := parent.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, out) // until the last process that writes there is gone
		closed <- err
	}()
	awaitEnd(t, closed)
	parent.Wait() // which was killed
}

// TestTestServerTellsWebhooksAtOnce reads what a backend is told when a client
// comes and goes.
func TestTestServerTellsWebhooksAtOnce(t *testing.T) {
	told := make(chan string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		told <- string(body)
	}))
	defer receiver.Close()
	at, _, _ := startTestServer(t, "--webhook", receiver.URL)
	address := strings.TrimPrefix(at.Auth, "http://")
	address, _, _ = strings.Cut(address, "/")
	ann := (&running{t: t, plain: address}).connect(at.Key)
	if err := wsutil.WriteClientText(ann.conn, []byte(`{"event":"pusher:subscribe","data":{"channel":"my-channel"}}`)); err != nil {
		t.Fatal(err)
	}
	ann.expect("pusher_internal:subscription_succeeded")
	ann.conn.Close()
	waiting := map[string]bool{`"channel_occupied"`: true, `"channel_vacated"`: true}
	for len(waiting) > 0 {
		select {
		case body := <-told:
			for name := range waiting {
				if strings.Contains(body, name) {
					delete(waiting, name)
				}
			}
		case <-time.After(patience):
			t.Fatalf("the backend was not told of %v", waiting)
		}
	}
}

// TestTestServerRunsACommand which finds the service in its variables, reads what
// is there to read, and says how it ended.
func TestTestServerRunsACommand(t *testing.T) {
	const triggers = `read line; echo "$line $PUSHER_HOST $PUSHER_APP_KEY $REVERB_APP_SECRET $VITE_PUSHER_SCHEME"
		"$0" trigger my-channel my-event hi 2>/dev/null || exit 1; exit 7`
	s := setup{stdin: "input\n", env: []string{"PUSHER_HOST=api.example.com"}}
	status, out, err := runCommand(t, s, "test-server", "--", "sh", "-c", triggers, binary)
	if status != 7 || err != "" {
		t.Errorf("status = %d, errors %q, want 7 and nothing", status, err)
	}
	line, _, _ := strings.Cut(out, "\n")
	words := strings.Fields(line)
	if len(words) != 5 || words[0] != "input" || words[1] != "127.0.0.1" || words[4] != "http" {
		t.Errorf("the command wrote %q", out)
	}
	for text, args := range map[string][]string{
		"stands behind two dashes":   {"pytest"},
		"leave one of them out":      {"--json", "--", "true"},
		"no-such-program":            {"--", "no-such-program"},
		"--webhook is not":           {"--webhook", "nowhere"},
		"the command to run":         {"--"},
		"belfry test-server --help ": {"--port", "1"},
	} {
		if status, _, err := runCommand(t, setup{}, append([]string{"test-server"}, args...)...); status == 0 || !strings.Contains(err, text) {
			t.Errorf("test-server %v = %d %s, want %q", args, status, err, text)
		}
	}
}
