package delivery

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/egress"
	"github.com/belfryhq/belfry/internal/webhook/sent"
)

// maxAnswer and drainTime bound what is read of an answer. Its beginning is for
// operators; to read the rest is to keep the connection.
const (
	maxAnswer = 64 << 10
	drainTime = time.Second
)

// An outcome is what became of an attempt.
type outcome struct {
	host       string
	status     int           // of the answer; 0 if there was none
	err        error         // nil if the endpoint has the request; never a URL in it
	cause      egress.Cause  // why it has failed
	retryAfter time.Duration // that the endpoint asked for; 0 if it did not
	took       time.Duration

	at      time.Time   // when it began
	request http.Header // as it was sent
	answer  http.Header // nil if there was none
	body    []byte      // the first bytes of the answer
	more    bool        // there was more of it
}

// Causes of failed attempts, beside those of [egress].
const (
	causeNone     egress.Cause = ""
	causeStatus   egress.Cause = "status"
	causeRedirect egress.Cause = "redirect"
)

var causes = []egress.Cause{causeNone, causeStatus, causeRedirect, egress.Timeout, egress.Forbidden, egress.DNS, egress.TLS, egress.Refused, egress.Connection}

// post sends one body and judges the answer.
func post(ctx context.Context, p *Policy, hook *apps.Webhook, body []byte, header http.Header) outcome {
	start := time.Now()
	o := outcome{host: hook.Host(), at: start, request: header}
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	defer func() { o.took = time.Since(start) }()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, hook.URL, bytes.NewReader(body))
	if err != nil {
		o.err, o.cause = errors.New("the URL can not be used"), egress.Connection
		return o
	}
	req.Header = header
	if u := req.URL.User; u != nil && header.Get("Authorization") == "" {
		password, _ := u.Password()
		req.SetBasicAuth(u.Username(), password)
	}
	answer, err := p.Transport.RoundTrip(req) // which follows no redirects
	if err != nil {
		o.cause, o.err = egress.Explain(err)
		return o
	}
	defer answer.Body.Close()
	slow := time.AfterFunc(drainTime, cancel)
	defer slow.Stop()
	o.keep(answer)
	o.judge(answer)
	return o
}

// keep reads the answer, and keeps its beginning. What is in it does not matter
// to the delivery.
func (o *outcome) keep(answer *http.Response) {
	o.answer = answer.Header
	o.body, _ = io.ReadAll(io.LimitReader(answer.Body, sent.MaxAnswer))
	rest, _ := io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswer))
	o.more = rest > 0
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

// refusal reports whether the endpoint answers, and says neither that it is
// busy nor that something behind it is away.
func (o *outcome) refusal() bool {
	switch o.status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return false
	}
	return o.cause == causeStatus
}
