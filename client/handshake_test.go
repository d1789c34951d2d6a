package client_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/belfryhq/belfry/client"
)

// Covers T1, T2, 30, 32.
func TestDialFails(t *testing.T) {
	for name, cause := range map[string]error{
		"name":    &net.DNSError{Err: "no such host", Name: "service.test", IsNotFound: true},
		"refused": &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := &fake{onDial: func(context.Context, int) error { return cause }}
				c := newClient(t, f)
				r := record(c)
				var last client.Disconnected
				client.On(c, func(_ context.Context, d client.Disconnected) { last = d })
				c.Connect()
				pass(20 * time.Second)
				r.expect(t, "20 s", "0s initialized→connecting", "0s disconnected backoff", "0s in 5s",
					"5s disconnected backoff", "5s in 10s", "10s connecting→unavailable", "15s disconnected backoff", "15s in 15s")
				if e, ok := errors.AsType[*client.DialError](last.Err); !ok || e.Transport != client.WebSocket || !errors.Is(last.Err, cause) || last.WasConnected || last.Attempt != 3 {
					t.Errorf("Disconnected = %+v", last)
				}
				pass(time.Hour)
				if last.Delay != time.Minute {
					t.Errorf("the delay grows to %v, want a minute", last.Delay)
				}
			})
			bubble(t, func(t *testing.T) {
				f := &fake{onDial: func(context.Context, int) error { return cause }}
				c := newClient(t, f, func(cfg *client.Config) { cfg.Reconnect.FailFast = true })
				r := record(c)
				if err := c.Run(t.Context()); !errors.Is(err, cause) {
					t.Errorf("Run = %v", err)
				}
				r.expect(t, "FailFast", "0s initialized→connecting", "0s connecting→failed", "0s disconnected backoff final")
			})
		})
	}
}

// Covers T3, T6, T25.
func TestHandshakeIsBounded(t *testing.T) {
	for name, f := range map[string]*fake{
		"dial hangs":     {onDial: func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() }},
		"upgrade hangs":  {accepted: func(p *peer) { p.conn.vanish() }},
		"silent service": {hello: func(*peer) string { return "" }},
		// All run in bubbles.
		"slow service": {hello: func(p *peer) string { time.Sleep(15100 * time.Millisecond); return established(p) }},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c := newClient(t, f)
				r := record(c)
				c.Connect()
				pass(16 * time.Second)
				r.expect(t, name, "0s initialized→connecting", "10s connecting→unavailable", "15s disconnected backoff", "15s in 5s")
				if !errors.Is(c.Err(), client.ErrHandshakeTimeout) {
					t.Errorf("Err = %v, want ErrHandshakeTimeout", c.Err())
				}
			})
		})
	}
	bubble(t, func(t *testing.T) {
		f := &fake{hello: func(p *peer) string { time.Sleep(14900 * time.Millisecond); return established(p) }}
		c := newClient(t, f)
		connect(t, c)
		if f.count() != 1 {
			t.Errorf("%d dials", f.count())
		}
	})
}

// established is the first message that a service usually sends.
func established(p *peer) string {
	return fmt.Sprintf(`{"event":"pusher:connection_established","data":{"socket_id":%q,"activity_timeout":120}}`, p.id)
}

// Covers T5, 37.
func TestUpgradeIsRefused(t *testing.T) {
	for _, status := range []int{301, 400, 401, 403, 404, 407, 426, 429, 500, 503} {
		bubble(t, func(t *testing.T) {
			f := &fake{onUpgrade: func(int, *http.Request) *http.Response {
				h := http.Header{"Location": {"ws://elsewhere.test/"}}
				if status == 429 {
					h.Set("Retry-After", "30")
				}
				return &http.Response{StatusCode: status, Header: h}
			}}
			c := newClient(t, f)
			var lost []client.Disconnected
			client.On(c, func(_ context.Context, d client.Disconnected) { lost = append(lost, d) })
			c.Connect()
			settle()
			e, ok := errors.AsType[*client.DialError](lost[0].Err)
			want := 5 * time.Second
			if status == 429 {
				want = 30 * time.Second
			}
			if !ok || e.StatusCode != status || lost[0].Class != client.ClassBackoff || lost[0].Delay != want {
				t.Errorf("%d: %+v", status, lost[0])
			}
		})
	}
	bubble(t, func(t *testing.T) {
		f := &fake{onUpgrade: func(n int, r *http.Request) *http.Response {
			h := http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Accept": {"wrong"}}
			return &http.Response{StatusCode: 101, Header: h}
		}}
		c := newClient(t, f)
		c.Connect()
		settle()
		if !isType[*client.DialError](c.Err()) {
			t.Errorf("a wrong accept key is taken: %v", c.Err())
		}
	})
}

func isType[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}

// Covers T7, 14.
func TestFirstMessage(t *testing.T) {
	for hello, want := range map[string]string{
		"garbage": "backoff", "null": "backoff", "[]": "backoff",
		`{"event":"news","data":{}}`:                                                    "backoff",
		`{"event":"pusher:connection_established","data":"{}"}`:                         "backoff",
		`{"event":"pusher:connection_established","data":"{\"socket_id\":\"\"}"}`:       "backoff",
		`{"event":"pusher:connection_established","data":"x"}`:                          "backoff",
		`{"event":"pusher:error","data":{"code":4001,"message":"m"}}`:                   "fatal 4001 final",
		`{"event":"pusher:error","data":"{\"code\":4001,\"message\":\"m\"}"}`:           "fatal 4001 final",
		`{"event":"pusher:error","data":{"code":4100,"message":"m"}}`:                   "backoff 4100",
		`{"event":"pusher:error","data":{"code":4200,"message":"m"}}`:                   "immediate 4200",
		`{"event":"pusher:error","data":{"code":"4200","message":"m"}}`:                 "immediate 4200",
		`{"event":"pusher:error","data":{"code":null,"message":"m"}}`:                   "backoff",
		`{"event":"pusher:error","data":{"message":"m"}}`:                               "backoff",
		`{"event":"pusher:error"}`:                                                      "backoff",
		`{"event":"pusher:connection_established","data":{"socket_id":{"not":"text"}}}`: "backoff",
	} {
		bubble(t, func(t *testing.T) {
			f := &fake{hello: func(*peer) string { return hello }}
			c := newClient(t, f)
			r := record(c)
			c.Connect()
			settle()
			lines := strings.Split(r.take(), "\n")
			got := ""
			for _, line := range lines {
				if text, ok := strings.CutPrefix(line, "0s disconnected "); ok && got == "" {
					got = text
				}
				if strings.Contains(line, "connected→") || strings.Contains(line, "→connected") {
					t.Errorf("%s: %s", hello, line)
				}
			}
			if got != want {
				t.Errorf("%s: %q, want %q", hello, got, want)
			}
		})
	}
}

// Covers T8, 41.
func TestActivityTimeoutOfTheService(t *testing.T) {
	for data, want := range map[string]time.Duration{
		`{"socket_id":"1.1","activity_timeout":60}`:         60 * time.Second,
		`"{\"socket_id\":\"1.1\",\"activity_timeout\":60}"`: 60 * time.Second,
		`{"socket_id":"1.1","activity_timeout":600}`:        120 * time.Second,
		`{"socket_id":"1.1"}`:                               120 * time.Second,
		`{"socket_id":1.5}`:                                 120 * time.Second,
		`{"socket_id":"1.1","activity_timeout":0}`:          120 * time.Second,
		`{"socket_id":"1.1","activity_timeout":-1}`:         120 * time.Second,
		`{"socket_id":"1.1","activity_timeout":"x"}`:        120 * time.Second,
		`{"socket_id":"1.1","activity_timeout":0.5}`:        time.Second,
		`{"socket_id":"1.1","activity_timeout":2.5}`:        2500 * time.Millisecond,
	} {
		bubble(t, func(t *testing.T) {
			f := &fake{hello: func(*peer) string { return `{"event":"pusher:connection_established","data":` + data + `}` }}
			c := newClient(t, f)
			start := time.Now()
			connect(t, c)
			pass(130 * time.Second)
			pings := f.peer(t, 1).received("pusher:ping")
			if len(pings) == 0 || pings[0].at.Sub(start) != want || string(pings[0].Data) != "{}" {
				t.Errorf("%s: pings %v, want the first after %v", data, pings, want)
			}
		})
	}
}
