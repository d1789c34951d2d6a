package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/pusher/pusher-http-go/v5"

	"github.com/belfryhq/belfry/e2e/service"
)

// A goBackend uses pusher-http-go, in the test's own process.
type goBackend struct {
	client *pusher.Client
	auth   *httptest.Server
}

// startGoBackend starts a backend that talks to s, over TLS if s does.
func startGoBackend(t testing.TB, s *service.Service, app credential) backend {
	t.Helper()
	transport := &http.Transport{}
	b := &goBackend{client: &pusher.Client{
		AppID:                     app.id,
		Key:                       app.key,
		Secret:                    app.secret,
		Host:                      s.Addr,
		HTTPClient:                &http.Client{Transport: transport, Timeout: service.Patience},
		EncryptionMasterKeyBase64: masterKey,
		// The library has the service's limit of 10 KB too. Here the service
		// has the last word.
		OverrideMaxMessagePayloadKB: 20,
	}}
	if s.TLSAddr != "" {
		b.client.Secure, b.client.Host = true, s.TLSAddr
		transport.TLSClientConfig = &tls.Config{RootCAs: pool(t, s.CAFile)}
		transport.ForceAttemptHTTP2 = true
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /channel", b.endpoint(b.authorize))
	mux.HandleFunc("POST /user", b.endpoint(b.authenticate))
	b.auth = httptest.NewServer(mux)
	t.Cleanup(func() {
		b.auth.Close()
		transport.CloseIdleConnections()
	})
	return b
}

func pool(t testing.TB, caFile string) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(text) {
		t.Fatalf("no certificate in %s", caFile)
	}
	return p
}

// endpoint reads the form that pusher-js posts and answers with the library's
// token for it.
func (b *goBackend) endpoint(token func(body []byte, form url.Values) ([]byte, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		form, err := url.ParseQuery(string(body))
		if err != nil || form.Has("refuse") {
			http.Error(w, "not you", http.StatusForbidden)
			return
		}
		answer, err := token(body, form)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(answer)
	}
}

func (b *goBackend) authorize(body []byte, form url.Values) ([]byte, error) {
	user := form.Get("user")
	if strings.HasPrefix(form.Get("channel_name"), "presence-") && user != "" {
		return b.client.AuthorizePresenceChannel(body, pusher.MemberData{
			UserID:   user,
			UserInfo: map[string]string{"name": user + " of Go"},
		})
	}
	return b.client.AuthorizePrivateChannel(body)
}

func (b *goBackend) authenticate(body []byte, form url.Values) ([]byte, error) {
	user := map[string]any{
		"id":        form.Get("user"),
		"user_info": map[string]string{"name": form.Get("user") + " of Go"},
	}
	if w := form.Get("watchlist"); w != "" {
		user["watchlist"] = strings.Split(w, ",")
	}
	return b.client.AuthenticateUser(body, user)
}

func (b *goBackend) AuthURL() string { return b.auth.URL }

func (b *goBackend) Trigger(channels []string, event string, data any, params triggerParams) (map[string]counts, error) {
	list, err := b.client.TriggerMultiWithParams(channels, event, data, pusher.TriggerParams{
		SocketID: optional(params.SocketID),
		Info:     optional(params.Info),
	})
	if err != nil {
		return nil, err
	}
	answer := make(map[string]counts)
	for name, c := range list.Channels {
		answer[name] = counts{deref(c.UserCount), deref(c.SubscriptionCount)}
	}
	return answer, nil
}

func (b *goBackend) TriggerBatch(batch []batchEvent) ([]counts, error) {
	var events []pusher.Event
	for _, e := range batch {
		events = append(events, pusher.Event{
			Channel: e.Channel, Name: e.Event, Data: e.Data,
			SocketID: optional(e.SocketID), Info: optional(e.Info),
		})
	}
	list, err := b.client.TriggerBatch(events)
	if err != nil {
		return nil, err
	}
	var answer []counts
	for _, c := range list.Batch {
		answer = append(answer, counts{deref(c.UserCount), deref(c.SubscriptionCount)})
	}
	return answer, nil
}

func (b *goBackend) SendToUser(user, event string, data any) error {
	return b.client.SendToUser(user, event, data)
}

func (b *goBackend) Channels(prefix, info string) (map[string]counts, error) {
	list, err := b.client.Channels(pusher.ChannelsParams{FilterByPrefix: optional(prefix), Info: optional(info)})
	if err != nil {
		return nil, err
	}
	answer := make(map[string]counts)
	for name, c := range list.Channels {
		answer[name] = counts{Users: c.UserCount}
	}
	return answer, nil
}

func (b *goBackend) Channel(name, info string) (channelState, error) {
	c, err := b.client.Channel(name, pusher.ChannelParams{Info: optional(info)})
	if err != nil {
		return channelState{}, err
	}
	return channelState{c.Occupied, counts{c.UserCount, c.SubscriptionCount}}, nil
}

func (b *goBackend) Users(channel string) ([]string, error) {
	users, err := b.client.GetChannelUsers(channel)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, u := range users.List {
		ids = append(ids, u.ID)
	}
	return ids, nil
}

// optional is nil for a parameter that is left out.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func deref(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}
