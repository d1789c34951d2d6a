package bench

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// A Status is how far a run is.
type Status struct {
	Load  string
	Phase string // what it does now

	// Done of Total, in whatever the phase counts; a Total of 0 counts nothing.
	Done, Total float64
	Unit        string

	Sending       bool // what follows means something
	PublishedPerS float64
	DeliveredPerS float64
	P99           time.Duration
	CPUCores      float64 // of the server; 0: not known
}

func (s Status) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", s.Load, s.Phase)
	switch {
	case s.Total == 0:
	case s.Unit == "s":
		fmt.Fprintf(&b, " %.1f of %.1f s", s.Done, s.Total)
	default:
		fmt.Fprintf(&b, " %s of %s %s", grouped(s.Done), grouped(s.Total), s.Unit)
	}
	if s.Sending {
		fmt.Fprintf(&b, " · %s published/s · %s delivered/s", grouped(s.PublishedPerS), grouped(s.DeliveredPerS))
		if s.P99 > 0 {
			fmt.Fprintf(&b, " · p99 %.1f ms", float64(s.P99)/1e6)
		}
	}
	if s.CPUCores > 0 {
		fmt.Fprintf(&b, " · server %.2f cores", s.CPUCores)
	}
	return b.String()
}

// plainEvery is how often progress is told where lines can not be changed.
const plainEvery = 5 * time.Second

// A Display shows the progress of runs: on a terminal as one line that
// changes, elsewhere as a line for every phase and one now and then.
type Display struct {
	w        io.Writer
	terminal bool
	last     Status
	told     time.Time // when the last plain line was written
	wide     int       // how much of the line is written
}

// NewDisplay returns a display that writes to w.
func NewDisplay(w io.Writer, terminal bool) *Display { return &Display{w: w, terminal: terminal} }

// Show shows a status. It is what Config.Progress calls.
func (d *Display) Show(s Status) {
	fresh := s.Load != d.last.Load || s.Phase != d.last.Phase
	d.last = s
	if d.terminal {
		line := s.String()
		width := len([]rune(line))
		fmt.Fprintf(d.w, "\r%s%s", line, strings.Repeat(" ", max(0, d.wide-width)))
		d.wide = width
		return
	}
	if now := time.Now(); fresh || now.Sub(d.told) >= plainEvery {
		d.told = now
		fmt.Fprintln(d.w, s)
	}
}

// Clear takes the line away, so that something else can be written.
func (d *Display) Clear() {
	if d.terminal && d.wide > 0 {
		fmt.Fprintf(d.w, "\r%s\r", strings.Repeat(" ", d.wide))
		d.wide = 0
	}
}

// grouped writes a number with commas between the thousands.
func grouped(f float64) string {
	digits := fmt.Sprintf("%.0f", f)
	if f != 0 && f < 10 && f != float64(int(f)) {
		return fmt.Sprintf("%.1f", f)
	}
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}
