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

// Covers 76, T68.
func TestBatch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := startAuth(t, func(_ int, w http.ResponseWriter, r *http.Request) bool {
			answers := map[string]any{"private-extra": map[string]any{"status": 200, "data": map[string]string{"auth": "key:extra"}}}
			for key, values := range r.PostForm {
				if !strings.HasPrefix(key, "channel_name[") {
					continue
				}
				switch name := values[0]; name {
				case "private-missing":
				case "private-refused":
					answers[name] = map[string]any{"status": 403}
				case "private-bad":
					answers[name] = "x"
				case "private-nodata":
					answers[name] = map[string]any{"status": 200, "data": map[string]string{}}
				default:
					answers[name] = map[string]any{"data": map[string]string{"auth": "key:" + name}}
				}
			}
			json.NewEncoder(w).Encode(answers)
			return true
		})
		f := &fake{}
		c := newClient(t, f, func(cfg *client.Config) {
			cfg.ChannelAuthorizer = &client.BatchHTTPAuth{HTTPAuth: client.HTTPAuth{Endpoint: "http://app.test/", Client: a.http()}, MaxBatch: 20}
		})
		failed := failures(c)
		for i := range 30 {
			subscribe(t, c, fmt.Sprintf("private-%d", i))
		}
		for _, name := range []string{"missing", "refused", "bad", "nodata"} {
			subscribe(t, c, "private-"+name)
		}
		connect(t, c)
		pass(time.Minute)
		sizes := map[int]int{}
		for _, r := range a.requests {
			sizes[len(r.form)-1]++
			if r.form.Get("socket_id") != "1.1" {
				t.Errorf("form %v", r.form)
			}
		}
		subscribed := 0
		for _, ch := range c.Channels() {
			if ch.Subscribed() {
				subscribed++
			}
		}
		if subscribed != 30 {
			t.Errorf("%d channels are subscribed, want 30", subscribed)
		}
		status := map[string]int{}
		for _, e := range *failed {
			if !e.WillRetry {
				status[e.Channel] = e.Status
			}
		}
		if status["private-missing"] != 404 || status["private-refused"] != 403 || status["private-bad"] != 404 && status["private-bad"] != 200 || len(status) != 4 {
			t.Errorf("statuses %v", status)
		}
		if a.count() > 4 || sizes[20] != 1 {
			t.Errorf("%d requests of these sizes: %v", a.count(), sizes)
		}
	})
	for name, answer := range map[string]func(int, http.ResponseWriter, *http.Request) bool{
		"garbage": func(_ int, w http.ResponseWriter, _ *http.Request) bool { fmt.Fprint(w, "[]"); return true },
		"404":     refuse(404),
	} {
		bubble(t, func(t *testing.T) {
			a := startAuth(t, answer)
			c := newClient(t, &fake{}, func(cfg *client.Config) {
				cfg.ChannelAuthorizer = &client.BatchHTTPAuth{HTTPAuth: client.HTTPAuth{Endpoint: "http://app.test/", Client: a.http()}, Delay: time.Second}
			})
			failed := failures(c)
			subscribe(t, c, "private-a")
			connect(t, c)
			subscribe(t, c, "private-b") // within the delay
			pass(time.Minute)
			if len(*failed) != 2 || a.count() != 1 {
				t.Errorf("%s: %v after %d requests", name, *failed, a.count())
			}
			for _, e := range *failed {
				if a, ok := errors.AsType[*client.AuthError](e); !ok || a.Channel != e.Channel {
					t.Errorf("%s: %+v", name, e)
				}
			}
		})
	}
}

// Covers 77.
func TestLocalSigner(t *testing.T) {
	s := &client.LocalSigner{
		Key: "278d425bdf160c739803", Secret: "7ad3773142a6692b25b8",
		MemberFunc: func(string) (string, any) { return "10", map[string]string{"name": "Mr. Pusher"} },
		UserFunc:   func() (string, any, []string) { return "12345", map[string]string{"name": "Ada"}, []string{"67", "89"} },
		MasterKey:  []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31},
	}
	for channel, want := range map[string]client.Auth{
		"private-foobar":           {Auth: "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"},
		"presence-foobar":          {Auth: "48dac51d2d7569e1e9c0f48c227d4b26f238fa68e5c0bb04222c966909c4f7c4", ChannelData: `{"user_id":"10","user_info":{"name":"Mr. Pusher"}}`},
		"private-encrypted-foobar": {Auth: "e6a18892d037c5d5e76a2265df4f086ffc38631605530dfd214aa5bff495f533", SharedSecret: "g3Au6SZ+UCU+IMfFsFva0rq+Gi4tzSHR6WCcWZbS9sY="},
	} {
		want.Auth = s.Key + ":" + want.Auth
		if got, err := s.AuthorizeChannel(t.Context(), client.AuthRequest{SocketID: "1234.1234", Channel: channel}); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", channel, got, err, want)
		}
	}
	user, err := s.AuthenticateUser(t.Context(), client.AuthRequest{SocketID: "1234.1234"})
	if err != nil || user.Auth != s.Key+":6ca80c154c719885dfec98578ec04007b6b4b221f61821ba13548203ddaeda48" || user.UserData != `{"id":"12345","user_info":{"name":"Ada"},"watchlist":["67","89"]}` {
		t.Errorf("user: %+v, %v", user, err)
	}
	bare := &client.LocalSigner{Key: "k", Secret: "s"}
	if _, err := bare.AuthenticateUser(t.Context(), client.AuthRequest{}); err == nil {
		t.Error("a user without UserFunc")
	}
	if _, err := bare.AuthorizeChannel(t.Context(), client.AuthRequest{Channel: "private-encrypted-x"}); err == nil {
		t.Error("an encrypted channel without MasterKey")
	}
	bare.MemberFunc = func(string) (string, any) { return "", nil }
	if a, err := bare.AuthorizeChannel(t.Context(), client.AuthRequest{SocketID: "1.2", Channel: "presence-x"}); err != nil || a.ChannelData != "" {
		t.Errorf("presence as the user: %+v, %v", a, err)
	}
}
