package backend_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/backend"
)

// Covers 74, 75.
func TestStatusesAreErrors(t *testing.T) {
	for status, want := range map[int]error{
		400: backend.ErrBadRequest, 401: backend.ErrUnauthorized, 403: backend.ErrForbidden, 404: backend.ErrNotFound,
		407: backend.ErrProxyAuth, 413: backend.ErrPayloadTooLarge, 429: backend.ErrRateLimited,
		500: backend.ErrServer, 503: backend.ErrServer, 302: nil, 418: nil,
	} {
		s := answers(answer{status: status, body: "the reason\n", header: http.Header{"Retry-After": {"7"}}})
		_, err := client(t, s).Trigger(t.Context(), "c", "e", "d")
		e, ok := errors.AsType[*backend.APIError](err)
		if !ok {
			t.Errorf("%d: %v, want an APIError", status, err)
			continue
		}
		if want != nil && !errors.Is(err, want) || errors.Is(err, backend.ErrConfig) {
			t.Errorf("%d: %v, want %v", status, err, want)
		}
		if e.Status != status || e.Message != "the reason" || string(e.Body) != "the reason\n" || e.Path != "/events" || e.Method != "POST" {
			t.Errorf("%d: %+v", status, e)
		}
		if wantTemporary := status == 429 || status >= 500; e.Temporary() != wantTemporary || e.RetryAfter() != 7*time.Second {
			t.Errorf("%d: temporary %t, retry after %v", status, e.Temporary(), e.RetryAfter())
		}
		if _, ok := errors.AsType[backend.Error](err); !ok {
			t.Errorf("%d: %v is no Error", status, err)
		}
	}
	body := "{\"error\": \"no\",\n \"code\": 1}\n"
	_, err := client(t, answers(answer{status: 400, body: body})).Trigger(t.Context(), "c", "e", "d")
	if e, ok := errors.AsType[*backend.APIError](err); !ok || string(e.Body) != body {
		t.Errorf("JSON body became %v", err)
	}
}

func TestRetryAfterADate(t *testing.T) {
	e := &backend.APIError{Header: http.Header{"Retry-After": {time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}}}
	if d := e.RetryAfter(); d <= 0 || d > time.Hour {
		t.Errorf("RetryAfter = %v, want at most an hour", d)
	}
	for _, value := range []string{"", "soon", "-1"} {
		e.Header.Set("Retry-After", value)
		if d := e.RetryAfter(); d != 0 {
			t.Errorf("RetryAfter(%q) = %v, want 0", value, d)
		}
	}
}

// Covers 76, 77.
func TestAnswersThatAreNoAnswers(t *testing.T) {
	page := "<html>" + strings.Repeat("x", 1000)
	_, err := client(t, answers(answer{status: 200, body: page})).Trigger(t.Context(), "c", "e", "d")
	e, ok := errors.AsType[*backend.DecodeError](err)
	if !ok || len(e.Body) != 256 || !strings.Contains(err.Error(), "<html>") || e.Temporary() {
		t.Errorf("Trigger = %.80v, want a DecodeError with the first bytes", err)
	}
	if _, err := client(t, answers(answer{status: 200})).Trigger(t.Context(), "c", "e", "d"); err == nil {
		t.Error("200 without a body is taken for an answer")
	}
	if _, err := client(t, answers(answer{status: 202})).Trigger(t.Context(), "c", "e", "d"); err != nil {
		t.Errorf("202 without a body = %v, want success", err)
	}
	if _, err := client(t, answers(answer{status: 202})).TriggerBatch(t.Context(), events(1)); err != nil {
		t.Errorf("202 without a body = %v, want success", err)
	}
}

// Covers 78.
func TestConnectionRefused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	c, err := backend.New(backend.Config{AppID: "1", Key: "k", Secret: "hushhush", Host: address, Insecure: true, Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Channels(t.Context(), backend.ChannelsQuery{})
	e, ok := errors.AsType[*backend.TransportError](err)
	if !ok || e.Timeout() || !e.Temporary() {
		t.Errorf("Channels = %v, want a TransportError", err)
	}
	if _, ok := errors.AsType[*net.OpError](err); !ok {
		t.Errorf("the cause of %v is lost", err)
	}
	if strings.Contains(err.Error(), "hushhush") || strings.Contains(err.Error(), "auth_signature") {
		t.Errorf("the error tells too much: %v", err)
	}
}

// Covers 79.
func TestAFailureDoesNotReachTheNextCall(t *testing.T) {
	n := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n++; n%2 == 1 {
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		io.WriteString(w, "{}")
	}))
	defer server.Close()
	c, err := backend.NewFromURL(strings.Replace(server.URL, "http://", "http://k:s@", 1)+"/apps/1", backend.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdleConnections()
	for i := range 6 {
		_, err := c.Trigger(t.Context(), "c", "e", "d")
		if (err != nil) != (i%2 == 0) {
			t.Errorf("call %d = %v", i, err)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	s := answers(answer{status: 307, header: http.Header{"Location": {"https://elsewhere.test/"}}})
	_, err := client(t, s).Trigger(t.Context(), "c", "e", "d")
	if e, ok := errors.AsType[*backend.APIError](err); !ok || e.Status != 307 || s.count() != 1 {
		t.Errorf("Trigger = %v after %d requests, want status 307 after one", err, s.count())
	}
}

// Covers 80.
func TestLogAndObserver(t *testing.T) {
	var text bytes.Buffer
	var seen []backend.RequestInfo
	s := answers(answer{status: 200, body: "{}"}, answer{status: 403, body: "no"}, answer{err: errors.New("reset")})
	c := client(t, s, func(cfg *backend.Config) {
		cfg.Secret = "hushhush"
		cfg.Logger = slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}))
		cfg.Observer = func(i backend.RequestInfo) { seen = append(seen, i) }
	})
	for range 3 {
		c.Trigger(t.Context(), "c", "e", "very private")
	}
	c.Webhook(http.Header{"X-Pusher-Key": {testKey}, "X-Pusher-Signature": {"wrong"}}, []byte("very private"))
	got := text.String()
	for _, want := range []string{"method=POST", "path=/apps/3/events", "status=200", "status=403", "status=0", "duration=", "level=WARN"} {
		if !strings.Contains(got, want) {
			t.Errorf("the log has no %s:\n%s", want, got)
		}
	}
	signature := s.last(t).URL.Query().Get("auth_signature")
	for _, secret := range []string{"hushhush", signature, testMaster, "very private"} {
		if strings.Contains(got, secret) {
			t.Errorf("the log has %q:\n%s", secret, got)
		}
	}
	if len(seen) != 3 || seen[0].Status != 200 || seen[1].Status != 403 || seen[1].Err == nil || seen[2].Status != 0 || seen[0].Path != "/apps/3/events" {
		t.Errorf("the observer saw %+v", seen)
	}
}

func TestEveryErrorSaysWhetherARetryCanHelp(t *testing.T) {
	c := client(t, answers())
	_, config := backend.New(backend.Config{})
	_, validation := c.Trigger(t.Context(), "a b", "e", "d")
	_, webhook := c.Webhook(nil, nil)
	_, decrypt := c.DecryptData("private-encrypted-x", "{}")
	for _, err := range []error{config, validation, webhook, decrypt, backend.ErrAuthDenied} {
		if e, ok := errors.AsType[backend.Error](err); !ok || e.Temporary() {
			t.Errorf("%v is no Error, or temporary", err)
		}
	}
	if _, ok := errors.AsType[backend.Error](context.DeadlineExceeded); ok {
		t.Error("an error of another package is an Error")
	}
}
