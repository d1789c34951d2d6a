package engine

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
)

// A serverLog turns what the embedded server says into lines of our log.
type serverLog struct {
	engine *Engine

	mu   sync.Mutex
	last string // said last before giving up
}

func (l *serverLog) line(level slog.Level, format string, args []any) {
	text := fmt.Sprintf(format, args...)
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
	l.engine.log.Log(context.Background(), level, "engine", "text", text)
}

// fatal is why the server did not start.
func (l *serverLog) fatal() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// Noticef is about the life of the server, which is our own.
func (l *serverLog) Noticef(format string, args ...any) { l.line(slog.LevelDebug, format, args) }

// expected begins what the server warns of although it is as it should be.
var expected = []string{
	"Waiting for routing to be established", // every start of a cluster
	"JetStream has not established contact with a meta leader",
	"Metalayer blocking snapshot",                            // every end of one
	"TLS certificate chain and hostname of solicited routes", // peerTLS looks at the chain
}

func (l *serverLog) Warnf(format string, args ...any) {
	level := slog.LevelWarn
	if slices.ContainsFunc(expected, func(text string) bool { return strings.HasPrefix(format, text) }) {
		level = slog.LevelDebug
	}
	l.line(level, format, args)
}

func (l *serverLog) Fatalf(format string, args ...any) { l.line(slog.LevelError, format, args) }
func (l *serverLog) Errorf(format string, args ...any) { l.line(slog.LevelError, format, args) }

// Debugf and Tracef are not asked for.
func (l *serverLog) Debugf(string, ...any) {}
func (l *serverLog) Tracef(string, ...any) {}
