package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
)

// Headers of ours. Receivers need none of them.
const (
	headerIDs     = "X-Belfry-Event-Ids" // of the events, in their order, with commas
	headerAttempt = "X-Belfry-Attempt"   // 1 at first
)

const userAgent = "Belfry-Webhook/1"

// maxAnswer and drainTime bound what is read of an answer. It is thrown away;
// to read it is to keep the connection.
const (
	maxAnswer = 64 << 10
	drainTime = time.Second
)

// An outcome is what became of an attempt.
type outcome struct {
	request    *request
	host       string
	status     int   // of the answer; 0 if there was none
	err        error // nil if the endpoint has the request; never a URL in it
	cause      cause
	retryAfter time.Duration // that the endpoint asked for; 0 if it did not
	took       time.Duration
}

// A cause is why an attempt has failed, in metrics.
type cause string

const (
	causeNone       cause = ""
	causeStatus     cause = "status"
	causeRedirect   cause = "redirect"
	causeTimeout    cause = "timeout"
	causeForbidden  cause = "forbidden_address"
	causeDNS        cause = "dns"
	causeTLS        cause = "tls"
	causeRefused    cause = "refused"
	causeConnection cause = "connection"
)

// attempt sends a request and puts the outcome into e.done. It does not wait.
func (e *endpoint) attempt(r *request, app *apps.App, hook *apps.Webhook) {
	r.sign(app)
	s := e.all.sender
	s.metrics.inflight.Inc()
	go func() {
		o := post(r.term.attempts, s.cfg, hook, r.body, r.header(hook))
		s.metrics.inflight.Dec()
		o.request = r
		e.done <- o // has room
	}()
}

// header is that of the next attempt.
func (r *request) header(hook *apps.Webhook) http.Header {
	h := make(http.Header, 6+len(hook.Headers))
	for _, extra := range hook.Headers {
		h.Add(extra.Name, extra.Value)
	}
	if len(h["User-Agent"]) == 0 {
		h.Set("User-Agent", userAgent)
	}
	h.Set("Content-Type", "application/json")
	h.Set("X-Pusher-Key", r.key)
	h.Set("X-Pusher-Signature", r.signature)
	h.Set(headerIDs, r.ids())
	h.Set(headerAttempt, strconv.Itoa(r.attempts+1))
	return h
}

// post sends one body and judges the answer.
func post(ctx context.Context, cfg Config, hook *apps.Webhook, body []byte, header http.Header) outcome {
	start := time.Now()
	o := outcome{host: hook.Host()}
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	defer func() { o.took = time.Since(start) }()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, hook.URL, bytes.NewReader(body))
	if err != nil {
		o.err, o.cause = errors.New("the URL can not be used"), causeConnection
		return o
	}
	req.Header = header
	if u := req.URL.User; u != nil && header.Get("Authorization") == "" {
		password, _ := u.Password()
		req.SetBasicAuth(u.Username(), password)
	}
	answer, err := cfg.Transport.RoundTrip(req) // which follows no redirects
	if err != nil {
		o.cause, o.err = explain(err)
		return o
	}
	defer answer.Body.Close()
	slow := time.AfterFunc(drainTime, cancel)
	defer slow.Stop()
	io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswer)) // what is in it does not matter
	o.judge(answer)
	return o
}

// judge says whether the endpoint has taken the request.
func (o *outcome) judge(answer *http.Response) {
	o.status = answer.StatusCode
	switch {
	case o.status/100 == 2:
	case o.status/100 == 3:
		o.err, o.cause = fmt.Errorf("status %d: redirects are not followed", o.status), causeRedirect
	default:
		o.err, o.cause = fmt.Errorf("status %d", o.status), causeStatus
		if s, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && s > 0 && s < 3600 {
			o.retryAfter = time.Duration(s) * time.Second
		}
	}
}

// explain leaves out of an error what may be secret, and classes it.
func explain(err error) (cause, error) {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	_, noSuchHost := errors.AsType[*net.DNSError](err)
	_, badRecord := errors.AsType[tls.RecordHeaderError](err)
	_, badCertificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, unknownAuthority := errors.AsType[x509.UnknownAuthorityError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	timeout, _ := errors.AsType[net.Error](err)
	c := causeConnection
	switch {
	case errors.Is(err, errForbidden):
		c = causeForbidden
	case noSuchHost:
		c = causeDNS
	case errors.Is(err, context.DeadlineExceeded), timeout != nil && timeout.Timeout():
		c = causeTimeout
	case badRecord, badCertificate, unknownAuthority, alert:
		c = causeTLS
	case errors.Is(err, syscall.ECONNREFUSED):
		c = causeRefused
	}
	return c, err
}
