package client_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry/client"
)

// blocked refuses upgrades to WebSocket.
func blocked(int, *http.Request) *http.Response { return &http.Response{StatusCode: 404} }

// script has a client do a bit of everything and returns what it saw.
func script(t *testing.T, c *client.Client, p func() *peer) string {
	var lines []string
	note := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	c.BindAll(func(_ context.Context, e client.Event) { note("%s@%s %s", e.Name, e.Channel, e.Data) })
	news, room := subscribe(t, c, "news"), subscribe(t, c, "presence-x")
	client.On(c, func(_ context.Context, f client.Failure) { note("failure %v", f.Err) })
	connect(t, c)
	pass(time.Second)
	for i := range 20 {
		p().event("e", "news", fmt.Sprintf(`{"n":%d,"text":"é☕😀\n\"<>"}`, i))
	}
	p().send("garbage")
	p().event("pusher_internal:member_added", "presence-x", `{"user_id":"bob"}`)
	pass(time.Second)
	if err := room.Trigger(t.Context(), "client-x", map[string]int{"a": 1}); err != nil {
		t.Error(err)
	}
	news.Unsubscribe()
	pass(time.Second)
	for _, m := range p().received() {
		note("sent %s %s", m.Event, m.field("channel"))
	}
	note("%d members", room.Members().Len())
	return strings.Join(lines, "\n")
}

// Covers 99, T38.
func TestTransportsBehaveAlike(t *testing.T) {
	var want string
	bubble(t, func(t *testing.T) {
		f := &fake{}
		want = script(t, newClient(t, f, as("me")), func() *peer { return f.last(t) })
	})
	for _, list := range [][]client.Transport{{client.XHRStreaming}, {client.XHRPolling}, {client.WebSocket, client.XHRStreaming}, {client.WebSocket, client.XHRPolling}} {
		bubble(t, func(t *testing.T) {
			f := &fake{onUpgrade: blocked}
			h := startHTTP(t, f)
			c := newClient(t, f, as("me"), h.transports(list...))
			if got := script(t, c, func() *peer { return h.only(t).p }); got != want {
				t.Errorf("%v:\n%s\nwant\n%s", list, got, want)
			}
			q := h.receives[0].URL.Query()
			if q.Get("protocol") != "7" || q.Get("client") != "belfry-go" || !q.Has("t") || !q.Has("n") {
				t.Errorf("query %v", q)
			}
		})
	}
	bubble(t, func(t *testing.T) { // not listed, not tried
		f := &fake{onUpgrade: blocked}
		h := startHTTP(t, f)
		c := newClient(t, f, h.transports(client.WebSocket))
		c.Connect()
		pass(time.Hour)
		if len(h.receives) != 0 || c.State() != client.StateUnavailable {
			t.Errorf("%d HTTP requests, %v", len(h.receives), c.State())
		}
	})
}

// Covers T39.
func TestWhenFallbacksJoin(t *testing.T) {
	all := []client.Transport{client.WebSocket, client.XHRStreaming, client.XHRPolling}
	for name, test := range map[string]struct {
		f         *fake
		streaming bool // whether streaming gets through
		want      string
	}{
		"WebSocket works":           {&fake{}, true, "0s websocket"},
		"WebSocket hangs":           {&fake{hello: nil, onDial: hang}, true, "0s websocket, 2s xhr_streaming"},
		"WebSocket refused at once": {&fake{onUpgrade: blocked}, true, "0s websocket, 0s xhr_streaming"},
		"streaming is held back":    {&fake{onDial: hang}, false, "0s websocket, 2s xhr_streaming, 6s xhr_polling"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h := startHTTP(t, test.f)
				h.onReceive = func(_ int, w http.ResponseWriter, r *http.Request) bool {
					if strings.HasSuffix(r.URL.Path, "/xhr_streaming") && !test.streaming {
						w.WriteHeader(200)
						<-r.Context().Done()
						return true
					}
					return false
				}
				start := time.Now()
				var mu sync.Mutex
				var dials []string
				c := newClient(t, test.f, h.transports(all...), func(cfg *client.Config) {
					cfg.Trace = &client.Trace{DialStart: func(tr client.Transport, _ string) {
						mu.Lock()
						defer mu.Unlock()
						dials = append(dials, fmt.Sprintf("%v %s", time.Since(start), tr))
					}}
				})
				r := record(c)
				c.Connect()
				pass(20 * time.Second)
				if got := strings.Join(dials, ", "); got != test.want {
					t.Errorf("tried %s, want %s", got, test.want)
				}
				text := r.take()
				if c.State() != client.StateConnected || strings.Contains(text, "disconnected") {
					t.Errorf("%v: %s", c.State(), text)
				}
				if live := test.f.live(); name == "WebSocket works" && len(live) != 1 {
					t.Errorf("%d connections are open", len(live))
				}
			})
		})
	}
}

func hang(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() }

// TestStreamRotates sends far more than one answer holds.
func TestStreamRotates(t *testing.T) {
	for _, text := range []string{"x", "é", "☕", "😀"} {
		bubble(t, func(t *testing.T) {
			f := &fake{}
			h := startHTTP(t, f)
			c := newClient(t, f, h.transports(client.XHRStreaming))
			subscribe(t, c, "news")
			n, size := 0, 0
			c.Bind("e", func(_ context.Context, e client.Event) {
				if want := fmt.Sprint(n, strings.Repeat(text, 500)); e.Data != want {
					t.Errorf("event %d is %.20q", n, e.Data)
				}
				n++
				size += len(e.Data)
			})
			connect(t, c)
			for i := range 1500 {
				h.only(t).p.event("e", "news", fmt.Sprint(i, strings.Repeat(text, 500)))
			}
			pass(time.Second)
			if n != 1500 || len(h.receives) < 3 || c.Stats().Connects != 1 {
				t.Errorf("%q: %d of 1500 events in %d requests on %d connections", text, n, len(h.receives), c.Stats().Connects)
			}
		})
	}
}

// Covers T40.
func TestHTTPSessionFails(t *testing.T) {
	for _, transport := range []client.Transport{client.XHRStreaming, client.XHRPolling} {
		for name, test := range map[string]struct {
			fail func(h *httpFake, s *httpSession)
			want string
		}{
			"closed with 4200": {func(_ *httpFake, s *httpSession) { s.line(`c[4200,"Please reconnect"]`) }, "immediate 4200"},
			"closed with 4001": {func(_ *httpFake, s *httpSession) { s.line(`c[4001,"No"]`) }, "fatal 4001 final"},
			"closed, no code":  {func(_ *httpFake, s *httpSession) { s.line(`c`) }, "unknown 1005"},
			"session lost":     {func(_ *httpFake, s *httpSession) { s.line("o") }, "immediate"},
			"no list":          {func(_ *httpFake, s *httpSession) { s.line("a{") }, "backoff"},
			"sends are lost": {func(h *httpFake, s *httpSession) {
				h.f.set(func() {
					h.onSend = func(w http.ResponseWriter, r *http.Request) bool { http.NotFound(w, r); return true }
				})
				s.p.event("pusher:ping", "", "{}")
				pass(time.Second)
			}, "immediate"},
		} {
			t.Run(fmt.Sprint(transport, " ", name), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					f := &fake{}
					h := startHTTP(t, f)
					c := newClient(t, f, h.transports(transport))
					r := record(c)
					connect(t, c)
					pass(time.Second)
					r.take()
					test.fail(h, h.only(t))
					got := r.take()
					if !strings.Contains(got, "disconnected "+test.want) {
						t.Errorf("%s, want %s", got, test.want)
					}
				})
			})
		}
	}
	for name, answer := range map[string]func(w http.ResponseWriter){
		"cut":         func(w http.ResponseWriter) { fmt.Fprint(w, "a[\"half"); panic(http.ErrAbortHandler) },
		"404":         func(w http.ResponseWriter) { w.WriteHeader(404) },
		"stream ends": func(w http.ResponseWriter) { fmt.Fprint(w, "a[]\n") },
	} {
		bubble(t, func(t *testing.T) {
			f := &fake{}
			h := startHTTP(t, f)
			h.hold = 10 // the client is made to ask again
			c := newClient(t, f, h.transports(client.XHRStreaming))
			h.onReceive = func(n int, w http.ResponseWriter, _ *http.Request) bool {
				if n == 2 {
					answer(w)
				}
				return n == 2
			}
			h.hold = 256 << 10
			r := record(c)
			connect(t, c)
			r.take()
			for range 300 {
				h.only(t).p.event("e", "c", strings.Repeat("x", 1000))
			}
			got := r.take()
			if !strings.Contains(got, "connected→connecting\n0s disconnected immediate") {
				t.Errorf("%s: %s", name, got)
			}
		})
	}
}

func TestHTTPHeartbeats(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		h := startHTTP(t, f)
		c := newClient(t, f, h.transports(client.XHRStreaming))
		connect(t, c)
		s := h.only(t)
		s.line("h")
		s.line("hhhhhh")
		settle()
		if len(h.sends) == 0 || len(h.sends[0]) != 0 {
			t.Errorf("a heartbeat is answered with %v", h.sends)
		}
		before := len(h.sends)
		for range 10 {
			pass(100 * time.Second)
			s.line("a[]")
		}
		if len(h.sends) != before || c.Stats().Connects != 1 {
			t.Errorf("%d sends on %d connections while there is activity", len(h.sends)-before, c.Stats().Connects)
		}
		pass(121 * time.Second)
		if got := h.sends[before:]; len(got) != 1 || len(got[0]) != 0 {
			t.Errorf("silence is answered with %v, want an empty list", got)
		}
	})
	bubble(t, func(t *testing.T) { // nobody is there any more
		f := &fake{}
		h := startHTTP(t, f)
		h.onSend = func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(204); return true }
		c := newClient(t, f, h.transports(client.XHRPolling))
		r := record(c)
		connect(t, c)
		r.take()
		pass(151 * time.Second)
		r.expect(t, "dead session", "2m30s connected→connecting", "2m30s disconnected immediate", "2m30s connecting→connected")
	})
}

// TestReasonOfTheServiceWinsOverALostSend has a session end while something is
// sent to it.
func TestReasonOfTheServiceWinsOverALostSend(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		h := startHTTP(t, f)
		h.onSend = func(w http.ResponseWriter, r *http.Request) bool { http.NotFound(w, r); return true }
		c := newClient(t, f, h.transports(client.XHRPolling))
		r := record(c)
		connect(t, c)
		r.take()
		subscribe(t, c, "news")
		pass(500 * time.Millisecond)
		h.only(t).line(`c[4009,"You got disconnected by the app."]`)
		r.expect(t, "closed", "500ms connected→failed", "500ms disconnected fatal 4009 final")
	})
}

// TestEmptyPollsAreNoLoop has a service that answers every poll at once.
func TestEmptyPollsAreNoLoop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		h := startHTTP(t, f)
		h.onReceive = func(n int, w http.ResponseWriter, _ *http.Request) bool { return n > 2 }
		c := newClient(t, f, h.transports(client.XHRPolling))
		connect(t, c)
		pass(20 * time.Second)
		if len(h.receives) > 25 || c.Stats().Connects != 1 {
			t.Errorf("%d polls in 20 s on %d connections", len(h.receives), c.Stats().Connects)
		}
	})
}

func TestHostOfASessionIsKept(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		h := startHTTP(t, f)
		h.opening = `o{"hostname":"http3.test"}`
		c := newClient(t, f, h.transports(client.XHRPolling))
		subscribe(t, c, "news")
		connect(t, c)
		h.only(t).p.event("e", "news", "x")
		settle()
		for i, r := range h.receives {
			want := "http3.test:80"
			if i == 0 {
				want = "http.test:80"
			}
			if r.Host != want {
				t.Errorf("request %d goes to %s, want %s", i, r.Host, want)
			}
		}
		if len(h.receives) < 3 {
			t.Errorf("%d requests", len(h.receives))
		}
	})
}

// TestStreamingThatKeepsDying is left alone until Connect.
func TestStreamingThatKeepsDying(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{onUpgrade: blocked}
		h := startHTTP(t, f)
		var used []client.Transport
		c := newClient(t, f, h.transports(client.XHRStreaming, client.XHRPolling), func(cfg *client.Config) {
			cfg.Trace = &client.Trace{DialStart: func(tr client.Transport, _ string) { used = append(used, tr) }}
			cfg.Reconnect.StableAfter = time.Millisecond
		})
		connect(t, c)
		for range 4 {
			pass(time.Second)
			f.last(t).say("x")
			h.mu.Lock()
			for name, s := range h.sessions {
				s.line("o")
				delete(h.sessions, name)
			}
			h.mu.Unlock()
			pass(time.Second)
		}
		if fmt.Sprint(used) != "[xhr_streaming xhr_streaming xhr_polling xhr_polling xhr_polling]" {
			t.Errorf("tried %v", used)
		}
		c.Disconnect()
		connect(t, c)
		if last := used[len(used)-1]; last != client.XHRStreaming {
			t.Errorf("after Connect: %v", last)
		}
	})
}

func TestManyEventsAreSentTogether(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		h := startHTTP(t, f)
		c := newClient(t, f, h.transports(client.XHRPolling))
		for i := range 500 {
			subscribe(t, c, fmt.Sprintf("c%03d", i))
		}
		connect(t, c)
		pass(time.Second)
		sent := h.only(t).p.received("pusher:subscribe")
		if len(h.sends) > 20 || len(sent) != 500 {
			t.Errorf("%d requests for %d events", len(h.sends), len(sent))
		}
		for i, m := range sent {
			if want := fmt.Sprintf("c%03d", i); m.field("channel") != want {
				t.Fatalf("event %d is for %s", i, m.field("channel"))
			}
		}
	})
}
