package client_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/belfryhq/belfry/client"
)

// Covers 15, 16.
func TestStatesAndSocketID(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f)
		var changes []client.StateChange
		client.On(c, func(_ context.Context, s client.StateChange) { changes = append(changes, s) })
		for range 3 {
			connect(t, c)
			if got, want := c.SocketID(), f.last(t).id; got != want {
				t.Errorf("SocketID = %q, want %q", got, want)
			}
			f.last(t).close(4100, "")
			settle()
			if c.SocketID() != "" || c.State() != client.StateConnecting {
				t.Errorf("without a connection: %v, socket %q", c.State(), c.SocketID())
			}
		}
		c.Disconnect()
		settle()
		for i, s := range changes {
			if s.Previous == s.Current || i > 0 && changes[i-1].Current != s.Previous {
				t.Errorf("change %d: %v→%v after %v", i, s.Previous, s.Current, changes[max(i-1, 0)].Current)
			}
			if (s.SocketID != "") != (s.Current == client.StateConnected) {
				t.Errorf("change to %v has socket %q", s.Current, s.SocketID)
			}
			if s.Previous == client.StateConnected && s.Current == client.StateConnecting && s.Err == nil {
				t.Errorf("change %v→%v does not say why", s.Previous, s.Current)
			}
		}
		if len(changes) < 8 {
			t.Errorf("%d changes", len(changes))
		}
	})
}

// Covers 21.
func TestAwaitConnected(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{hello: func(p *peer) string { time.Sleep(time.Second); return established(p) }}
		c := newClient(t, f)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := c.AwaitConnected(ctx); !errors.Is(err, context.DeadlineExceeded) || f.count() != 0 {
			t.Errorf("AwaitConnected of an idle client = %v after %d dials", err, f.count())
		}
		c.Connect()
		if err := c.AwaitConnected(t.Context()); err != nil || c.State() != client.StateConnected {
			t.Errorf("AwaitConnected = %v in state %v", err, c.State())
		}
		if err := c.AwaitConnected(ctx); err != nil {
			t.Errorf("AwaitConnected when connected = %v", err)
		}
		f.set(func() {
			f.hello = func(p *peer) string { p.close(4004, "Application is over connection quota"); return "" }
		})
		f.last(t).conn.reset()
		settle()
		var lost *client.CloseError
		if err := c.AwaitConnected(t.Context()); !errors.As(err, &lost) || lost.Code != 4004 {
			t.Errorf("AwaitConnected of a refused client = %v", err)
		}
	})
}

// Covers 42, T21.
func TestPingAfterSilence(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f)
		connect(t, c)
		start := time.Now()
		for range 26 { // what is sent is no activity
			pass(10 * time.Second)
			if err := c.Send(t.Context(), "client-x", 1, "private-x"); err != nil {
				t.Fatal(err)
			}
		}
		settle()
		pings := f.peer(t, 1).received("pusher:ping")
		if len(pings) != 2 || pings[0].at.Sub(start) != 120*time.Second || pings[1].at.Sub(start) != 240*time.Second {
			t.Errorf("pings %v", pings)
		}
		if c.Stats().Disconnects != 0 {
			t.Error("the connection was lost")
		}
	})
}

// Covers 43, T22.
func TestAnythingIsAnAnswerToAPing(t *testing.T) {
	for name, answer := range map[string]func(p *peer){
		"pong":       func(p *peer) { p.send(`{"event":"pusher:pong"}`) },
		"event":      func(p *peer) { p.event("e", "c", "x") },
		"garbage":    func(p *peer) { p.send("garbage") },
		"ping frame": func(p *peer) { p.frame(ws.OpPing, nil) },
		"pong frame": func(p *peer) { p.frame(ws.OpPong, nil) },
		"ping event": func(p *peer) { p.send(`{"event":"pusher:ping","data":{}}`) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := &fake{onMessage: func(p *peer, m message) bool { return m.Event == "pusher:ping" }}
				c := newClient(t, f)
				connect(t, c)
				for range 5 {
					pass(120*time.Second + 20*time.Second)
					answer(f.peer(t, 1))
				}
				if got := len(f.peer(t, 1).received("pusher:ping")); got != 5 || f.count() != 1 {
					t.Errorf("%d pings, %d connections", got, f.count())
				}
			})
		})
	}
}

// Covers 44, 47, T17, T18, T19.
func TestHalfOpenConnection(t *testing.T) {
	for name, break_ := range map[string]func(f *fake, p *peer){
		"both ways":         func(_ *fake, p *peer) { p.conn.vanish() },
		"peer is silent":    func(_ *fake, p *peer) { p.f.set(func() { p.f.silent = true }) },
		"kernel buffers it": func(_ *fake, p *peer) { p.conn.out.update(func() { p.conn.out.blackhole = true }) },
	} {
		for _, mode := range []client.PingMode{client.PingEvent, client.PingFrame} {
			t.Run(fmt.Sprint(name, mode), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					f := &fake{}
					c := newClient(t, f, func(cfg *client.Config) { cfg.Ping = mode })
					r := record(c)
					connect(t, c)
					r.take()
					p := f.peer(t, 1)
					break_(f, p)
					pass(149 * time.Second)
					if err := c.Send(t.Context(), "client-x", 1, "private-x"); err != nil {
						t.Errorf("Send before the cut = %v", err)
					}
					pass(time.Second)
					r.expect(t, name, "2m30s connected→connecting", "2m30s disconnected immediate", "2m30s connecting→connected")
					if len(p.closing) != 0 || !p.ended() {
						t.Errorf("Close frames %v, ended %t", p.closing, p.ended())
					}
				})
			})
		}
	}
	bubble(t, func(t *testing.T) {
		f := &fake{onMessage: func(*peer, message) bool { return true }}
		c := newClient(t, f, func(cfg *client.Config) { cfg.Reconnect = client.NoReconnect() })
		connect(t, c)
		pass(time.Hour)
		if !errors.Is(c.Err(), client.ErrPongTimeout) {
			t.Errorf("Err = %v, want ErrPongTimeout", c.Err())
		}
		if err := c.Send(t.Context(), "client-x", 1, ""); !errors.Is(err, client.ErrNotConnected) {
			t.Errorf("Send after the cut = %v", err)
		}
	})
}

// TestServiceThatIgnoresPings and sends something else is not cut off.
func TestServiceThatIgnoresPings(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{onMessage: func(*peer, message) bool { return true }}
		c := newClient(t, f)
		connect(t, c)
		for range 20 {
			pass(140 * time.Second)
			f.peer(t, 1).event("e", "c", "x")
		}
		if f.count() != 1 {
			t.Errorf("%d connections", f.count())
		}
	})
}

// Covers T20.
func TestServiceThatPings(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f)
		connect(t, c)
		for range 60 {
			pass(time.Minute)
			f.peer(t, 1).frame(ws.OpPing, []byte("x"))
		}
		settle()
		p := f.peer(t, 1)
		if p.pongs != 60 || len(p.received("pusher:ping")) != 0 || f.count() != 1 {
			t.Errorf("%d pongs, %d pings, %d connections", p.pongs, len(p.received("pusher:ping")), f.count())
		}
	})
}

// Covers 45.
func TestPingsAreAnsweredWhileAFunctionIsBlocked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f)
		release := make(chan struct{})
		var seen []string
		c.BindAll(func(_ context.Context, e client.Event) { seen = append(seen, e.Name); <-release })
		connect(t, c)
		p := f.peer(t, 1)
		p.event("blocks", "c", "x")
		settle()
		p.send(`{"event":"pusher:ping","data":{}}`)
		p.frame(ws.OpPing, []byte("x"))
		p.send(`{"event":"pusher:pong","data":{}}`)
		settle()
		if pongs := p.received("pusher:pong"); len(pongs) != 1 || string(pongs[0].Data) != "{}" || p.pongs != 1 {
			t.Errorf("pong events %v, %d pong frames", pongs, p.pongs)
		}
		close(release)
		settle()
		if strings.Join(seen, " ") != "blocks" {
			t.Errorf("functions got %v", seen)
		}
	})
}

// Covers 46, T23.
func TestNotifyOffline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f)
		r := record(c)
		c.NotifyOffline()
		connect(t, c)
		r.take()
		pass(5 * time.Second)
		c.NotifyOffline()
		c.NotifyOffline()
		settle()
		if got := len(f.peer(t, 1).received("pusher:ping")); got != 1 {
			t.Errorf("%d pings, want one at once", got)
		}
		pass(time.Minute)
		r.expect(t, "live link")
		f.peer(t, 1).conn.vanish()
		c.NotifyOffline()
		pass(30 * time.Second)
		r.expect(t, "dead link", "1m35s connected→connecting", "1m35s disconnected immediate", "1m35s connecting→connected")
	})
}

// Covers T26.
func TestSlowBytesAreActivity(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f)
		got := ""
		c.Bind("e", func(_ context.Context, e client.Event) { got = e.Data })
		connect(t, c)
		p := f.peer(t, 1)
		text := `{"event":"e","channel":"c","data":"` + strings.Repeat("x", 100) + `"}`
		frame := append([]byte{0x81, 126, byte(len(text) >> 8), byte(len(text))}, text...)
		for i := range frame {
			pass(2 * time.Second)
			p.conn.Write(frame[i : i+1])
		}
		settle()
		if got != strings.Repeat("x", 100) || len(p.received("pusher:ping")) != 0 || f.count() != 1 {
			t.Errorf("got %q, %d pings, %d connections", got, len(p.received("pusher:ping")), f.count())
		}
	})
}

// Covers T27.
func TestServerThatDoesNotRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		stall, release := false, make(chan struct{})
		defer close(release)
		f.onMessage = func(p *peer, m message) bool {
			if m.Event == "client-stall" {
				stall = true
				p.conn.in.update(func() { p.conn.in.room = 1 })
				<-release // it reads no more
			}
			return false
		}
		c := newClient(t, f, func(cfg *client.Config) { cfg.SendQueue = 4 })
		r := record(c)
		connect(t, c)
		r.take()
		if err := c.Send(t.Context(), "client-stall", 1, "private-x"); err != nil {
			t.Fatal(err)
		}
		settle()
		if !stall {
			t.Fatal("the server reads")
		}
		errs := make(chan error, 10)
		for range 10 {
			go func() {
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				errs <- c.Send(ctx, "client-x", strings.Repeat("x", 1000), "private-x")
			}()
		}
		pass(3 * time.Second)
		for range 10 {
			if err := <-errs; !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Send = %v, want its deadline", err)
			}
		}
		pass(7 * time.Second)
		r.expect(t, "WriteTimeout", "10s connected→connecting", "10s disconnected immediate", "10s connecting→connected")
	})
}

// Covers T32.
func TestSuspend(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f)
		connect(t, c)
		f.peer(t, 1).conn.vanish()
		pass(2 * time.Hour)
		settle()
		if f.count() != 2 || c.State() != client.StateConnected {
			t.Errorf("%d connections, state %v; want one cut and one reconnect", f.count(), c.State())
		}
	})
}

// Covers 40.
func TestOldConnectionIsIgnored(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f)
		ch, err := c.Subscribe("news")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		ch.Bind("e", func(_ context.Context, e client.Event) { got = append(got, e.Data) })
		r := record(c)
		connect(t, c)
		old := f.peer(t, 1)
		r.take()
		c.Disconnect()
		c.Connect()
		old.event("e", "news", "old")
		old.event("pusher_internal:subscription_succeeded", "news", "{}")
		old.send(`{"event":"pusher:error","data":{"code":null,"message":"old"}}`)
		old.close(4001, "old")
		pass(10 * time.Second)
		r.expect(t, "with the old connection", "0s connected→disconnected", "0s disconnected caller final",
			"0s disconnected→connecting", "0s connecting→connected")
		if len(got) != 0 || c.State() != client.StateConnected {
			t.Errorf("got %q, state %v", got, c.State())
		}
	})
}

// Covers T28.
func TestFramingDoesNotMatter(t *testing.T) {
	var want []string
	for _, chunk := range []int{0, 1, 2, 7} {
		bubble(t, func(t *testing.T) {
			f := &fake{accepted: func(p *peer) { p.conn.out.update(func() { p.conn.out.chunk = chunk }) }}
			c := newClient(t, f)
			var got []string
			c.BindAll(func(_ context.Context, e client.Event) { got = append(got, e.Name+e.Data) })
			connect(t, c)
			p := f.peer(t, 1)
			p.event("one", "c", "é☕")
			fragments := func(parts ...string) {
				for i, part := range parts {
					op := ws.OpContinuation
					if i == 0 {
						op = ws.OpText
					}
					ws.WriteFrame(p.conn, ws.NewFrame(op, i == len(parts)-1, []byte(part)))
					ws.WriteFrame(p.conn, ws.NewFrame(ws.OpPing, true, nil))
				}
			}
			fragments(`{"event":"tw`, `o","data":"x\u00`, "", `e9"}`)
			for i := range 100 {
				p.event(fmt.Sprintf("many%d", i), "c", strings.Repeat("y", i*10))
			}
			settle()
			if want == nil {
				want = got
			}
			if len(got) != 102 || strings.Join(got, "|") != strings.Join(want, "|") {
				t.Errorf("reading %d bytes at a time: %d events, other than otherwise", chunk, len(got))
			}
		})
	}
}

// Covers T29, 86.
func TestMessagesThatAreNoEvents(t *testing.T) {
	deep := strings.Repeat("[", 100) + strings.Repeat("]", 100)
	for name, test := range map[string]struct {
		send  func(p *peer)
		code  int // of the Close frame; 0: the connection stays
		lines int // of failures
	}{
		"garbage":           {func(p *peer) { p.send("garbage") }, 0, 1},
		"no object":         {func(p *peer) { p.send(`[1]`) }, 0, 1},
		"no event":          {func(p *peer) { p.send(`{"data":1}`) }, 0, 1},
		"event no text":     {func(p *peer) { p.send(`{"event":1}`) }, 0, 1},
		"deep":              {func(p *peer) { p.send(`{"event":"e","data":` + deep + `}`) }, 0, 1},
		"deep in text":      {func(p *peer) { p.event("e", "c", deep) }, 0, 0},
		"binary":            {func(p *peer) { p.frame(ws.OpBinary, []byte{1}) }, 0, 1},
		"twice established": {func(p *peer) { p.send(established(p)) }, 0, 1},
		"error":             {func(p *peer) { p.send(`{"event":"pusher:error","data":{"code":4004,"message":"m"}}`) }, 0, 1},
		"rate limit":        {func(p *peer) { p.send(`{"event":"pusher:error","data":{"code":4301,"message":"m"}}`) }, 0, 1},
		"too long":          {func(p *peer) { p.event("e", "c", strings.Repeat("x", 2000)) }, 1009, 0},
		"too long in all": {func(p *peer) {
			ws.WriteFrame(p.conn, ws.NewFrame(ws.OpText, false, make([]byte, 600)))
			ws.WriteFrame(p.conn, ws.NewFrame(ws.OpContinuation, false, make([]byte, 600)))
		}, 1009, 0},
		"announced":     {func(p *peer) { p.conn.Write([]byte{0x81, 127, 0, 1, 0, 0, 0, 0, 0, 0}) }, 1009, 0},
		"not UTF-8":     {func(p *peer) { p.frame(ws.OpText, []byte("\"\xff\"")) }, 1007, 0},
		"masked":        {func(p *peer) { p.conn.Write([]byte{0x81, 0x81, 0, 0, 0, 0, 'x'}) }, 1002, 0},
		"reserved bits": {func(p *peer) { p.conn.Write([]byte{0xc1, 1, 'x'}) }, 1002, 0},
		"continuation":  {func(p *peer) { p.conn.Write([]byte{0x80, 1, 'x'}) }, 1002, 0},
		"long control":  {func(p *peer) { p.conn.Write([]byte{0x89, 126, 0, 200}) }, 1002, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := &fake{}
				c := newClient(t, f, func(cfg *client.Config) { cfg.MaxMessageSize = 1000 })
				failures := 0
				client.On(c, func(context.Context, client.Failure) { failures++ })
				r := record(c)
				connect(t, c)
				r.take()
				p := f.peer(t, 1)
				test.send(p)
				settle()
				if failures != test.lines {
					t.Errorf("%d failures, want %d: %s", failures, test.lines, r.take())
				}
				if test.code == 0 {
					if f.count() != 1 || c.State() != client.StateConnected {
						t.Errorf("the connection was lost")
					}
					return
				}
				r.expect(t, name, "0s connected→connecting", "0s disconnected backoff", "0s in 5s")
				if len(p.closing) != 1 || p.closing[0] != test.code {
					t.Errorf("Close frames %v, want %d", p.closing, test.code)
				}
			})
		})
	}
}
