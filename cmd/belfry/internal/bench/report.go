package bench

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
)

// reportFormat changes when a field of a Report changes its meaning.
const reportFormat = 1

// A Report is the results of one or more loads on one service.
type Report struct {
	Format  int       `json:"format"` // 1
	Version string    `json:"version"`
	Target  string    `json:"target"` // without credentials
	AppID   string    `json:"app_id"`
	Machine Machine   `json:"machine"`
	Results []*Result `json:"results"`
}

// Machine is where the load came from.
type Machine struct {
	Name       string `json:"name"`
	System     string `json:"system"`
	Processors int    `json:"processors"`
	Model      string `json:"model"` // of the processor; empty: not known
	Go         string `json:"go"`
}

// NewReport returns a report without results. The version is that of the
// program that makes it.
func NewReport(version string, t Target) *Report {
	name, _ := os.Hostname() // empty is as good as wrong
	return &Report{
		Format:  reportFormat,
		Version: version,
		Target:  t.URL.Scheme + "://" + t.URL.Host + t.URL.EscapedPath(),
		AppID:   t.AppID,
		Machine: Machine{
			Name:       name,
			System:     runtime.GOOS + "/" + runtime.GOARCH,
			Processors: runtime.NumCPU(),
			Model:      processorModel(),
			Go:         runtime.Version(),
		},
		Results: []*Result{},
	}
}

func processorModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// WriteJSON writes the report as JSON.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// WriteTable writes the report for people: everything about a single load, or
// a line for each of several.
func (r *Report) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(r.Results) == 1 {
		r.Results[0].write(t)
	} else {
		r.writeLines(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, result := range r.Results {
		if err := result.writeNotes(w, len(r.Results) > 1); err != nil {
			return err
		}
	}
	return nil
}

// writeLines writes a line for every result.
func (r *Report) writeLines(t io.Writer) {
	fmt.Fprintln(t, "load\tconns\tchannels\trate/s\tpublished/s\tdelivered/s\tp50 ms\tp99 ms\tmax ms\tµs/delivery\tµs/publish\t×floor\tKB/conn\tlost\trepeated\tdisordered")
	for _, s := range r.Results {
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\t", s.Load, s.Settings.Connections, s.Settings.Channels, s.rate())
		fmt.Fprintf(t, "%s\t%s\t", orDash(s.PublishedPerS), orDash(s.DeliveredPerS))
		l := s.headline()
		fmt.Fprintf(t, "%s\t%s\t%s\t", orDash(l.P50), orDash(l.P99), orDash(l.Max))
		p, f := s.processOrZero(), s.floorOrZero()
		ratio := f.DeliveryRatio
		if ratio == 0 {
			ratio = f.PublishRatio
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t", orDash(p.CPUPerDelivery), orDash(p.CPUPerPublish), orDash(ratio), orDash(max(p.PerConnectionKB, 0)))
		fmt.Fprintf(t, "%d\t%d\t%d\n", s.Counted.Lost, s.Counted.Repeated, s.Counted.Disordered)
	}
}

// headline is the latency that a load is about.
func (s *Result) headline() Latency {
	switch {
	case s.LatencyMs.Count > 0:
		return s.LatencyMs
	case s.RequestMs.Count > 0:
		return s.RequestMs
	}
	return s.Setup.JoinMs
}

func (s *Result) processOrZero() Process {
	if s.Process == nil {
		return Process{}
	}
	return *s.Process
}

func (s *Result) floorOrZero() Floor {
	if s.Floor == nil {
		return Floor{}
	}
	return *s.Floor
}

// rate is how fast the load was meant to be.
func (s *Result) rate() string {
	switch {
	case s.Load == "idle":
		return "–"
	case s.Settings.Rate == 0:
		return "any"
	}
	return number(s.Settings.Rate)
}

// write writes everything about one result.
func (s *Result) write(t io.Writer) {
	fmt.Fprintf(t, "%s: %s, %s", s.Load, counted(s.Settings.Connections, "connection"), counted(s.Settings.Channels, "channel"))
	switch {
	case s.Load == "idle":
	case s.Settings.Rate == 0:
		fmt.Fprintf(t, ", as fast as the service answers")
	default:
		fmt.Fprintf(t, ", %s a second", number(s.Settings.Rate))
	}
	fmt.Fprintf(t, ", measured for %.1f s\n\n", s.MeasuredS)
	fmt.Fprintln(t, "\tper second\tp50 ms\tp90 ms\tp99 ms\tp99.9 ms\tmax ms")
	row := func(name string, rate float64, l Latency) {
		if rate == 0 && l.Count == 0 {
			return
		}
		fmt.Fprintf(t, "%s\t%s", name, orDash(rate))
		if l.Count == 0 {
			fmt.Fprintln(t, "\t–\t–\t–\t–\t–")
			return
		}
		fmt.Fprintf(t, "\t%s\t%s\t%s\t%s\t%s\n", number(l.P50), number(l.P90), number(l.P99), number(l.P999), number(l.Max))
	}
	row("connected", 0, s.Setup.ConnectMs)
	row("subscribed", s.Setup.PerS, s.Setup.JoinMs)
	row("published", s.PublishedPerS, s.RequestMs)
	row("delivered", s.DeliveredPerS, s.LatencyMs)
	fmt.Fprintln(t)
	s.writeUse(t)
	s.writeCounted(t)
}

// writeUse writes what the server used, and how it compares with the floor.
func (s *Result) writeUse(t io.Writer) {
	p, f := s.Process, s.floorOrZero()
	if p == nil {
		fmt.Fprintln(t, "processor and memory\t(give --pid, the process id of the service on this machine)")
	} else {
		fmt.Fprintf(t, "processor\t%s cores\n", number(p.CPUCores))
		cost := func(what string, each, ratio float64) {
			switch {
			case each == 0:
			case ratio == 0:
				fmt.Fprintf(t, "  per %s\t%s µs\n", what, number(each))
			default:
				fmt.Fprintf(t, "  per %s\t%s µs\t%s × the floor\n", what, number(each), number(ratio))
			}
		}
		cost("delivery", p.CPUPerDelivery, f.DeliveryRatio)
		cost("publish", p.CPUPerPublish, f.PublishRatio)
		cost("connection made", p.CPUPerConnected, f.ConnectionRatio)
		fmt.Fprintf(t, "resident memory\t%s MB before, %s MB connected, %s MB at the end, %s MB at most\n", number(p.BeforeMB), number(p.ConnectedMB), number(p.EndMB), number(p.PeakMB))
		if p.PerConnectionKB > 0 { // else the process had more before than it needed
			fmt.Fprintf(t, "  per connection\t%s KB\n", number(p.PerConnectionKB))
		}
	}
	if f.WriteUs > 0 {
		fmt.Fprintf(t, "floor\t%s µs for one write of %d bytes (%s before, %s after)\n", number(f.WriteUs), f.Bytes, number(f.BeforeUs), number(f.AfterUs))
	}
	fmt.Fprintf(t, "this load itself\t%s of %d cores\n", number(s.Generator.CPUCores), s.Generator.Processors)
}

// writeCounted writes the account.
func (s *Result) writeCounted(t io.Writer) {
	c := s.Counted
	if c.Published+c.Refused > 0 {
		fmt.Fprintf(t, "published\t%s accepted, %s not\n", grouped(float64(c.Published)), grouped(float64(c.Refused)))
	}
	if c.Expected > 0 {
		fmt.Fprintf(t, "deliveries due\t%s\n", grouped(float64(c.Expected)))
		fmt.Fprintf(t, "  lost\t%s\n  repeated\t%s\n  out of order\t%s\n", grouped(float64(c.Lost)), grouped(float64(c.Repeated)), grouped(float64(c.Disordered)))
	}
}

// writeNotes writes what is not as it should be.
func (s *Result) writeNotes(w io.Writer, named bool) error {
	var notes []string
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	c := s.Counted
	if s.Interrupted {
		note("it was interrupted; this is what there was until then")
	}
	if c.Unsent > 0 {
		note("the load was not reached: %s events of the schedule were not sent, and the latency leaves them out", grouped(float64(c.Unsent)))
	}
	if c.Unconfirmed > 0 {
		note("%s deliveries were of events that the service had not accepted, or not answered", grouped(float64(c.Unconfirmed)))
	}
	if c.Stray > 0 {
		note("%s events arrived where they should not", grouped(float64(c.Stray)))
	}
	if s.Connections.Failed > 0 {
		note("%s connections were not to be had", grouped(float64(s.Connections.Failed)))
	}
	if s.Connections.Closed > 0 {
		note("%s connections were closed by the service, %s of them never read", grouped(float64(s.Connections.Closed)), grouped(float64(s.Connections.ClosedSlow)))
	}
	if g := s.Generator; g.CPUCores > 0.9*float64(g.Processors) {
		note("this load used all its processors: the service may be able to do more, and to do it sooner")
	}
	for _, p := range s.Problems {
		note("%s (%s times)", p.Text, grouped(float64(p.Count)))
	}
	for i, text := range notes {
		if i == 0 {
			if _, err := fmt.Fprintln(w); err != nil {
				return err
			}
		}
		if named {
			text = s.Load + ": " + text
		}
		if _, err := fmt.Fprintln(w, "note: "+text); err != nil {
			return err
		}
	}
	return nil
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return grouped(float64(n)) + " " + noun + "s"
}

func orDash(f float64) string {
	if f == 0 {
		return "–"
	}
	return number(f)
}

// number writes a number with as many digits as one reads.
func number(f float64) string {
	switch {
	case f >= 100:
		return grouped(f)
	case f >= 10:
		return fmt.Sprintf("%.1f", f)
	case f == float64(int(f)):
		return fmt.Sprintf("%.0f", f)
	}
	return fmt.Sprintf("%.2f", f)
}
