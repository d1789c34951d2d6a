package server

import (
	"log"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/rate"
)

// An httpLog turns what net/http says about connections into lines of our log.
// Strangers can cause most of it, so that it is told now and then only.
type httpLog struct {
	log        *slog.Logger
	repeats    rate.Repeats
	handshakes prometheus.Counter // TLS handshakes that failed
}

// errorLog returns the log of an HTTP server.
func (p *process) errorLog(listener string) *log.Logger {
	handshakes := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "belfry_tls_handshake_failures_total", Help: "Connections to a listener that ended before TLS was agreed on.",
		ConstLabels: prometheus.Labels{"listener": listener},
	})
	if listener == "tls" {
		p.metrics.MustRegister(handshakes)
	}
	return log.New(&httpLog{log: p.log.With("listener", listener), handshakes: handshakes}, "", 0)
}

// Kinds of lines.
const (
	handshakeFailed = "http: TLS handshake error from "
	panicked        = "http: panic serving "
)

func (l *httpLog) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	switch rest, handshake := strings.CutPrefix(text, handshakeFailed); {
	case handshake:
		l.handshakes.Inc()
		remote, reason, _ := strings.Cut(rest, ": ")
		l.tell(handshakeFailed, "TLS handshake failed", "remote", remote, "err", reason)
	case strings.HasPrefix(text, panicked): // ours to mend, each of them
		l.log.Error(text)
	default:
		kind, _, _ := strings.Cut(text, " from ")
		l.tell(kind, text)
	}
	return len(line), nil
}

// tell logs a warning, unless there were many of its kind.
func (l *httpLog) tell(kind, text string, args ...any) {
	left, ok := l.repeats.Tell(time.Now(), kind)
	if !ok {
		return
	}
	if left > 0 {
		args = append(args, "left_out", left)
	}
	l.log.Warn(text, args...)
}
