// Package doctor examines a service that speaks the Pusher Channels protocol
// from outside, as its clients and backends meet it. It looks at the name, the
// port, TLS, the WebSocket upgrade, the clock and signatures, and at one event
// over each transport. Every check ends with a verdict and, if something is
// wrong, with what to do.
//
// It knows the protocol and what proxies do to it. It leaves to others where
// the address comes from and how findings are printed. It changes nothing on
// the service but for one event on a channel with a random name.
//
// It takes no locks; the clients that it starts have ended when [Run] returns.
package doctor

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A Verdict says how a check went.
type Verdict string

// The verdicts. A service with warnings works; one check that failed is what
// makes it sick.
const (
	OK      Verdict = "ok"
	Warning Verdict = "warning"
	Failed  Verdict = "failed"
	Skipped Verdict = "skipped" // it could not be tried, or was not asked for
)

// A Finding is what one check has found.
type Finding struct {
	Check   string  `json:"check"`
	Verdict Verdict `json:"verdict"`
	Detail  string  `json:"detail"`           // what was seen
	Advice  string  `json:"advice,omitempty"` // what to do about it
	TookMS  int64   `json:"took_ms"`
}

// A Report is the whole examination.
type Report struct {
	Service  string    `json:"service"` // scheme, host and prefix; no credentials
	Healthy  bool      `json:"healthy"` // no check has failed
	Findings []Finding `json:"checks"`
}

// Config says what to examine. Base is required; without a key or a secret the
// checks that need them are skipped.
type Config struct {
	Base    *url.URL // http or https, host, and the prefix where there is one
	AppID   string
	Key     string
	Secret  string
	Origin  string         // sent as the Origin of clients; empty: none
	Idle    time.Duration  // how long to let a connection be silent; zero: not at all
	Timeout time.Duration  // of each check; zero: 10 s
	RootCAs *x509.CertPool // nil: the system's
	Agent   string         // User-Agent, and the name of the client library
}

// An examination is the state between checks. One goroutine runs it.
type examination struct {
	cfg     Config
	tell    func(Finding)
	report  Report
	channel string
	socket  *visit    // the WebSocket connection, once there is one
	answer  *apiReply // to the signed request that was accepted
	wrong   bool      // nothing there is for clients or backends
}

// Run makes all checks, one after the other, and calls tell with each finding
// as it comes. It ends early when ctx ends.
func Run(ctx context.Context, cfg Config, tell func(Finding)) Report {
	if cfg.Timeout == 0 {
		cfg.Timeout = 10 * time.Second
	}
	var random [8]byte
	rand.Read(random[:]) // never fails
	e := &examination{cfg: cfg, tell: tell, channel: "belfry-doctor-" + hex.EncodeToString(random[:])}
	e.report.Service = (&url.URL{Scheme: cfg.Base.Scheme, Host: cfg.Base.Host, Path: cfg.Base.Path}).String()
	defer func() {
		if e.socket != nil {
			e.socket.end()
		}
	}()
	e.examine(ctx)
	e.report.Healthy = len(e.report.Failed()) == 0
	return e.report
}

// examine makes the checks in the order in which a connection comes about.
// Without an address or TLS nothing further can be said.
func (e *examination) examine(ctx context.Context) {
	reached := e.reach(ctx)
	upgraded := reached && e.check(ctx, "upgrade", e.upgrade)
	if e.wrong {
		return
	}
	connected := upgraded && e.cfg.Key != "" && e.check(ctx, "connection", e.connect)
	subscribed := connected && e.check(ctx, "subscribe", e.subscribe)
	signed := false
	if reached {
		e.check(ctx, "clock", e.clock)
		signed = e.check(ctx, "signature", e.signature)
	}
	triggered := signed && e.check(ctx, "trigger", e.trigger)
	if triggered && subscribed {
		e.check(ctx, "receive", e.receive)
	}
	if reached {
		for _, t := range fallbacks {
			e.check(ctx, t.name, func(ctx context.Context) Finding { return e.fallback(ctx, t, signed) })
		}
	}
	if connected && e.cfg.Idle > 0 {
		e.check(ctx, "idle", e.idle)
	}
}

// check makes one check and reports whether one that stands on it can follow.
func (e *examination) check(ctx context.Context, name string, do func(context.Context) Finding) bool {
	if ctx.Err() != nil {
		return false
	}
	limit := e.cfg.Timeout
	if name == "idle" {
		limit += e.cfg.Idle
	}
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	start := time.Now()
	f := do(bounded)
	if ctx.Err() != nil {
		return false // what it says is due to whoever stopped it
	}
	f.Check, f.TookMS = name, time.Since(start).Milliseconds()
	e.report.Findings = append(e.report.Findings, f)
	e.tell(f)
	return f.Verdict == OK || f.Verdict == Warning
}

// header is that of every request.
func (e *examination) header() http.Header {
	h := http.Header{"User-Agent": {e.cfg.Agent}}
	if e.cfg.Origin != "" {
		h.Set("Origin", e.cfg.Origin)
	}
	return h
}

func ok(format string, args ...any) Finding {
	return Finding{Verdict: OK, Detail: fmt.Sprintf(format, args...)}
}

func skipped(format string, args ...any) Finding {
	return Finding{Verdict: Skipped, Detail: fmt.Sprintf(format, args...)}
}

func warning(detail, advice string) Finding {
	return Finding{Verdict: Warning, Detail: detail, Advice: advice}
}

func failed(detail, advice string) Finding {
	return Finding{Verdict: Failed, Detail: detail, Advice: advice}
}

// Failed are the checks that failed.
func (r Report) Failed() []string { return r.with(Failed) }

// Rest says what else there is to know of a service that works.
func (r Report) Rest() string {
	text := ""
	if w := r.with(Warning); len(w) > 0 {
		text += ", with warnings: " + strings.Join(w, ", ")
	}
	if s := r.with(Skipped); len(s) > 0 {
		text += "; not tried: " + strings.Join(s, ", ")
	}
	return text
}

// with are the checks with that verdict.
func (r Report) with(v Verdict) []string {
	var checks []string
	for _, f := range r.Findings {
		if f.Verdict == v {
			checks = append(checks, f.Check)
		}
	}
	return checks
}
