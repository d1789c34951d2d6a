package client_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/belfryhq/belfry/client"
)

// classes are what close codes ask for: the delays of the first two retries.
var classes = map[client.CloseClass]struct{ first, second time.Duration }{
	client.ClassImmediate: {0, 10 * time.Second},
	client.ClassBackoff:   {5 * time.Second, 10 * time.Second},
	client.ClassUnknown:   {5 * time.Second, 5 * time.Second},
}

// closeCodes are all codes of the fault plan. 0 is a Close frame without one.
var closeCodes = map[int]client.CloseClass{
	1000: client.ClassUnknown, 1001: client.ClassUnknown, 1002: client.ClassUnknown, 1003: client.ClassUnknown,
	0: client.ClassUnknown, 1007: client.ClassUnknown, 1008: client.ClassUnknown, 1009: client.ClassUnknown,
	1011: client.ClassUnknown, 1012: client.ClassUnknown, 1013: client.ClassUnknown,
	3000: client.ClassUnknown, 3999: client.ClassUnknown,
	4000: client.ClassFatal, 4001: client.ClassFatal, 4002: client.ClassFatal, 4003: client.ClassFatal, 4004: client.ClassFatal,
	4005: client.ClassFatal, 4006: client.ClassFatal, 4007: client.ClassFatal, 4008: client.ClassFatal, 4009: client.ClassFatal, 4099: client.ClassFatal,
	4100: client.ClassBackoff, 4199: client.ClassBackoff,
	4200: client.ClassImmediate, 4201: client.ClassImmediate, 4202: client.ClassImmediate, 4299: client.ClassImmediate,
	4300: client.ClassUnknown, 4301: client.ClassUnknown, 4999: client.ClassUnknown,
}

// Covers 27.
func TestClassifyClose(t *testing.T) {
	for code, want := range closeCodes {
		if got := client.ClassifyClose(code); got != want {
			t.Errorf("ClassifyClose(%d) = %v, want %v", code, got, want)
		}
	}
	if client.ClassifyClose(400) != client.ClassUnknown || client.ClassifyClose(1006) != client.ClassImmediate {
		t.Error("400 or 1006 is of another class")
	}
}

// Covers 19, 22, 23, 24, 26, 35, T9.
func TestEveryCloseCode(t *testing.T) {
	reason := strings.Repeat("é", 61) + "x" // 123 bytes
	for code, class := range closeCodes {
		for _, handshake := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d, in the handshake %t", code, handshake), func(t *testing.T) {
				bubble(t, func(t *testing.T) { closeWith(t, code, class, handshake, reason) })
			})
		}
	}
}

// closeWith has the service close connections with a code and checks what the
// client makes of it.
func closeWith(t *testing.T, code int, class client.CloseClass, handshake bool, reason string) {
	f := &fake{}
	if handshake {
		f.hello = func(p *peer) string { p.close(code, reason); return "" }
	}
	c := newClient(t, f, func(cfg *client.Config) {
		cfg.Endpoint.Port = 6001 // TLS is not tried
		cfg.Reconnect.StableAfter = time.Hour
	})
	var lost []client.Disconnected
	var waits []time.Duration
	client.On(c, func(_ context.Context, d client.Disconnected) { lost = append(lost, d) })
	client.On(c, func(_ context.Context, w client.ConnectingIn) { waits = append(waits, w.Delay) })
	c.Connect()
	settle()
	if !handshake {
		f.peer(t, 1).close(code, reason)
		settle()
	}
	if len(lost) == 0 {
		t.Fatal("nothing was told")
	}
	d := lost[0]
	wantCode, wantReason := code, reason
	if code == 0 {
		wantCode, wantReason = 1005, ""
	}
	e, ok := errors.AsType[*client.CloseError](d.Err)
	if !ok || e.Code != wantCode || d.Code != wantCode || d.Reason != wantReason || d.Class != class || e.Class() != class || d.WasConnected == handshake || d.Attempt != 1 {
		t.Fatalf("Disconnected = %+v", d)
	}
	if class == client.ClassFatal {
		pass(time.Hour)
		if d.WillRetry || c.State() != client.StateFailed || f.count() != 1 || !errors.Is(c.Err(), d.Err) || len(lost) != 1 || len(waits) != 0 {
			t.Errorf("state %v after %d dials, %v, %d waits", c.State(), f.count(), c.Err(), len(waits))
		}
		return
	}
	want := classes[class]
	if !d.WillRetry || d.Delay != want.first || want.first > 0 && (len(waits) != 1 || waits[0] != want.first) {
		t.Errorf("first retry: %+v, waits %v; want %v", d, waits, want.first)
	}
	pass(want.first)
	settle()
	if !handshake {
		f.last(t).close(code, reason)
		settle()
	}
	if d = lost[1]; d.Delay != want.second || waits[len(waits)-1] != want.second || len(lost) != 2 || d.Attempt != 2 {
		t.Errorf("second retry: %+v, waits %v; want %v", d, waits, want.second)
	}
}

// Covers T10.
func TestCloseFrameIsTheEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f)
		connect(t, c)
		p := f.peer(t, 1)
		p.close(4200, "") // and the socket stays open
		settle()
		if c.SocketID() != "2.2" || p.ended() && len(p.closing) != 1 {
			t.Errorf("socket %q", c.SocketID())
		}
		if len(p.closing) != 1 || p.closing[0] != 4200 {
			t.Errorf("the Close frame was answered with %v", p.closing)
		}
	})
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f)
		connect(t, c)
		p := f.peer(t, 1)
		p.close(4200, "")
		p.conn.in.update(func() { p.conn.in.blackhole = true }) // the answer does not arrive
		pass(999 * time.Millisecond)
		if p.ended() {
			t.Error("the socket was cut before CloseTimeout")
		}
		pass(2 * time.Millisecond)
		settle()
		if !p.ended() {
			t.Error("the socket was not cut after CloseTimeout")
		}
	})
}

// Covers T11, 25.
func TestBrokenConnection(t *testing.T) {
	for name, cut := range map[string]func(p *peer){
		"FIN":              func(p *peer) { p.conn.Close() },
		"RST":              func(p *peer) { p.conn.reset() },
		"RST in a message": func(p *peer) { p.conn.Write([]byte{0x81, 20, '{'}); settle(); p.conn.reset() },
		"FIN in a message": func(p *peer) { p.conn.Write([]byte{0x81, 20, '{'}); p.conn.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := &fake{}
				c := newClient(t, f)
				r := record(c)
				connect(t, c)
				r.take()
				cut(f.peer(t, 1))
				r.expect(t, name, "0s connected→connecting", "0s disconnected immediate", "0s connecting→connected")
			})
		})
	}
}

// Covers 17, 20, 28, T12.
func TestServerThatAlwaysSaysReconnectIsNotHammered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		f.hello = func(p *peer) string {
			go func() { time.Sleep(100 * time.Millisecond); p.close(4200, "") }()
			return established(p)
		}
		c := newClient(t, f)
		r := record(c)
		c.Connect()
		pass(26 * time.Second)
		r.expect(t, "26 s",
			"0s initialized→connecting", "0s connecting→connected",
			"100ms connected→connecting", "100ms disconnected immediate 4200", "100ms connecting→connected",
			"200ms connected→connecting", "200ms disconnected immediate 4200", "200ms in 10s",
			"10.2s connecting→unavailable", "10.2s unavailable→connected",
			"10.3s connected→connecting", "10.3s disconnected immediate 4200", "10.3s in 15s",
			"20.3s connecting→unavailable", "25.3s unavailable→connected", "25.4s connected→connecting", "25.4s disconnected immediate 4200", "25.4s in 20s")
	})
}

// Covers 18, T13.
func TestUnavailableThoughTheServiceAnswers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		refuse := true
		f := &fake{hello: func(p *peer) string {
			if refuse {
				p.close(4100, "Over capacity")
				return ""
			}
			return established(p)
		}}
		c := newClient(t, f)
		r := record(c)
		c.Connect()
		pass(29 * time.Second)
		f.set(func() { refuse = false })
		pass(2 * time.Second)
		r.expect(t, "31 s", "0s initialized→connecting", "0s disconnected backoff 4100", "0s in 5s",
			"5s disconnected backoff 4100", "5s in 10s", "10s connecting→unavailable", "15s disconnected backoff 4100", "15s in 15s", "30s unavailable→connected")
	})
}

// Covers T14.
func TestCrashLoop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{hello: func(p *peer) string { defer p.close(1011, ""); p.send(established(p)); return "" }}
		c := newClient(t, f)
		c.Connect()
		pass(time.Minute)
		for i, at := range f.times[1:] {
			if got := at.Sub(f.times[i]); got != 5*time.Second {
				t.Errorf("dial %d came %v after the one before", i+2, got)
			}
		}
	})
}

// Covers 31, T15.
func TestMaxAttempts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{onDial: func(context.Context, int) error { return syscall.ECONNREFUSED }}
		c := newClient(t, f, func(cfg *client.Config) { cfg.Reconnect.MaxAttempts = 3 })
		for range 2 { // Connect starts anew
			before := f.count()
			if err := c.Run(t.Context()); !errors.Is(err, client.ErrMaxAttempts) || !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("Run = %v, want ErrMaxAttempts and the cause", err)
			}
			if got := f.count() - before; got != 4 || c.State() != client.StateFailed {
				t.Errorf("%d dials, state %v; want 4, failed", got, c.State())
			}
		}
	})
}

// Covers 29, T16.
func TestStableConnectionForgetsFailures(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{onDial: func(_ context.Context, n int) error {
			if n <= 3 {
				return syscall.ECONNREFUSED
			}
			return nil
		}}
		c := newClient(t, f)
		connect(t, c)
		r := record(c)
		pass(9900 * time.Millisecond)
		f.last(t).conn.reset()
		r.expect(t, "cut before it is stable", "9.9s connected→connecting", "9.9s disconnected immediate", "9.9s in 20s")
		connect(t, c)
		r.take()
		pass(10 * time.Second)
		f.last(t).conn.reset()
		r.expect(t, "cut when it is stable", "39.9s connected→connecting", "39.9s disconnected immediate", "39.9s connecting→connected")
	})
}

// Covers 33.
func TestJitterOnlyShortens(t *testing.T) {
	for range 20 {
		bubble(t, func(t *testing.T) {
			f := &fake{onDial: func(context.Context, int) error { return syscall.ECONNREFUSED }}
			c := newClient(t, f, func(cfg *client.Config) { cfg.Reconnect.Jitter = 0 })
			var delays []time.Duration
			client.On(c, func(_ context.Context, w client.ConnectingIn) { delays = append(delays, w.Delay) })
			c.Connect()
			pass(time.Minute)
			for i, d := range delays {
				if full := 5 * time.Second * time.Duration(i+1); d > full || d < full*8/10 {
					t.Errorf("delay %d is %v, want up to a fifth below %v", i+1, d, full)
				}
			}
		})
	}
	bubble(t, func(t *testing.T) {
		f := &fake{onDial: func(context.Context, int) error { return syscall.ECONNREFUSED }}
		c := newClient(t, f, func(cfg *client.Config) {
			cfg.Reconnect = client.ReconnectPolicy{Delay: time.Millisecond, Constant: true, Jitter: 1}
		})
		c.Connect()
		pass(10 * time.Second)
		if f.count() > 11 {
			t.Errorf("%d dials in 10 s: a delay is below a second", f.count())
		}
	})
}

// Covers 34.
func TestDecide(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		var seen []client.Disconnected
		c := newClient(t, f, func(cfg *client.Config) {
			cfg.Reconnect.Decide = func(d client.Disconnected, proposed time.Duration) (time.Duration, bool) {
				seen = append(seen, d)
				switch len(seen) {
				case 1:
					return 42 * time.Second, true
				case 2: // final otherwise
					return proposed, true
				}
				return 0, false
			}
		})
		r := record(c)
		connect(t, c)
		f.last(t).close(4100, "")
		pass(time.Minute)
		f.last(t).close(4001, "")
		pass(time.Minute)
		f.last(t).close(4200, "")
		pass(time.Minute)
		r.expect(t, "decided", "0s initialized→connecting", "0s connecting→connected",
			"0s connected→connecting", "0s disconnected backoff 4100", "0s in 42s", "10s connecting→unavailable", "42s unavailable→connected",
			"1m0s connected→connecting", "1m0s disconnected fatal 4001", "1m0s in 5s", "1m5s connecting→connected",
			"2m0s connected→connecting", "2m0s connecting→failed", "2m0s disconnected immediate 4200 final")
		if seen[0].Delay != 5*time.Second || !seen[0].WillRetry || seen[1].WillRetry || seen[2].Code != 4200 {
			t.Errorf("it was asked %+v", seen)
		}
	})
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f, func(cfg *client.Config) { cfg.Reconnect = client.NoReconnect() })
		r := record(c)
		connect(t, c)
		r.take()
		f.last(t).conn.reset()
		r.expect(t, "NoReconnect", "0s connected→failed", "0s disconnected immediate final")
	})
}

func TestDisconnectDuringDecide(t *testing.T) {
	bubble(t, func(t *testing.T) {
		hold := make(chan struct{})
		f := &fake{}
		c := newClient(t, f, func(cfg *client.Config) {
			cfg.Reconnect.Decide = func(client.Disconnected, time.Duration) (time.Duration, bool) { <-hold; return 0, true }
		})
		connect(t, c)
		f.last(t).conn.reset()
		settle()
		c.Disconnect()
		close(hold)
		pass(time.Minute)
		if c.State() != client.StateDisconnected || f.count() != 1 {
			t.Errorf("state %v after %d dials", c.State(), f.count())
		}
	})
}

func TestTLSIsTriedWhenTheServiceWantsIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{hello: func(p *peer) string { p.close(4000, "TLS"); return "" }}
		var urls []string
		c := newClient(t, f, func(cfg *client.Config) {
			cfg.Trace = &client.Trace{DialStart: func(_ client.Transport, url string) { urls = append(urls, url[:strings.Index(url, "?")]) }}
		})
		c.Connect()
		settle()
		if len(urls) < 2 || urls[0] != "ws://service.test:80/app/key" || urls[1] != "wss://service.test:443/app/key" {
			t.Errorf("dialled %v", urls)
		}
	})
}

// Covers 38, T24.
func TestNotifyOnline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		down := true
		f := &fake{onDial: func(context.Context, int) error {
			if down {
				return syscall.ENETUNREACH
			}
			return nil
		}}
		c := newClient(t, f)
		c.NotifyOnline() // nothing to notify
		c.Connect()
		pass(16 * time.Second) // in a wait until 30 s
		before := f.count()
		f.set(func() { down = false })
		c.NotifyOnline()
		c.NotifyOnline()
		settle()
		if c.State() != client.StateConnected || f.count() != before+1 {
			t.Errorf("state %v after %d dials, want connected after one", c.State(), f.count()-before)
		}
		pass(time.Minute)
		c.NotifyOnline()
		settle()
		if f.count() != before+1 {
			t.Errorf("%d dials when connected", f.count()-before-1)
		}
	})
}

// Covers 39.
func TestPolicies(t *testing.T) {
	refused := func(context.Context, int) error { return syscall.ECONNREFUSED }
	bubble(t, func(t *testing.T) {
		f := &fake{onDial: refused}
		c := newClient(t, f, func(cfg *client.Config) { cfg.Reconnect = client.LibPusherPolicy() })
		if err := c.Run(t.Context()); err == nil || f.count() != 1 {
			t.Errorf("libPusher: Run = %v after %d dials", err, f.count())
		}
	})
	bubble(t, func(t *testing.T) {
		f := &fake{onDial: func(ctx context.Context, n int) error {
			if n > 1 {
				return syscall.ECONNREFUSED
			}
			return nil
		}}
		c := newClient(t, f, func(cfg *client.Config) { cfg.Reconnect = client.LibPusherPolicy() })
		connect(t, c)
		r := record(c)
		f.last(t).close(4100, "")
		pass(time.Minute)
		r.expect(t, "libPusher", "0s connected→connecting", "0s disconnected backoff 4100", "0s in 5s",
			"5s disconnected backoff", "5s in 10s", "10s connecting→unavailable", "15s disconnected backoff", "15s in 15s",
			"30s unavailable→failed", "30s disconnected backoff final")
	})
	bubble(t, func(t *testing.T) {
		f := &fake{onDial: refused}
		c := newClient(t, f, func(cfg *client.Config) { cfg.Reconnect = client.PusherJSPolicy() })
		c.Connect()
		pass(time.Minute + time.Millisecond)
		if f.count() != 61 {
			t.Errorf("pusher-js: %d dials in a minute, want one a second", f.count())
		}
	})
}
