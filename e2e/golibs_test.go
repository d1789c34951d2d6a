package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	ours "github.com/belfryhq/belfry/backend" // backend is a type here
	"github.com/belfryhq/belfry/e2e/service"
)

// ourBackend is a backend that uses package backend of this module. Every test
// that plays with each server library plays with it too.
type ourBackend struct {
	c    *ours.Client
	auth *httptest.Server
}

func init() {
	backends["belfry"] = func(t testing.TB, s *service.Service, app credential) backend { return startOurBackend(t, s, app) }
}

func startOurBackend(t testing.TB, s *service.Service, app credential) *ourBackend {
	t.Helper()
	cfg := ours.Config{
		AppID: app.id, Key: app.key, Secret: app.secret, Host: s.Addr, Insecure: true,
		EncryptionMasterKeyBase64: masterKey,
		Timeout:                   service.Patience,
		Limits:                    ours.Limits{DataBytes: -1}, // the service has the last word
	}
	if s.TLSAddr != "" {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig.RootCAs = pool(t, s.CAFile)
		cfg.Insecure, cfg.Host, cfg.HTTPClient = false, s.TLSAddr, &http.Client{Transport: transport}
		t.Cleanup(transport.CloseIdleConnections)
	}
	c, err := ours.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	b := &ourBackend{c: c}
	mux := http.NewServeMux()
	mux.Handle("POST /channel", c.ChannelAuthHandler(func(r *http.Request, _, _ string) (*ours.Member, error) {
		if r.Form.Has("refuse") {
			return nil, ours.ErrAuthDenied
		}
		user := r.Form.Get("user")
		if user == "" {
			return &ours.Member{SignedIn: true}, nil
		}
		return &ours.Member{UserID: user, UserInfo: map[string]string{"name": user + " of Belfry"}}, nil
	}))
	mux.Handle("POST /user", c.UserAuthHandler(func(r *http.Request, _ string) (*ours.UserData, error) {
		user := r.Form.Get("user")
		data := &ours.UserData{ID: user, UserInfo: map[string]string{"name": user + " of Belfry"}}
		if w := r.Form.Get("watchlist"); w != "" {
			data.Watchlist = strings.Split(w, ",")
		}
		return data, nil
	}))
	b.auth = httptest.NewServer(mux)
	t.Cleanup(func() {
		b.auth.Close()
		c.CloseIdleConnections()
	})
	return b
}

func (b *ourBackend) AuthURL() string { return b.auth.URL }

// params are the options of a trigger.
func (p triggerParams) options() (opts []ours.TriggerOption) {
	if p.SocketID != "" {
		opts = append(opts, ours.ExcludeSocket(p.SocketID))
	}
	if p.Info != "" {
		opts = append(opts, ours.WantInfo(attributes(p.Info)...))
	}
	return opts
}

func attributes(info string) (list []ours.Attribute) {
	for name := range strings.SplitSeq(info, ",") {
		if name != "" {
			list = append(list, ours.Attribute(name))
		}
	}
	return list
}

// asCounts is what the service told, as the other libraries have it.
func asCounts(c ours.ChannelInfo) counts {
	return counts{deref(c.UserCount), deref(c.SubscriptionCount)}
}

func (b *ourBackend) Trigger(channels []string, event string, data any, params triggerParams) (map[string]counts, error) {
	result, err := b.c.TriggerMulti(context.Background(), channels, event, data, params.options()...)
	if err != nil {
		return nil, err
	}
	answer := make(map[string]counts)
	for name, c := range result.Channels {
		answer[name] = asCounts(c)
	}
	return answer, nil
}

func (b *ourBackend) TriggerBatch(batch []batchEvent) ([]counts, error) {
	var events []ours.Event
	for _, e := range batch {
		events = append(events, ours.Event{Channel: e.Channel, Name: e.Event, Data: e.Data, SocketID: e.SocketID, Info: attributes(e.Info)})
	}
	result, err := b.c.TriggerBatch(context.Background(), events)
	if err != nil {
		return nil, err
	}
	var answer []counts
	for _, c := range result.Events {
		answer = append(answer, asCounts(c))
	}
	return answer, nil
}

func (b *ourBackend) SendToUser(user, event string, data any) error {
	return b.c.SendToUser(context.Background(), user, event, data)
}

func (b *ourBackend) Channels(prefix, info string) (map[string]counts, error) {
	list, err := b.c.Channels(context.Background(), ours.ChannelsQuery{Prefix: prefix, Info: attributes(info)})
	if err != nil {
		return nil, err
	}
	answer := make(map[string]counts)
	for name, c := range list {
		answer[name] = asCounts(c)
	}
	return answer, nil
}

func (b *ourBackend) Channel(name, info string) (channelState, error) {
	c, err := b.c.Channel(context.Background(), name, attributes(info)...)
	if err != nil {
		return channelState{}, err
	}
	return channelState{c.Occupied, asCounts(*c)}, nil
}

func (b *ourBackend) Users(channel string) ([]string, error) {
	users, err := b.c.ChannelUsers(context.Background(), channel)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, u := range users {
		ids = append(ids, u.ID)
	}
	return ids, nil
}

// TestTokensOfNodeAndGo has both libraries make and read the same.
func TestTokensOfNodeAndGo(t *testing.T) {
	t.Parallel()
	n := startNode(t, "golibs_backend.mjs", "", func(s seen) { t.Errorf("a backend reported %v", s) })
	n.must("configure", map[string]any{
		"appId": theApp.id, "key": theApp.key, "secret": theApp.secret, "host": "service.test",
		"encryptionMasterKeyBase64": masterKey,
	}, nil)
	now := time.Now()
	c, err := ours.New(ours.Config{
		AppID: theApp.id, Key: theApp.key, Secret: theApp.secret, Host: "service.test",
		EncryptionMasterKeyBase64: masterKey, Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("channels", func(t *testing.T) { compareChannels(t, n, c) })
	t.Run("users", func(t *testing.T) { compareUsers(t, n, c) })
	t.Run("webhooks", func(t *testing.T) { compareWebhooks(t, n, c) })
	t.Run("requests", func(t *testing.T) { compareRequests(t, n, c, &now) })
}

// texts are such as break encodings.
var texts = []string{"", "plain", "é☕😀", `"quoted" \ back`, "<a href='x'>&</a>", "\u2028line\u2029", "tab\tfeed\n", "%41+b c&d=e"}

func compareChannels(t *testing.T, n *node, c *ours.Client) {
	for _, channel := range []string{"private-orders", "private-encrypted-diary", "private-cache-x", "presence-room"} {
		for _, text := range texts {
			var member map[string]any
			var data string
			if strings.HasPrefix(channel, "presence-") {
				member = map[string]any{"user_id": "ann", "user_info": map[string]string{"text": text}}
			}
			var theirs ours.ChannelAuth
			n.must("authorize", map[string]any{"socketID": "1234.5678", "channel": channel, "member": member}, &theirs)
			if data = theirs.ChannelData; member == nil && data != "" {
				t.Errorf("%s: data %s", channel, data)
			}
			auth, err := c.AuthorizeChannelData("1234.5678", channel, data)
			if err != nil || *auth != theirs {
				t.Errorf("%s, %q: ours %+v, %v; theirs %+v", channel, text, auth, err, theirs)
			}
		}
	}
}

func compareUsers(t *testing.T, n *node, c *ours.Client) {
	for _, text := range texts {
		var theirs ours.UserAuth
		n.must("authenticate", map[string]any{"socketID": "1234.5678", "user": map[string]any{"id": "ann", "text": text, "watchlist": []string{"bob"}}}, &theirs)
		auth, err := c.AuthenticateUserData("1234.5678", theirs.UserData)
		if err != nil || *auth != theirs {
			t.Errorf("%q: ours %+v, %v; theirs %+v", text, auth, err, theirs)
		}
	}
}

func compareWebhooks(t *testing.T, n *node, c *ours.Client) {
	for _, text := range texts {
		event, err := json.Marshal(map[string]string{"name": "client_event", "channel": "private-x", "event": "client-x", "data": text, "socket_id": "1.2"})
		if err != nil {
			t.Fatal(err)
		}
		body := `{"time_ms":1327078148132,"events":[` + string(event) + `]}`
		var signature string
		n.must("sign", map[string]any{"body": body}, &signature)
		header := http.Header{ours.HeaderKey: {theApp.key}, ours.HeaderSignature: {signature}, "Content-Type": {"application/json"}}
		hook, err := c.Webhook(header, []byte(body))
		if err != nil || hook.Events[0].Data != text {
			t.Errorf("%q: signed by Node, read as %+v, %v", text, hook, err)
		}
		own := ours.Token{Key: theApp.key, Secret: theApp.secret}.Sign([]byte(body))
		var read struct {
			Valid  bool
			Events []struct{ Data string }
			Time   int64
		}
		n.must("webhook", map[string]any{"key": theApp.key, "signature": own, "body": body}, &read)
		if !read.Valid || read.Events[0].Data != text || read.Time != 1327078148132 {
			t.Errorf("%q: signed by Go, read by Node as %+v", text, read)
		}
		n.must("webhook", map[string]any{"key": theApp.key, "signature": own, "body": body + " "}, &read)
		if header.Set(ours.HeaderSignature, own); read.Valid {
			t.Errorf("%q: Node takes an altered webhook", text)
		}
		if _, err := c.Webhook(header, []byte(body+" ")); !errors.Is(err, ours.ErrWebhookSignature) {
			t.Errorf("%q: an altered webhook is %v", text, err)
		}
	}
}

// compareRequests signs what Node has signed, at the same time.
func compareRequests(t *testing.T, n *node, c *ours.Client, at *time.Time) {
	for _, body := range texts {
		params := map[string]string{"filter_by_prefix": "presence-", "info": "user_count,subscription_count"}
		var theirs string
		n.must("query", map[string]any{"method": "POST", "path": "/apps/" + theApp.id + "/channels", "params": params, "body": body}, &theirs)
		query, err := url.ParseQuery(theirs)
		if err != nil {
			t.Fatal(err)
		}
		seconds, err := strconv.ParseInt(query.Get("auth_timestamp"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		*at = time.Unix(seconds, 0)
		own, err := c.SignQuery("POST", "/channels", url.Values{"filter_by_prefix": {"presence-"}, "info": {"user_count,subscription_count"}}, []byte(body))
		if err != nil || own.Encode() != query.Encode() {
			t.Errorf("body %q: ours %s, %v; theirs %s", body, own.Encode(), err, query.Encode())
		}
	}
}
