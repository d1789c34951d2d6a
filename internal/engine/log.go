package engine

import (
	"context"
	"fmt"
	"log/slog"
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
		// There is no other sign of it: the stream refuses from here on.
		if strings.Contains(strings.ToLower(text), "critical write error") {
			l.engine.broken.Store(true)
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

func (l *serverLog) Warnf(format string, args ...any)  { l.line(slog.LevelWarn, format, args) }
func (l *serverLog) Fatalf(format string, args ...any) { l.line(slog.LevelError, format, args) }
func (l *serverLog) Errorf(format string, args ...any) { l.line(slog.LevelError, format, args) }

// Debugf and Tracef are not asked for.
func (l *serverLog) Debugf(string, ...any) {}
func (l *serverLog) Tracef(string, ...any) {}
