package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry/e2e/service"
)

// A node is a Node process that answers calls, one JSON text a line; see
// js/lines.mjs. It is safe for concurrent use.
type node struct {
	t      testing.TB
	stdin  io.WriteCloser
	done   chan struct{}   // closed when its output has ended
	report func(seen seen) // called in order, on one goroutine

	mu      sync.Mutex
	lastID  int
	waiting map[int]chan<- answer
}

// An answer is to one call.
type answer struct {
	Result json.RawMessage
	Error  *refusal
}

// A refusal is an error of a JavaScript library. Status is of the HTTP
// response that caused it, if one did.
type refusal struct {
	Message string
	Status  int
	Body    string
}

func (r *refusal) Error() string {
	return fmt.Sprintf("%s: %s", r.Message, r.Body)
}

// startNode runs a script of js/ until the test ends. caFile, if not empty,
// is an authority that it trusts.
func startNode(t testing.TB, script, caFile string, report func(seen)) *node {
	t.Helper()
	requireModules(t)
	cmd := exec.Command("node", "js/"+script)
	if caFile != "" {
		cmd.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+caFile)
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, stdin: stdin, done: make(chan struct{}), report: report, waiting: make(map[int]chan<- answer)}
	go n.read(stdout)
	t.Cleanup(func() {
		stdin.Close()
		<-n.done
		if err := cmd.Wait(); err != nil {
			t.Errorf("node %s: %v", script, err)
		}
		if t.Failed() && stderr.Len() > 0 {
			t.Logf("node %s wrote:\n%s", script, &stderr)
		}
	})
	return n
}

// requireModules skips the test where the JavaScript libraries are not
// installed, unless the environment says that they have to be.
func requireModules(t testing.TB) {
	t.Helper()
	if _, err := os.Stat("node_modules/pusher-js/package.json"); err == nil {
		return
	}
	const missing = "the JavaScript libraries are not installed: run npm ci --ignore-scripts in e2e/"
	if os.Getenv("E2E_REQUIRED") != "" {
		t.Fatal(missing)
	}
	t.Skip(missing)
}

// call calls a method of the script and decodes its result into result,
// unless that is nil. What a library refused comes back as a *refusal.
func (n *node) call(method string, params, result any) error {
	n.t.Helper()
	answered := make(chan answer, 1)
	n.mu.Lock()
	n.lastID++
	id := n.lastID
	n.waiting[id] = answered
	line, err := json.Marshal(map[string]any{"id": id, "method": method, "params": params})
	if err == nil {
		_, err = n.stdin.Write(append(line, '\n'))
	}
	n.mu.Unlock()
	if err != nil {
		n.t.Fatalf("call %s: %v", method, err)
	}
	select {
	case a := <-answered:
		if a.Error != nil {
			return a.Error
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(a.Result, result)
	case <-n.done:
		n.t.Fatalf("call %s: the process has ended", method)
	case <-time.After(service.Patience):
		n.t.Fatalf("call %s: no answer in %v", method, service.Patience)
	}
	return nil
}

// must is call for what has to succeed.
func (n *node) must(method string, params, result any) {
	n.t.Helper()
	if err := n.call(method, params, result); err != nil {
		n.t.Fatalf("%s: %v", method, err)
	}
}

// read hands the lines of the process to whom they concern.
func (n *node) read(stdout io.Reader) {
	defer close(n.done)
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var line struct {
			ID     int
			Report *seen
			answer
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			n.t.Errorf("node wrote %q: %v", lines.Text(), err)
			continue
		}
		if line.Report != nil {
			n.report(*line.Report)
			continue
		}
		n.mu.Lock()
		answered := n.waiting[line.ID]
		delete(n.waiting, line.ID)
		n.mu.Unlock()
		answered <- line.answer
	}
}
