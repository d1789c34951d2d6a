package client_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/client"
)

// answerBatch answers each channel by its name.
func answerBatch(_ int, w http.ResponseWriter, r *http.Request) bool {
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
}

// Covers 76, T68.
func TestBatch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := startAuth(t, answerBatch)
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
	for _, id := range []string{"", "1234", "1234.1234:private-other", "1234.1234:"} { // whoever says so could have any text signed
		if a, err := s.AuthorizeChannel(t.Context(), client.AuthRequest{SocketID: id, Channel: "private-x"}); err == nil {
			t.Errorf("AuthorizeChannel for the socket id %q = %+v, want an error", id, a)
		}
		if u, err := s.AuthenticateUser(t.Context(), client.AuthRequest{SocketID: id}); err == nil {
			t.Errorf("AuthenticateUser for the socket id %q = %+v, want an error", id, u)
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
