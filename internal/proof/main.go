// Package proof is the program that writes the report of a release, as Markdown and as
// JSON: make report runs it. The report says what the tests show, with which libraries,
// and how fast the service is. It counts what tests and loads of this tree say, and
// judges nothing itself. The program takes no locks.
//
//	go run ./internal/proof -out bin/report
//	AGAINST='other=http://KEY:SECRET@127.0.0.1:6011/apps/1' go run ./internal/proof -parts conformance,performance
//
// With AGAINST the same suite and the same loads are run against other services too,
// separated by spaces. Each has a column of its own. Credentials stand in the
// variable, because every user of a machine can read command lines. The suite opens
// many connections and sends malformed input: only name services that are there for it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A report is what is written.
type report struct {
	Format  int       `json:"format"` // 1
	Version string    `json:"version"`
	Commit  string    `json:"commit"`
	Day     string    `json:"day"`
	Machine string    `json:"machine"`
	Parts   []string  `json:"parts"` // those that were run
	Columns []*Column `json:"columns"`
}

// A Column is about one service.
type Column struct {
	Name        string    `json:"name"`
	Target      string    `json:"target"` // without credentials; empty: this tree
	Conformance *Suite    `json:"conformance,omitempty"`
	Libraries   []Library `json:"libraries,omitempty"`
	Clients     *Suite    `json:"clients,omitempty"` // tests with these libraries
	Faults      []Fault   `json:"faults,omitempty"`
	Performance []Load    `json:"performance,omitempty"`

	at *url.URL // nil: this tree
}

// The parts of a report, in its order.
var parts = []string{"conformance", "libraries", "faults", "performance"}

func main() {
	out := flag.String("out", "bin/report", "`directory` for report.md and report.json")
	chosen := flag.String("parts", strings.Join(parts, ","), "`parts` of the report")
	version := flag.String("version", "unknown", "`version` that the report is about")
	seconds := flag.Int("seconds", 10, "how many `seconds` each load takes")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r := runner{ctx: ctx, seconds: *seconds, report: report{
		Format: 1, Version: *version, Day: time.Now().UTC().Format(time.DateOnly), Parts: strings.Split(*chosen, ","),
		Machine: fmt.Sprintf("%s/%s, %d processors, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version()),
	}}
	if err := r.all(*out, os.Getenv("AGAINST")); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

// A runner makes a report.
type runner struct {
	ctx     context.Context // of the program, which ends with a signal
	seconds int
	binary  string
	report  report
}

func (r *runner) all(out, against string) error {
	for _, part := range r.report.Parts {
		if !slices.Contains(parts, part) {
			return fmt.Errorf("%q is no part; there are %s", part, strings.Join(parts, ", "))
		}
	}
	if err := r.columns(against); err != nil {
		return err
	}
	commit, err := exec.CommandContext(r.ctx, "git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return fmt.Errorf("git rev-parse: %w", err)
	}
	r.report.Commit = strings.TrimSpace(string(commit))
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	if r.binary, err = filepath.Abs(filepath.Join(out, "belfry")); err != nil {
		return err
	}
	defer os.Remove(r.binary)
	build := exec.CommandContext(r.ctx, "go", "build", "-o", r.binary, "./cmd/belfry")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("go build: %w", err)
	}
	for _, c := range r.report.Columns {
		if err := r.column(c); err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	text, err := json.MarshalIndent(r.report, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(out, "report.json"), append(text, '\n'), 0o644),
		os.WriteFile(filepath.Join(out, "report.md"), r.report.markdown(), 0o644))
}

// columns begins a column for this tree, and one for each service in against.
func (r *runner) columns(against string) error {
	r.report.Columns = []*Column{{Name: "Belfry"}}
	for field := range strings.FieldsSeq(against) {
		name, address, ok := strings.Cut(field, "=")
		u, err := url.Parse(address)
		if !ok || err != nil || u.User == nil || !strings.HasPrefix(u.Path, "/apps/") {
			return errors.New("AGAINST has something that is not NAME=http://KEY:SECRET@HOST:PORT/apps/ID")
		}
		r.report.Columns = append(r.report.Columns, &Column{Name: name, Target: u.Scheme + "://" + u.Host, at: u})
	}
	return nil
}

// column runs what was chosen for one service.
func (r *runner) column(c *Column) (err error) {
	for _, part := range r.report.Parts {
		fmt.Fprintf(os.Stderr, "report: %s of %s\n", part, c.Name)
		switch {
		case part == "conformance":
			c.Conformance, err = r.conformance(c)
		case part == "performance":
			c.Performance, err = r.performance(c)
		case c.at != nil: // the rest is about our own processes
		case part == "libraries":
			err = r.libraries(c)
		case part == "faults":
			c.Faults, err = r.faults()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", part, err)
		}
	}
	return nil
}
