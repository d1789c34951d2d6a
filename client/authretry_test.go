package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/belfryhq/belfry/client"
)

// Covers T53, T54.
func TestTokenIsRefreshedOnce(t *testing.T) {
	for _, status := range []int{401, 403} {
		for _, always := range []bool{false, true} {
			bubble(t, func(t *testing.T) {
				a := startAuth(t, func(n int, w http.ResponseWriter, r *http.Request) bool {
					return (n == 1 || always) && refuse(status)(n, w, r)
				})
				var attempts []int
				h := a.auth()
				h.HeaderFunc = func(_ context.Context, r client.AuthRequest) (http.Header, error) {
					attempts = append(attempts, r.Attempt)
					return nil, nil
				}
				f := &fake{}
				c := newClient(t, f, func(cfg *client.Config) { cfg.ChannelAuthorizer = h })
				failed := failures(c)
				ch := subscribe(t, c, "private-x")
				connect(t, c)
				pass(time.Minute)
				if fmt.Sprint(attempts) != "[1 2]" || !(*failed)[0].WillRetry || ch.Subscribed() == always {
					t.Errorf("%d, always %t: attempts %v, %v", status, always, attempts, ch.State())
				}
				if !always {
					return
				}
				if len(*failed) != 2 || (*failed)[1].WillRetry || ch.State() != client.SubFailed {
					t.Errorf("%d: %v, %v", status, *failed, ch.State())
				}
				ch.Resubscribe()
				settle()
				f.peer(t, 1).conn.reset()
				settle()
				if fmt.Sprint(attempts) != "[1 2 1 2 1 2]" {
					t.Errorf("%d: attempts %v after Resubscribe and a reconnect", status, attempts)
				}
			})
		}
	}
}

// Covers 71, T56, T57.
func TestTemporaryFailuresAreRetried(t *testing.T) {
	reset := func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		conn, _, _ := w.(http.Hijacker).Hijack()
		conn.Close()
		return true
	}
	for name, test := range map[string]struct {
		answer func(int, http.ResponseWriter, *http.Request) bool
		delays []time.Duration
	}{
		"500":   {refuse(500), []time.Duration{1, 2, 4, 8, 16}},
		"502":   {refuse(502), []time.Duration{1, 2, 4, 8, 16}},
		"503":   {refuse(503), []time.Duration{1, 2, 4, 8, 16}},
		"408":   {refuse(408), []time.Duration{1, 2, 4, 8, 16}},
		"425":   {refuse(425), []time.Duration{1, 2, 4, 8, 16}},
		"reset": {reset, []time.Duration{1, 2, 4, 8, 16}},
		"reset in the answer": {func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, `{"auth":`)
			panic(http.ErrAbortHandler)
		}, []time.Duration{1, 2, 4, 8, 16}},
		"429": {func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(429)
			return true
		}, []time.Duration{7, 7, 7, 8, 16}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a := startAuth(t, test.answer)
				c := newClient(t, &fake{}, withAuth(a))
				failed := failures(c)
				ch := subscribe(t, c, "private-x")
				connect(t, c)
				pass(5 * time.Minute)
				if len(a.at) != 6 || len(*failed) != 6 || ch.State() != client.SubFailed {
					t.Fatalf("%d requests, %d failures, %v", len(a.at), len(*failed), ch.State())
				}
				for i, want := range test.delays {
					want *= time.Second
					least := want * 8 / 10
					if got := a.at[i+1].Sub(a.at[i]); got > want || got < least {
						t.Errorf("retry %d after %v, want %v to %v", i+1, got, least, want)
					}
					if !(*failed)[i].WillRetry {
						t.Errorf("failure %d does not say that it is retried", i+1)
					}
				}
				if (*failed)[5].WillRetry {
					t.Error("the last failure says that it is retried")
				}
			})
		})
	}
	bubble(t, func(t *testing.T) {
		a := startAuth(t, refuse(503))
		c := newClient(t, &fake{}, withAuth(a, func(cfg *client.Config) { cfg.AuthRetries = -1 }))
		subscribe(t, c, "private-x")
		connect(t, c)
		pass(time.Minute)
		if a.count() != 1 {
			t.Errorf("%d requests without retries", a.count())
		}
	})
}

// Covers T65.
func TestTokenThatExpires(t *testing.T) {
	bubble(t, func(t *testing.T) {
		issued, tokens := time.Time{}, 0
		a := startAuth(t, func(n int, w http.ResponseWriter, r *http.Request) bool {
			fresh := r.Header.Get("Authorization") == fmt.Sprint(tokens) && time.Since(issued) < time.Minute
			return !fresh && refuse(401)(n, w, r)
		})
		h := a.auth()
		h.HeaderFunc = func(_ context.Context, r client.AuthRequest) (http.Header, error) {
			if tokens == 0 || r.Attempt > 1 {
				tokens++
				issued = time.Now()
			}
			return http.Header{"Authorization": {fmt.Sprint(tokens)}}, nil
		}
		f := &fake{}
		c := newClient(t, f, func(cfg *client.Config) { cfg.ChannelAuthorizer = h })
		ch := subscribe(t, c, "private-x")
		connect(t, c)
		for range 10 {
			pass(50 * time.Second)
			f.last(t).conn.reset()
			settle()
			if !ch.Subscribed() {
				t.Fatalf("not subscribed after a reconnect: %v", ch.Err())
			}
		}
		if tokens < 4 || tokens > 7 {
			t.Errorf("%d tokens", tokens)
		}
	})
}

// Covers T66.
func TestHooksThatFail(t *testing.T) {
	for name, test := range map[string]struct {
		hook     func(ctx context.Context) error
		requests int // to make before it gives up
	}{
		"final": {func(context.Context) error { return errors.New("no token") }, 1},
		"temporary": {func(context.Context) error {
			return &client.AuthError{Kind: client.AuthRequestFailed, Err: errors.New("later")}
		}, 6},
		"blocks": {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, 6},
		"panics": {func(context.Context) error { panic("oh") }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a := startAuth(t, nil)
				h := a.auth()
				calls, panics := 0, 0
				h.HeaderFunc = func(ctx context.Context, _ client.AuthRequest) (http.Header, error) {
					calls++
					return nil, test.hook(ctx)
				}
				c := newClient(t, &fake{}, func(cfg *client.Config) {
					cfg.ChannelAuthorizer = h
					cfg.OnPanic = func(any, []byte) { panics++ }
				})
				ch := subscribe(t, c, "private-x")
				connect(t, c)
				pass(5 * time.Minute)
				if calls != test.requests || ch.State() != client.SubFailed || a.count() != 0 || (panics == 1) != (name == "panics") {
					t.Errorf("%d calls, %v, %d requests, %d panics", calls, ch.State(), a.count(), panics)
				}
			})
		})
	}
}

// Covers T67.
func TestAuthorizerThatNeverReturns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		release := make(chan struct{})
		c := newClient(t, &fake{}, func(cfg *client.Config) {
			cfg.AuthRetries = -1
			cfg.ChannelAuthorizer = client.ChannelAuthorizerFunc(func(context.Context, client.AuthRequest) (client.Auth, error) {
				<-release
				return client.Auth{Auth: "late"}, nil
			})
		})
		ch := subscribe(t, c, "private-x")
		connect(t, c)
		pass(12 * time.Second)
		if ch.State() != client.SubFailed || !errors.Is(ch.Err(), context.DeadlineExceeded) {
			t.Errorf("%v, %v", ch.State(), ch.Err())
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := c.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown = %v, want the deadline", err)
		}
		close(release)
	})
}
