package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/client"
)

// signingIn makes a client that signs in as ann.
func signingIn(cfg *client.Config) {
	cfg.UserAuthenticator = &client.LocalSigner{Key: "k", Secret: "s", UserFunc: func() (string, any, []string) { return "ann", nil, []string{"bob"} }}
}

// Covers 95, T72.
func TestSignIn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f, signingIn)
		u := c.User()
		var got []string
		client.On(u, func(_ context.Context, s client.SignedIn) { got = append(got, "signed in "+s.UserID) })
		client.On(u, func(_ context.Context, w client.WatchlistChange) { got = append(got, fmt.Sprint(w.Name, w.UserIDs)) })
		u.Bind("pusher:signin_success", func(_ context.Context, e client.Event) { got = append(got, "named") })
		u.Bind("notice", func(_ context.Context, e client.Event) { got = append(got, "notice "+e.Data) })
		u.BindAll(func(_ context.Context, e client.Event) {
			if strings.HasPrefix(e.Name, "pusher_internal:") {
				t.Errorf("a function gets %s", e.Name)
			}
		})
		if err := u.SignIn(); err != nil {
			t.Fatal(err)
		}
		u.SignIn()
		connect(t, c)
		for n := 1; n <= 2; n++ {
			if err := u.AwaitSignedIn(t.Context()); err != nil {
				t.Errorf("AwaitSignedIn = %v", err)
			}
			p := f.peer(t, n)
			if signin := p.received("pusher:signin"); len(signin) != 1 || signin[0].field("user_data") != `{"id":"ann","watchlist":["bob"]}` {
				t.Errorf("sent %v", signin)
			}
			if u.ID() != "ann" || string(u.Data()) != `{"id":"ann","watchlist":["bob"]}` {
				t.Errorf("user %q %s", u.ID(), u.Data())
			}
			if sub := p.received("pusher:subscribe"); channels(sub) != "subscribe #server-to-user-ann" {
				t.Errorf("subscribed to %s", channels(sub))
			}
			p.event("notice", "#server-to-user-ann", "x")
			p.event("notice", "#server-to-user-bob", "y")
			p.event("pusher_internal:secret", "#server-to-user-ann", "x")
			p.event("pusher_internal:watchlist_events", "", `{"events":[{"name":"online","user_ids":["bob",7]},{"name":"offline","user_ids":[]}]}`)
			settle()
			if want := "named|signed in ann|notice x|online[bob 7]|offline[]"; strings.Join(got, "|") != want {
				t.Errorf("connection %d: %q, want %q", n, got, want)
			}
			got = nil
			p.conn.reset()
			settle()
		}
	})
}

func TestSignOut(t *testing.T) {
	bubble(t, func(t *testing.T) { // signed in
		f := &fake{}
		c := newClient(t, f, signingIn)
		r := record(c)
		c.User().SignIn()
		connect(t, c)
		r.take()
		c.User().SignOut()
		r.expect(t, "SignOut", "0s connected→connecting", "0s disconnected caller", "0s connecting→connected")
		if c.User().ID() != "" || c.User().Data() != nil || len(f.peer(t, 2).received()) != 0 {
			t.Errorf("user %q, sent %v", c.User().ID(), f.peer(t, 2).received())
		}
		c.User().SignOut()
		c.User().SignIn()
		settle()
		if c.User().ID() != "ann" || f.count() != 2 {
			t.Errorf("signed in again: %q, %d connections", c.User().ID(), f.count())
		}
	})
	bubble(t, func(t *testing.T) { // while the authenticator is asked
		f := &fake{}
		c := newClient(t, f, func(cfg *client.Config) {
			cfg.UserAuthenticator = client.UserAuthenticatorFunc(func(ctx context.Context, r client.AuthRequest) (client.UserAuth, error) {
				time.Sleep(time.Second)
				return client.UserAuth{Auth: "k:s", UserData: `{"id":"ann"}`}, nil
			})
		})
		c.User().SignIn()
		connect(t, c)
		c.User().SignOut()
		pass(time.Minute)
		if got := f.peer(t, 1).received(); len(got) != 0 || f.count() != 1 {
			t.Errorf("sent %v on %d connections", got, f.count())
		}
	})
	c, err := client.New("key", (&fake{}).config())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.User().SignIn(); !errors.Is(err, client.ErrNoAuthenticator) {
		t.Errorf("SignIn without authenticator = %v", err)
	}
}

// Covers T71.
func TestSignInFails(t *testing.T) {
	for name, test := range map[string]struct {
		answer   func(int, http.ResponseWriter, *http.Request) bool
		success  string // data of signin_success; empty: an error
		requests int
	}{
		"refused":          {refuse(403), "", 2},
		"not found":        {refuse(404), "", 1},
		"broken":           {refuse(503), "", 6},
		"garbage":          {func(_ int, w http.ResponseWriter, _ *http.Request) bool { fmt.Fprint(w, "<html>"); return true }, "", 1},
		"no user_data":     {func(_ int, w http.ResponseWriter, _ *http.Request) bool { fmt.Fprint(w, `{"auth":"k:s"}`); return true }, "", 1},
		"hangs":            {func(_ int, _ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true }, "", 6},
		"bad confirmation": {nil, "x", 1},
		"nobody":           {nil, `{"user_data":"{}"}`, 1},
		"numeric id":       {nil, `{"user_data":"{\"id\":7}"}`, 1},
		"other user":       {nil, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a := startAuth(t, test.answer)
				f := &fake{onMessage: func(p *peer, m message) bool {
					switch {
					case m.Event != "pusher:signin":
						return false
					case test.success != "":
						p.event("pusher:signin_success", "", test.success)
					default:
						p.send(`{"event":"pusher:error","data":{"code":null,"message":"Connection is already signed in as a different user"}}`)
					}
					return true
				}}
				c := newClient(t, f, func(cfg *client.Config) { cfg.UserAuthenticator = a.auth() })
				ch := subscribe(t, c, "news")
				var failed []client.SignInFailed
				named := 0
				client.On(c, func(_ context.Context, s client.SignInFailed) { failed = append(failed, s) })
				c.User().Bind("pusher:signin_error", func(context.Context, client.Event) { named++ })
				c.User().SignIn()
				connect(t, c)
				err := c.User().AwaitSignedIn(t.Context())
				settle()
				if err == nil || len(failed) == 0 || failed[len(failed)-1].WillRetry || !errors.Is(err, failed[len(failed)-1].Err) || named != len(failed) {
					t.Errorf("AwaitSignedIn = %v, told %v, %d by name", err, failed, named)
				}
				if a.count() != test.requests || len(failed) != test.requests || c.User().ID() != "" {
					t.Errorf("%d requests, %d failures, user %q", a.count(), len(failed), c.User().ID())
				}
				if !ch.Subscribed() || f.count() != 1 {
					t.Errorf("the channel is %v, %d connections", ch.State(), f.count())
				}
				if name == "other user" && !isType[*client.ServerError](err) {
					t.Errorf("%v is not what the service says", err)
				}
			})
		})
	}
	bubble(t, func(t *testing.T) { // the service does not answer
		f := &fake{onMessage: func(_ *peer, m message) bool { return m.Event == "pusher:signin" }}
		c := newClient(t, f, signingIn)
		c.User().SignIn()
		connect(t, c)
		f.peer(t, 1).send(`{"event":"pusher:error","data":{"code":null,"message":"Existing subscription to channel news"}}`)
		start := time.Now()
		if err := c.User().AwaitSignedIn(t.Context()); err == nil || time.Since(start) != 30*time.Second {
			t.Errorf("AwaitSignedIn = %v after %v", err, time.Since(start))
		}
	})
}
