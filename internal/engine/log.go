package engine

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry/internal/rate"
)

// A serverLog turns what the embedded server says into lines of our log.
type serverLog struct {
	engine *Engine
	gaveUp atomic.Bool // the server will not start

	mu    sync.Mutex
	last  string // the last error
	said  string // the last line
	like  rate.Repeats
	until time.Time // when it may be said again

	told     map[string]refusal // by what the server said
	refusals time.Time          // until when connections break off because of them
}

// echo is how long a line is not said twice in a row: there are two
// connections to every node.
const echo = time.Second

func (l *serverLog) line(level slog.Level, format string, args []any) {
	text := fmt.Sprintf(format, args...)
	for part, known := range levels {
		if strings.Contains(text, part) {
			level = known
		}
	}
	l.mu.Lock()
	repeated := text == l.said && time.Now().Before(l.until)
	l.said, l.until = text, time.Now().Add(echo)
	l.mu.Unlock()
	if repeated || l.refused(text) {
		return
	}
	if level >= slog.LevelWarn && l.engine.lacksFiles(text) {
		l.engine.broken.Store(true)
	}
	if level >= slog.LevelError {
		l.mu.Lock()
		l.last = text
		l.mu.Unlock()
		// There is no other sign of these: the stream refuses from here on.
		switch {
		case strings.Contains(strings.ToLower(text), "critical write error"):
			l.engine.broken.Store(true)
		case strings.Contains(text, "our server was removed from the cluster"):
			l.engine.removed.Store(true)
		}
	}
	l.tell(level, text)
}

// tell logs a line. Strangers that try to log in cause one each, which differ in
// addresses and numbers alone: they are told now and then.
func (l *serverLog) tell(level slog.Level, text string) {
	args := []any{"text", text}
	if level >= slog.LevelWarn {
		left, ok := l.like.Tell(time.Now(), kindOf(text))
		if !ok {
			return
		}
		if left > 0 {
			args = append(args, "left_out", left)
		}
	}
	l.engine.log.Log(context.Background(), level, "engine", args...)
}

// remote is what stands in front of a line about a connection.
var remote = regexp.MustCompile(`^\S+ - \wid:\S+ - `)

// kindOf is a line without what tells it from others of its kind: the address
// in front, and numbers.
func kindOf(text string) string {
	text = remote.ReplaceAllString(text, "")
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return -1
		}
		return r
	}, text)
}

// lacksFiles reports whether a line says that a file of the server could not be
// opened. What the server leaves out for that reason when it starts, such as a
// whole stream, is not there until its next start.
func (e *Engine) lacksFiles(text string) bool {
	return strings.Contains(text, "storage directory is not writable") ||
		strings.Contains(text, "too many open files") && strings.Contains(text, e.dir())
}

// lastError is why the server did not start.
func (l *serverLog) lastError() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// Noticef is about the life of the server, which is our own.
func (l *serverLog) Noticef(format string, args ...any) { l.line(slog.LevelDebug, format, args) }

// levels are those of lines that have these in them and that the server takes
// for more important than they are to us.
var levels = map[string]slog.Level{
	// Every start and every end of a node of a cluster.
	"Waiting for routing to be established":                    slog.LevelDebug,
	"JetStream has not established contact with a meta leader": slog.LevelDebug,
	"Metalayer blocking snapshot":                              slog.LevelDebug,
	// A stream has no leader at the moment; raise looks again.
	"Did not receive all stream info results":     slog.LevelDebug,
	"JetStream cluster detected stream remapping": slog.LevelDebug, // what raise does
	// peerTLS looks at the chain.
	"TLS certificate chain and hostname of solicited routes": slog.LevelDebug,
	// Another node is away, and tried again.
	"Error trying to connect to route": slog.LevelWarn,
	"Error flushing":                   slog.LevelWarn,
}

func (l *serverLog) Warnf(format string, args ...any)  { l.line(slog.LevelWarn, format, args) }
func (l *serverLog) Errorf(format string, args ...any) { l.line(slog.LevelError, format, args) }

// Fatalf is what the server says last when it gives up its start.
func (l *serverLog) Fatalf(format string, args ...any) {
	l.line(slog.LevelError, format, args)
	l.gaveUp.Store(true)
}

// Debugf and Tracef are not asked for.
func (l *serverLog) Debugf(string, ...any) {}
func (l *serverLog) Tracef(string, ...any) {}
