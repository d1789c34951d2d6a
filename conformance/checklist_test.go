package conformance

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A statement is one numbered line of a checklist.
type statement struct {
	number int
	name   string
	run    func(t *testing.T)
}

// A checklist is the statements of one protocol, numbered from 1 to size.
type checklist struct {
	title        string
	test         string // the name of its test function
	size         int
	statements   []statement
	testedInside map[int]inside // number to where it is tested instead
}

// inside says where a statement is tested that can not be tested from
// outside: texts that must stand in the Go files of a package.
type inside struct {
	dir   string // of the package, in the repository
	texts []string
	why   string // it is not tested here
}

func (i inside) String() string {
	return i.dir + ": " + strings.Join(i.texts, ", ") + " (" + i.why + ")"
}

// check reports what is not there. The suite may be run from a copy without
// the server, where there is nothing to check.
func (i inside) check(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", i.dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	for _, text := range i.texts {
		if len(files) > 0 && !strings.Contains(source.String(), text) {
			t.Errorf("package %s has no %q", i.dir, text)
		}
	}
}

// run makes every statement a parallel subtest named by its number.
func (l checklist) run(t *testing.T) {
	for _, s := range l.statements {
		t.Run(fmt.Sprintf("%03d_%s", s.number, s.name), func(t *testing.T) {
			t.Parallel()
			t.Cleanup(func() { outcomes.record(l.test, s.number, t) })
			s.run(t)
		})
	}
}

// check reports every number that has no statement, or more than one.
func (l checklist) check(t *testing.T) {
	seen := make(map[int]int)
	for _, s := range l.statements {
		seen[s.number]++
	}
	for n, i := range l.testedInside {
		seen[n]++
		i.check(t)
	}
	for n := 1; n <= l.size; n++ {
		if seen[n] != 1 {
			t.Errorf("%s statement %d is covered %d times, want once", l.title, n, seen[n])
		}
		delete(seen, n)
	}
	for n := range seen {
		t.Errorf("%s has no statement %d", l.title, n)
	}
}

func webSocketChecklist() checklist {
	return checklist{
		title: "WebSocket",
		test:  "TestWebSocket",
		size:  150,
		statements: slices.Concat(connecting(), framing(), liveness(), publicChannels(), privateChannels(),
			presenceChannels(), cacheChannels(), subscriptionCounts(), clientEvents(), users()),
		testedInside: map[int]inside{
			74: {"protocol", []string{"TestSignatureVectors", "TestOneWrongCharacterIsRefused"}, "the vectors have a fixed socket id"},
			75: {"protocol", []string{"TestWrongPublishedExample"}, "the example has a fixed socket id"},
		},
	}
}

func httpChecklist() checklist {
	return checklist{
		title:      "HTTP API",
		test:       "TestHTTP",
		size:       100,
		statements: slices.Concat(httpAuthentication(), httpSigning(), httpPublishing(), httpDelivery(), httpBatch(), httpQueries(), httpMisc()),
		testedInside: map[int]inside{
			1:  {"internal/httpapi", []string{"TestVectors"}, "it needs a fixed clock"},
			2:  {"internal/httpapi", []string{"TestVectors"}, "they need a fixed clock"},
			30: {"protocol", []string{"hmac.Equal"}, "time can not be measured so finely"},
		},
	}
}

// TestWebSocket checks every statement of the WebSocket checklist.
func TestWebSocket(t *testing.T) {
	t.Parallel()
	webSocketChecklist().run(t)
}

// TestHTTP checks every statement of the HTTP API checklist.
func TestHTTP(t *testing.T) {
	t.Parallel()
	httpChecklist().run(t)
}

// TestChecklistsAreComplete checks the suite itself: no number is missing.
func TestChecklistsAreComplete(t *testing.T) {
	webSocketChecklist().check(t)
	httpChecklist().check(t)
}

// outcomes is what became of the statements that were run.
var outcomes = recorder{verdicts: make(map[string]map[int]string), reasons: make(map[string]string)}

// A recorder collects verdicts for the report at the end.
type recorder struct {
	mu        sync.Mutex
	verdicts  map[string]map[int]string // test function, number, verdict
	reasons   map[string]string         // full name of a skipped test to its reason
	malformed int                       // frames that broke statement 47 of WebSocket
}

const (
	passed  = "passed"
	failed  = "failed"
	skipped = "skipped"
)

func (r *recorder) record(test string, number int, t *testing.T) {
	verdict := passed
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case t.Failed():
		verdict = failed
	case t.Skipped():
		verdict = skipped + ": " + r.reasons[t.Name()]
	}
	if r.verdicts[test] == nil {
		r.verdicts[test] = make(map[int]string)
	}
	if r.verdicts[test][number] != failed { // with -count, one failure is enough
		r.verdicts[test][number] = verdict
	}
}

// skip skips the test and keeps the reason for the report.
func skip(t *testing.T, reason string) {
	t.Helper()
	outcomes.mu.Lock()
	outcomes.reasons[t.Name()] = reason
	outcomes.mu.Unlock()
	t.Skip(reason)
}

// report writes how many statements of the list were covered, and what is
// known of those that did not simply pass.
func (r *recorder) report(w io.Writer, l checklist) {
	r.mu.Lock()
	defer r.mu.Unlock()
	verdicts := r.verdicts[l.test]
	if l.test == "TestWebSocket" && r.malformed > 0 && verdicts != nil {
		verdicts[47] = failed
	}
	var ok, bad, not int
	var lines []string
	for n := 1; n <= l.size; n++ {
		switch verdict := verdicts[n]; {
		case l.testedInside[n].dir != "":
			lines = append(lines, fmt.Sprintf("  %03d tested inside: %s", n, l.testedInside[n]))
		case verdict == passed:
			ok++
		case verdict == failed:
			bad++
			lines = append(lines, fmt.Sprintf("  %03d failed", n))
		case verdict != "":
			not++
			lines = append(lines, fmt.Sprintf("  %03d %s", n, verdict))
		}
	}
	inside := len(l.testedInside)
	fmt.Fprintf(w, "%s checklist: %d statements: %d passed, %d failed, %d skipped, %d tested inside, %d not run\n",
		l.title, l.size, ok, bad, not, inside, l.size-ok-bad-not-inside)
	for _, line := range lines {
		fmt.Fprintln(w, line)
	}
}
