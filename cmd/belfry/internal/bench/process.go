package bench

import "time"

// A process is the server under load; its zero value is one that is not known,
// and uses nothing.
type process struct{ pid int }

// A use is what a process has used.
type use struct {
	cpu      time.Duration // so far
	resident int64         // bytes, now
}
