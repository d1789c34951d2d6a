package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// withAdmin is how a command is run against an administration port.
func withAdmin(url string) setup {
	return setup{env: []string{"BELFRY_ADMIN_URL=" + url, "BELFRY_ADMIN_TOKEN=t"}}
}

// wellCluster is what a node says of a cluster in which all is well. It is as
// the admin API describes it.
func wellCluster(t *testing.T) map[string]any {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("../../internal/admin/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/cluster.json")
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	if err := doc.Components.Schemas["Cluster"].Value.VisitJSON(c); err != nil {
		t.Fatalf("testdata/cluster.json is not as described: %v", err)
	}
	return c
}

// refuse answers as the admin API does.
func refuse(w http.ResponseWriter, status int, detail string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"title":"%s","status":%d,"detail":%q}`, http.StatusText(status), status, detail)
}

// statusOf runs belfry cluster status against a node that says so.
func statusOf(t *testing.T, c map[string]any, args ...string) (status int, out, err string) {
	t.Helper()
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/api/v1/cluster" || r.Header.Get("Authorization") != "Bearer t" {
			t.Errorf("asked %s %s", r.Method, r.URL)
		}
		_ = json.NewEncoder(w).Encode(c)
	}))
	defer node.Close()
	return runCommand(t, withAdmin(node.URL), append([]string{"cluster", "status"}, args...)...)
}

// squeezed has one space where there are more.
func squeezed(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == ' ' }), " ")
}

func TestClusterThatIsWell(t *testing.T) {
	status, out, err := statusOf(t, wellCluster(t))
	if status != 0 || err != "" {
		t.Errorf("status %d, %s", status, err)
	}
	for _, want := range []string{
		"n1 (v1.2.3), ready, for ",
		"NODE STATE SOCKETS HEARD TRIP LEASE HOLDS PENDING LOST ENGINE",
		"n1 * ready 1200 - - 800ms 300 - 0 current",
		"n2 ready 34 90ms 0.4ms 1s 12 4 KiB 2 current, leads, leads the log",
		"n3 ready, witness - 110ms 0.4ms - - - 0 current",
		"quorum yes: 3 of 3 are here, 2 are needed",
		"log belfry-roster, at 4711, 0 to read",
		"counted 5 decisions, 2 repairs, 0 drops, 0 times a slow consumer",
		"note 2 packets from n2 were lost.",
		"\nall is well: 2 nodes and 1 witness, 1234 connections; 1 may fail and all goes on\n",
	} {
		if !strings.Contains(squeezed(out), want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
	if !strings.HasSuffix(out, "all goes on\n") {
		t.Errorf("the last line is not the verdict:\n%s", out)
	}
}

func TestClusterThatIsNotWell(t *testing.T) {
	c := wellCluster(t)
	c["problems"] = []any{map[string]any{"code": "node_absent", "node": "n3", "text": "n3 is not here.", "advice": "Start it."}}
	status, out, err := statusOf(t, c)
	if want := "belfry cluster status: something is wrong with the cluster\n  n3 is not here.\n    Start it.\n"; status != 1 || err != want {
		t.Errorf("status %d, stderr %q, want 1 and %q", status, err, want)
	}
	if strings.Contains(out, "all is well") {
		t.Errorf("all is said to be well:\n%s", out)
	}
	status, out, err = statusOf(t, c, "--json")
	var printed map[string]any
	if json.Unmarshal([]byte(out), &printed) != nil || printed["quorum"] != true || status != 0 || err != "" {
		t.Errorf("with --json: status %d, %s%s", status, out, err)
	}
}

// What is said at the end depends on where the engine is and how many more may
// go.
func TestVerdicts(t *testing.T) {
	two := wellCluster(t)
	two["engine"].(map[string]any)["peers"] = two["engine"].(map[string]any)["peers"].([]any)[:2]
	two["nodes"] = two["nodes"].([]any)[:2]
	external := wellCluster(t)
	external["engine"] = map[string]any{"embedded": false, "state": "ok", "peers": []any{}}
	delete(external, "log")
	for want, c := range map[string]map[string]any{
		"all is well: 2 nodes, 1234 connections; if one fails, nothing can be written until it is back\n": two,
		"all is well: 2 nodes and 1 witness, 1234 connections\n":                                          external,
	} {
		if status, out, err := statusOf(t, c); status != 0 || !strings.HasSuffix(out, want) {
			t.Errorf("status %d %s\n%s\nwant %q at the end", status, err, out, want)
		}
	}
	if _, out, _ := statusOf(t, external); !strings.Contains(squeezed(out), "quorum yes, of the external NATS") || strings.Contains(out, "log  ") {
		t.Errorf("of an external engine it says\n%s", out)
	}
}

func TestClusterRemove(t *testing.T) {
	var asked atomic.Value
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked.Store(r.Method + " " + r.URL.Path + " " + string(body))
		if strings.Contains(string(body), "n1") {
			refuse(w, 409, "n1 is running (ready).")
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer node.Close()
	status, _, err := runCommand(t, withAdmin(node.URL), "cluster", "remove", "n3")
	if want := `POST /api/v1/cluster/remove {"name":"n3"}`; status != 0 || err != "removed node n3\n" || asked.Load() != want {
		t.Errorf("remove = %d %s after %q, want %q", status, err, asked.Load(), want)
	}
	if status, _, err := runCommand(t, withAdmin(node.URL), "cluster", "remove", "n1"); status != 1 || !strings.Contains(err, "n1 is running (ready).") {
		t.Errorf("remove of a node that runs = %d %s", status, err)
	}
}

func TestClusterCommandLine(t *testing.T) {
	for args, want := range map[string]string{
		"cluster nothing":      "there is no belfry cluster nothing",
		"cluster remove":       "the node is missing",
		"cluster remove a b":   `"b" is not expected`,
		"cluster status x":     `"x" is not expected`,
		"drain x":              `"x" is not expected`,
		"drain --nowait":       "did you mean --no-wait?",
		"cluster status --jso": "did you mean --json?",
	} {
		if status, _, err := runCommand(t, setup{}, strings.Fields(args)...); status != 2 || !strings.Contains(err, want) {
			t.Errorf("%s = %d %s, want 2 and %q", args, status, err, want)
		}
	}
}

// A node that is alone says so, and is no mystery.
func TestClusterOfOne(t *testing.T) {
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { refuse(w, 404, "This node is alone.") }))
	defer node.Close()
	if status, _, err := runCommand(t, withAdmin(node.URL), "cluster", "status"); status != 1 || err != "belfry cluster status: This node is alone.\n" {
		t.Errorf("status = %d %q", status, err)
	}
}

// A draining is a node that is asked to drain.
type draining struct {
	*httptest.Server
	begun atomic.Bool
	left  atomic.Int32
	since atomic.Value // string
}

func newDraining(t *testing.T) *draining {
	d := &draining{}
	d.left.Store(2)
	d.since.Store("2026-11-20T10:00:00Z")
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/drain" {
			t.Errorf("asked %s %s", r.Method, r.URL)
		}
		if r.Method == http.MethodPost {
			d.begun.Store(true)
			w.WriteHeader(http.StatusAccepted)
		}
		fmt.Fprintf(w, `{"draining":%t,"connections":%d,"since":%q}`, d.begun.Load(), d.left.Load(), d.since.Load())
	}))
	t.Cleanup(d.Close)
	return d
}

func TestDrainWaitsForTheEnd(t *testing.T) {
	d := newDraining(t)
	p := start(t, withAdmin(d.URL), "drain")
	p.err.await(t, "the node drains; connections left: 2")
	d.left.Store(1)
	p.err.await(t, "connections left: 1")
	d.Close()
	if status := p.end(); status != 0 || !strings.HasSuffix(p.err.String(), "the node has ended\n") {
		t.Errorf("drain = %d %s", status, p.err)
	}
}

// A supervisor may start the next process before anybody looks.
func TestDrainKnowsTheNextProcess(t *testing.T) {
	d := newDraining(t)
	p := start(t, withAdmin(d.URL), "drain")
	p.err.await(t, "connections left: 2")
	d.since.Store("2026-11-20T10:00:05Z")
	if status := p.end(); status != 0 || !strings.HasSuffix(p.err.String(), "the node has ended\n") {
		t.Errorf("drain = %d %s", status, p.err)
	}
}

func TestDrainNeedNotWait(t *testing.T) {
	d := newDraining(t)
	if status, _, err := runCommand(t, withAdmin(d.URL), "drain", "--no-wait"); status != 0 || err != "the node drains; connections left: 2\n" || !d.begun.Load() {
		t.Errorf("drain --no-wait = %d %s", status, err)
	}
	p := start(t, withAdmin(d.URL), "drain", "--json")
	p.out.await(t, `"connections":2`)
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if status := p.end(); status != 1 || !strings.Contains(p.err.String(), "the node goes on draining") {
		t.Errorf("drain that is interrupted = %d %s", status, p.err)
	}
}

// The command and the service fit together.
func TestDrainOfAService(t *testing.T) {
	r := serveIn(t, t.TempDir())
	s := setup{dir: r.dir, env: []string{"BELFRY_ADMIN_URL=http://" + r.admin}}
	if status, _, err := runCommand(t, s, "cluster", "status"); status != 1 || !strings.Contains(err, "This node is alone") {
		t.Errorf("cluster status = %d %s", status, err)
	}
	if status, _, err := runCommand(t, s, "drain"); status != 0 || !strings.HasSuffix(err, "the node has ended\n") {
		t.Errorf("drain = %d %s", status, err)
	}
	if status := r.end(); status != 0 {
		t.Errorf("the service that was drained ended with %d:\n%s", status, r.err)
	}
}
