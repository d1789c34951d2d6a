package engine

import (
	"context"
	"log/slog"
	"strings"
	"time"
)

// refusals are what the server says of a login between nodes that failed, and
// what that means.
var refusals = map[string]string{
	"Route Error 'Authorization Violation'": "another node refuses this one: the cluster.secret of the two is not the same",
	"authentication error - User":           "a connection to cluster.listen is refused: it came with another cluster.secret than this node has",
}

const (
	// refusalEvery is how often that is told. Nodes try again each second.
	refusalEvery = time.Minute
	// refusalTail is how long connections break off because of it.
	refusalTail = 5 * time.Second
)

// A refusal is one that was told.
type refusal struct {
	at   time.Time // when it was told last
	left int       // how often it was not since
}

// refused tells of a login between nodes that failed, in words that name the
// setting, and reports whether a line was about one.
func (l *serverLog) refused(text string) bool {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if strings.Contains(text, "Error flushing") {
		return now.Before(l.refusals)
	}
	if l.told == nil {
		l.told = make(map[string]refusal)
	}
	for part, meaning := range refusals {
		if !strings.Contains(text, part) {
			continue
		}
		l.refusals = now.Add(refusalTail)
		r := l.told[part]
		if now.Sub(r.at) < refusalEvery {
			r.left++
			l.told[part] = r
			return true
		}
		address, _, _ := strings.Cut(text, " ")
		args := []any{"address", address}
		if r.left > 0 {
			args = append(args, "left_out", r.left)
		}
		l.told[part] = refusal{at: now}
		l.engine.log.Log(context.Background(), slog.LevelError, meaning, args...)
		return true
	}
	return false
}
