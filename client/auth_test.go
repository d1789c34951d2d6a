package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/client"
)

// failures collects what subscriptions fail with.
func failures(c *client.Client) *[]*client.SubscriptionError {
	list := new([]*client.SubscriptionError)
	client.On(c, func(_ context.Context, s client.SubscriptionFailed) { *list = append(*list, s.Err) })
	return list
}

// Covers 67, 70.
func TestRequestToTheEndpoint(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := startAuth(t, nil)
		f := &fake{}
		h := a.auth()
		var attempts []int
		h.Header, h.Params = http.Header{"X-Static": {"a"}, "X-Both": {"static"}}, url.Values{"static": {"1"}, "both": {"static"}}
		h.HeaderFunc = func(_ context.Context, r client.AuthRequest) (http.Header, error) {
			attempts = append(attempts, r.Attempt)
			return http.Header{"X-Both": {"dynamic"}, "Authorization": {"Bearer t"}}, nil
		}
		h.ParamsFunc = func(_ context.Context, r client.AuthRequest) (url.Values, error) {
			return url.Values{"both": {r.Channel + r.SocketID}}, nil
		}
		h.Prepare = func(req *http.Request, r client.AuthRequest) error {
			req.Header.Set("X-Prepared", r.Channel)
			return nil
		}
		c := newClient(t, f, func(cfg *client.Config) { cfg.ChannelAuthorizer = h })
		ch := subscribe(t, c, "private-x")
		connect(t, c)
		r := a.requests[0]
		want := url.Values{"socket_id": {"1.1"}, "channel_name": {"private-x"}, "static": {"1"}, "both": {"private-x1.1"}}
		if r.form.Encode() != want.Encode() {
			t.Errorf("form %v, want %v", r.form, want)
		}
		for name, value := range map[string]string{"X-Static": "a", "X-Both": "dynamic", "Authorization": "Bearer t", "X-Prepared": "private-x", "Content-Type": "application/x-www-form-urlencoded"} {
			if r.header.Get(name) != value {
				t.Errorf("header %s = %q, want %q", name, r.header.Get(name), value)
			}
		}
		sent := f.peer(t, 1).received("pusher:subscribe")
		if !ch.Subscribed() || sent[0].field("auth") != "key:1.1" || sent[0].field("channel_data") != `{"user_id":"ann"}` || fmt.Sprint(attempts) != "[1]" {
			t.Errorf("%v, sent %s, attempts %v", ch.State(), sent[0].Data, attempts)
		}
	})
}

func TestDecodeReadsOtherAnswers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := startAuth(t, func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(418)
			fmt.Fprint(w, `{"wrapped":"key:sig"}`)
			return true
		})
		h := a.auth()
		h.Decode = func(resp *http.Response, _ client.AuthRequest) (client.Auth, error) {
			var answer struct{ Wrapped string }
			err := json.NewDecoder(resp.Body).Decode(&answer)
			return client.Auth{Auth: answer.Wrapped}, err
		}
		f := &fake{}
		c := newClient(t, f, func(cfg *client.Config) { cfg.ChannelAuthorizer = h })
		subscribe(t, c, "private-x")
		connect(t, c)
		if got := f.peer(t, 1).received("pusher:subscribe"); len(got) != 1 || got[0].field("auth") != "key:sig" {
			t.Errorf("sent %v", got)
		}
	})
}

// Covers 68, 69, T50, T51, T52, T55.
func TestAnswersOfTheEndpoint(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		body   string
		kind   client.AuthErrorKind
		fails  bool
	}{
		"200":             {200, `{"auth":"key:sig"}`, 0, false},
		"201":             {201, `{"auth":"key:sig"}`, 0, false},
		"other type":      {200, ` {"auth":"key:sig","more":[1]} `, 0, false},
		"HTML":            {200, "<html>", client.AuthBadResponse, true},
		"empty":           {200, "", client.AuthBadResponse, true},
		"list":            {200, "[]", client.AuthBadResponse, true},
		"no auth":         {200, "{}", client.AuthBadResponse, true},
		"empty auth":      {200, `{"auth":""}`, client.AuthBadResponse, true},
		"auth no text":    {200, `{"auth":1}`, client.AuthBadResponse, true},
		"70 KiB":          {200, `{"auth":"` + strings.Repeat("x", 70<<10) + `"}`, client.AuthBadResponse, true},
		"no content":      {204, "", client.AuthRefused, true},
		"redirect":        {302, "", client.AuthRefused, true},
		"moved":           {301, "", client.AuthRefused, true},
		"redirected post": {307, "", client.AuthRefused, true},
		"not found":       {404, "who?", client.AuthRefused, true},
		"unprocessable":   {422, "what?", client.AuthRefused, true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a := startAuth(t, func(_ int, w http.ResponseWriter, _ *http.Request) bool {
					w.Header().Set("Location", "http://app.test/elsewhere")
					w.Header().Set("Content-Type", "text/plain")
					w.WriteHeader(test.status)
					if test.status != 204 {
						fmt.Fprint(w, test.body)
					}
					return true
				})
				f := &fake{}
				c := newClient(t, f, withAuth(a))
				failed := failures(c)
				ch := subscribe(t, c, "private-x")
				connect(t, c)
				pass(time.Minute)
				if a.count() != 1 {
					t.Errorf("%d requests, want 1", a.count())
				}
				if !test.fails {
					if !ch.Subscribed() {
						t.Errorf("%v: %v", ch.State(), ch.Err())
					}
					return
				}
				if len(*failed) != 1 || ch.State() != client.SubFailed || len(f.peer(t, 1).received("pusher:subscribe")) != 0 {
					t.Fatalf("%d failures, %v, sent %v", len(*failed), ch.State(), f.peer(t, 1).received())
				}
				s := (*failed)[0]
				e, ok := errors.AsType[*client.AuthError](s)
				if !ok || e.Kind != test.kind || e.Channel != "private-x" || e.Temporary() || s.Kind != client.SubscriptionAuth || s.WillRetry {
					t.Errorf("%+v, %+v", s, e)
				}
				if test.kind == client.AuthRefused && (e.StatusCode != test.status || s.Status != test.status || !strings.HasPrefix(e.Body, test.body)) {
					t.Errorf("%+v", e)
				}
			})
		})
	}
}

// Covers 72, T58, T59.
func TestSlowEndpoint(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := startAuth(t, func(_ int, _ http.ResponseWriter, r *http.Request) bool {
			select {
			case <-time.After(8 * time.Second):
				return false
			case <-r.Context().Done():
				return true
			}
		})
		f := &fake{}
		c := newClient(t, f, withAuth(a))
		for i := range 100 {
			subscribe(t, c, fmt.Sprintf("private-%d", i))
		}
		public := subscribe(t, c, "news")
		connect(t, c)
		f.peer(t, 1).send(`{"event":"pusher:ping","data":{}}`)
		settle()
		if !public.Subscribed() || len(f.peer(t, 1).received("pusher:pong")) != 1 {
			t.Errorf("public channel %v, %d pongs", public.State(), len(f.peer(t, 1).received("pusher:pong")))
		}
		pass(13*8*time.Second + time.Second)
		settle()
		if a.most != 8 || a.count() != 100 {
			t.Errorf("%d requests, %d at a time; want 100, 8", a.count(), a.most)
		}
		for _, ch := range c.Channels() {
			if !ch.Subscribed() {
				t.Errorf("%s is %v", ch.Name(), ch.State())
			}
		}
	})
	bubble(t, func(t *testing.T) {
		a := startAuth(t, func(_ int, _ http.ResponseWriter, r *http.Request) bool {
			if r.PostForm.Get("channel_name") == "private-hangs" {
				<-r.Context().Done()
				return true
			}
			return false
		})
		c := newClient(t, &fake{}, withAuth(a))
		failed := failures(c)
		hangs, other := subscribe(t, c, "private-hangs"), subscribe(t, c, "private-x")
		start := time.Now()
		connect(t, c)
		if !other.Subscribed() || hangs.State() != client.SubAuthorizing {
			t.Errorf("%v, %v", other.State(), hangs.State())
		}
		pass(10 * time.Second)
		settle()
		if len(*failed) != 1 || !(*failed)[0].WillRetry || !errors.Is((*failed)[0], context.DeadlineExceeded) {
			t.Errorf("after AuthTimeout: %v", *failed)
		}
		for _, r := range a.requests {
			if r.form.Get("channel_name") == "private-hangs" && r.ended == nil {
				t.Error("the request was not given up")
			}
		}
		pass(5 * time.Minute)
		if a.count() != 7 || hangs.State() != client.SubFailed {
			t.Errorf("%d requests, %v, %v", a.count(), hangs.State(), time.Since(start))
		}
	})
}

// Covers 57, 73, 74, T60, T61.
func TestRequestEndsWithTheNeedForIt(t *testing.T) {
	hold := func(n int, _ http.ResponseWriter, r *http.Request) bool {
		if n == 1 {
			<-r.Context().Done()
		}
		return n == 1
	}
	bubble(t, func(t *testing.T) {
		a := startAuth(t, hold)
		f := &fake{}
		c := newClient(t, f, withAuth(a))
		ch := subscribe(t, c, "private-x")
		connect(t, c)
		f.peer(t, 1).conn.reset()
		settle()
		if a.requests[0].ended == nil || a.requests[1].form.Get("socket_id") != "2.2" || !ch.Subscribed() {
			t.Errorf("first request %v, second %v, %v", a.requests[0].ended, a.requests[1].form, ch.State())
		}
		if got := f.peer(t, 2).received("pusher:subscribe"); len(got) != 1 || got[0].field("auth") != "key:2.2" {
			t.Errorf("sent %v", got)
		}
	})
	bubble(t, func(t *testing.T) {
		a := startAuth(t, hold)
		f := &fake{}
		c := newClient(t, f, withAuth(a))
		ch := subscribe(t, c, "private-x")
		connect(t, c)
		ch.Unsubscribe()
		settle()
		if a.requests[0].ended == nil || len(f.peer(t, 1).received()) != 0 {
			t.Errorf("request %v, sent %v", a.requests[0].ended, f.peer(t, 1).received())
		}
	})
	bubble(t, func(t *testing.T) { // an authorizer that answers late all the same
		f := &fake{}
		c := newClient(t, f, func(cfg *client.Config) {
			cfg.ChannelAuthorizer = client.ChannelAuthorizerFunc(func(_ context.Context, r client.AuthRequest) (client.Auth, error) {
				time.Sleep(time.Second)
				return client.Auth{Auth: "key:" + r.SocketID}, nil
			})
		})
		subscribe(t, c, "private-x")
		connect(t, c)
		f.peer(t, 1).conn.reset()
		pass(5 * time.Second)
		if got := f.peer(t, 2).received("pusher:subscribe"); len(got) != 1 || got[0].field("auth") != "key:2.2" {
			t.Errorf("sent %v", got)
		}
	})
}

// Covers 75.
func TestAuthorizersAreNeeded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f)
		for _, name := range []string{"private-x", "presence-x", "private-encrypted-x"} {
			if _, err := c.Subscribe(name); !errors.Is(err, client.ErrNoAuthorizer) {
				t.Errorf("Subscribe(%s) = %v, want ErrNoAuthorizer", name, err)
			}
		}
		if _, err := c.Subscribe("private-x", client.WithAuthorizer(&client.HTTPAuth{})); !errors.Is(err, client.ErrConfig) {
			t.Errorf("Subscribe with a bad endpoint = %v, want ErrConfig", err)
		}
		own := client.ChannelAuthorizerFunc(func(context.Context, client.AuthRequest) (client.Auth, error) {
			return client.Auth{Auth: "own:sig"}, nil
		})
		subscribe(t, c, "private-x", client.WithAuthorizer(own))
		connect(t, c)
		if got := f.peer(t, 1).received("pusher:subscribe"); len(got) != 1 || got[0].field("auth") != "own:sig" {
			t.Errorf("sent %v", got)
		}
	})
}
