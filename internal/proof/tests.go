package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

// A Suite is what tests said.
type Suite struct {
	Passed  int      `json:"passed"`
	Skipped int      `json:"skipped"`
	Failed  []string `json:"failed"` // their names
	Seconds float64  `json:"seconds"`
	// Statements are the numbered ones of the two checklists, by checklist.
	Statements map[string]*Statements `json:"statements,omitempty"`
}

// Statements are how many of a checklist hold.
type Statements struct {
	Hold   int `json:"hold"`
	Open   int `json:"open"` // could not be tested on this service, or only inside of it
	Broken int `json:"broken"`
}

// An event is one line of go test -json.
type event struct {
	Action, Test, Output string
	Elapsed              float64
}

// run runs tests, and hands each event over. That tests fail is no error.
func (r *runner) run(each func(event), env []string, args ...string) error {
	cmd := exec.CommandContext(r.ctx, "go", append([]string{"test", "-json", "-count=1"}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
		return fmt.Errorf("go test: %w", err)
	}
	for line := range bytes.Lines(out) {
		var e event
		if json.Unmarshal(line, &e) == nil {
			each(e)
		}
	}
	if len(out) == 0 {
		return fmt.Errorf("go test said nothing: %s", stderr.String())
	}
	return nil
}

// statement is a test of a numbered statement.
var statement = regexp.MustCompile(`^Test(WebSocket|HTTP)/(\d+)_[^/]+$`)

// add counts one event.
func (s *Suite) add(e event) {
	if e.Test == "" {
		if e.Action == "pass" || e.Action == "fail" {
			s.Seconds += e.Elapsed
		}
		return
	}
	m := statement.FindStringSubmatch(e.Test)
	of := new(Statements)
	if m != nil {
		if s.Statements == nil {
			s.Statements = map[string]*Statements{}
		}
		if s.Statements[m[1]] == nil {
			s.Statements[m[1]] = of
		}
		of = s.Statements[m[1]]
	}
	switch e.Action {
	case "pass":
		s.Passed++
		of.Hold++
	case "skip":
		s.Skipped++
		of.Open++
	case "fail":
		s.Failed = append(s.Failed, e.Test)
		of.Broken++
	}
}

func (r *runner) conformance(c *Column) (*Suite, error) {
	env := []string{"BELFRY_TEST_BINARY=" + r.binary}
	if c.at != nil {
		secret, _ := c.at.User.Password()
		env = []string{
			"BELFRY_TEST_URL=" + c.Target, "BELFRY_TEST_APP_ID=" + strings.TrimPrefix(c.at.Path, "/apps/"),
			"BELFRY_TEST_KEY=" + c.at.User.Username(), "BELFRY_TEST_SECRET=" + secret,
		}
	}
	s := &Suite{Failed: []string{}}
	return s, r.run(s.add, env, "-timeout", "20m", "./conformance")
}

// A Library is one of others, in the version that the tests use.
type Library struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// libraries are read where the tests have them from, and then tested.
func (r *runner) libraries(c *Column) error {
	var err error
	if c.Libraries, err = libraries("."); err != nil {
		return err
	}
	c.Clients = &Suite{Failed: []string{}}
	return r.run(c.Clients.add, nil, "-timeout", "40m", "./e2e")
}

var (
	pinned = regexp.MustCompile(`(?m)^([\w.-]+)==(\S+)$`)
	ofGo   = regexp.MustCompile(`(?m)^\s*(github\.com/pusher/\S+) v(\S+)$`)
)

// libraries returns the official and other libraries below root, with their versions.
func libraries(root string) (list []Library, err error) {
	read := func(file string) (text []byte) {
		text, readErr := os.ReadFile(root + "/" + file)
		err = errors.Join(err, readErr)
		return text
	}
	var locked struct {
		Packages map[string]struct {
			Version              string
			Dependencies         map[string]string
			DevDependencies      map[string]string
			OptionalDependencies map[string]string
		}
	}
	err = errors.Join(err, json.Unmarshal(read("e2e/package-lock.json"), &locked))
	top := locked.Packages[""]
	for _, wanted := range []map[string]string{top.Dependencies, top.DevDependencies, top.OptionalDependencies} {
		for name := range wanted {
			list = append(list, Library{name + " (npm)", locked.Packages["node_modules/"+name].Version})
		}
	}
	for _, m := range pinned.FindAllStringSubmatch(string(read("e2e/python/requirements.txt")), -1) {
		list = append(list, Library{m[1] + " (PyPI)", m[2]})
	}
	for _, m := range ofGo.FindAllStringSubmatch(string(read("go.mod")), -1) {
		list = append(list, Library{m[1], m[2]})
	}
	var pom struct {
		Dependencies []struct {
			Group    string `xml:"groupId"`
			Artifact string `xml:"artifactId"`
			Version  string `xml:"version"`
		} `xml:"dependencies>dependency"`
	}
	err = errors.Join(err, xml.Unmarshal(read("e2e/java/pom.xml"), &pom))
	for _, d := range pom.Dependencies {
		list = append(list, Library{d.Group + ":" + d.Artifact + " (Maven)", d.Version})
	}
	slices.SortFunc(list, func(a, b Library) int { return strings.Compare(a.Name, b.Name) })
	return list, err
}

// A Fault is a test in which something fails: a node, a network, a disk.
type Fault struct {
	Test    string  `json:"test"`
	Result  string  `json:"result"` // pass, fail or skip
	Seed    string  `json:"seed"`   // with which it can be run again; empty: none
	Seconds float64 `json:"seconds"`
}

var seeded = regexp.MustCompile(`seed (\d+) \(CLUSTER_SEED\)`)

func (r *runner) faults() (list []Fault, err error) {
	seeds := map[string]string{}
	err = r.run(func(e event) {
		if m := seeded.FindStringSubmatch(e.Output); m != nil {
			seeds[e.Test] = m[1]
		}
		if e.Test != "" && slices.Contains([]string{"pass", "fail", "skip"}, e.Action) {
			list = append(list, Fault{e.Test, e.Action, seeds[e.Test], e.Elapsed})
		}
	}, nil, "-timeout", "40m", "-parallel", "3", "./e2e/cluster")
	slices.SortFunc(list, func(a, b Fault) int { return strings.Compare(a.Test, b.Test) })
	return list, err
}
