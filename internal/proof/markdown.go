package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// markdown writes the report for people. What several services have in common stands
// side by side.
func (r *report) markdown() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# report of %s\n\nCommit `%s`, made on %s on %s by `make report`. The same is in `report.json`.\n", r.Version, r.Commit, r.Day, r.Machine)
	for _, c := range r.Columns {
		if c.Target != "" {
			fmt.Fprintf(&b, "\n* *%s* is %s.\n", c.Name, c.Target)
		}
	}
	if slices.Contains(r.Parts, "conformance") {
		r.conformance(&b)
	}
	if slices.Contains(r.Parts, "libraries") {
		r.Columns[0].libraries(&b)
	}
	if slices.Contains(r.Parts, "faults") {
		r.Columns[0].faults(&b)
	}
	if slices.Contains(r.Parts, "performance") {
		r.performance(&b)
	}
	return b.Bytes()
}

// row writes one line of a table.
func row(b *bytes.Buffer, cells ...string) { fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | ")) }

// head writes the first lines of a table, with a column for each service.
func (r *report) head(b *bytes.Buffer, first string) {
	cells, rule := []string{first}, []string{"---"}
	for _, c := range r.Columns {
		cells, rule = append(cells, c.Name), append(rule, "---")
	}
	row(b, cells...)
	row(b, rule...)
}

// line writes a row about all services.
func (r *report) line(b *bytes.Buffer, first string, of func(*Column) string) {
	cells := []string{first}
	for _, c := range r.Columns {
		cells = append(cells, of(c))
	}
	row(b, cells...)
}

func (r *report) conformance(b *bytes.Buffer) {
	b.WriteString("\n## Conformance\n\nNumbered statements about the protocol, each tested from outside. *Open* are those that a service at that address can not be asked, or\nthat are tested inside of it.\n\n")
	r.head(b, "statements")
	for _, list := range []struct{ test, title string }{{"WebSocket", "WebSocket protocol"}, {"HTTP", "HTTP API"}} {
		r.line(b, list.title, func(c *Column) string {
			s := c.Conformance.Statements[list.test]
			if s == nil {
				return "not run"
			}
			return fmt.Sprintf("%d hold, %d broken, %d open", s.Hold, s.Broken, s.Open)
		})
	}
	r.line(b, "all tests of the suite", func(c *Column) string { return c.Conformance.String() })
	for _, c := range r.Columns {
		c.Conformance.failures(b, c.Name)
	}
}

func (s *Suite) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", s.Passed, len(s.Failed), s.Skipped)
}

// failures lists what has failed, if anything has.
func (s *Suite) failures(b *bytes.Buffer, name string) {
	if len(s.Failed) > 0 {
		fmt.Fprintf(b, "\nFailed on %s: `%s`.\n", name, strings.Join(s.Failed, "`, `"))
	}
}

func (c *Column) libraries(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n## Libraries\n\nPublished libraries, unmodified, against the real binary: %s.\n\n", c.Clients)
	row(b, "library", "version")
	row(b, "---", "---")
	for _, l := range c.Libraries {
		row(b, l.Name, l.Version)
	}
	c.Clients.failures(b, c.Name)
}

func (c *Column) faults(b *bytes.Buffer) {
	b.WriteString("\n## Faults\n\nClusters of real processes that are killed, paused, cut off, or run out of disk. With `CLUSTER_SEED` a run is repeated.\n\n")
	row(b, "test", "result", "seed", "seconds")
	row(b, "---", "---", "---", "---")
	for _, f := range c.Faults {
		row(b, "`"+f.Test+"`", f.Result, f.Seed, fmt.Sprintf("%.0f", f.Seconds))
	}
}

func (r *report) performance(b *bytes.Buffer) {
	b.WriteString("\n## Performance\n\nLoads of `belfry bench`, on the same machine as the service. Read the ratios to the floor: it is what the kernel took for one bare write\nto one socket, in the same run.\n\n")
	r.head(b, "load")
	for i := range r.Columns[0].Performance {
		first := r.Columns[0].Performance[i]
		r.line(b, fmt.Sprintf("%s, %d connections", first.Load, first.Connections), func(c *Column) string {
			if i >= len(c.Performance) {
				return "not run"
			}
			return c.Performance[i].String()
		})
	}
}

func (l Load) String() string {
	var list []string
	say := func(value float64, format string) {
		if value > 0 {
			list = append(list, fmt.Sprintf(format, value))
		}
	}
	if l.Load == "connect" {
		say(l.PublishedPerS, "%.0f connections/s")
	} else {
		say(l.DeliveredPerS, "%.0f deliveries/s")
	}
	say(l.P50Ms, "p50 %.2f ms")
	say(l.P99Ms, "p99 %.2f ms")
	say(l.CPUMicros, "%.2f µs CPU a delivery")
	say(l.FloorMicros, "floor %.2f µs")
	if l.CPUMicros > 0 && l.FloorMicros > 0 {
		list = append(list, fmt.Sprintf("ratio %.2f", l.CPUMicros/l.FloorMicros))
	}
	return strings.Join(append(list, fmt.Sprintf("%d lost", l.Lost)), ", ")
}
