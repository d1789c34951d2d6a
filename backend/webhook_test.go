package backend_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/backend"
)

// hookTime is the time_ms of the vectors.
const hookTime = 1327078148132

func hookHeader(key, signature string) http.Header {
	return http.Header{"X-Pusher-Key": {key}, "X-Pusher-Signature": {signature}, "Content-Type": {"application/json"}}
}

// signed is a webhook of the test app.
func signedHook(body string) (http.Header, []byte) {
	return hookHeader(testKey, backend.Token{Secret: testSecret}.Sign([]byte(body))), []byte(body)
}

// Covers 63.
func TestWebhooksOfTheVectors(t *testing.T) {
	c := client(t, answers())
	for _, v := range vectors(t, "webhooks.json") {
		token := backend.Token{Key: testKey, Secret: v.Secret}
		if got := token.Sign([]byte(v.Body)); got != v.Signature || !token.Verify([]byte(v.Body), v.Signature) {
			t.Errorf("%s: Sign = %s, want %s", v.Name, got, v.Signature)
		}
		if token.Verify([]byte(v.Body+" "), v.Signature) || token.Verify([]byte(v.Body), strings.ToUpper(v.Signature)) {
			t.Errorf("%s: an altered body or signature verifies", v.Name)
		}
		if v.Secret != testSecret {
			continue
		}
		hook, err := c.Webhook(hookHeader(testKey, v.Signature), []byte(v.Body))
		if v.Body == "" {
			if !errors.Is(err, backend.ErrWebhookBody) {
				t.Errorf("%s: %v, want ErrWebhookBody", v.Name, err)
			}
			continue
		}
		if err != nil || hook.TimeMS != hookTime || hook.Key != testKey || !hook.Time().Equal(time.UnixMilli(hookTime)) {
			t.Errorf("%s: %+v, %v", v.Name, hook, err)
		}
	}
}

// Covers 64, 67, 68.
func TestWebhooksThatAreRefused(t *testing.T) {
	const body = `{"time_ms":1,"events":[]}`
	c := client(t, answers())
	right, _ := signedHook(body)
	with := func(name string, values ...string) http.Header {
		h := right.Clone()
		h[name] = values
		return h
	}
	sign := func(body string) http.Header { h, _ := signedHook(body); return h }
	for name, test := range map[string]struct {
		header http.Header
		body   string
		want   error
	}{
		"right":              {right, body, nil},
		"charset":            {with("Content-Type", "application/json; charset=utf-8"), body, nil},
		"no header at all":   {nil, body, backend.ErrWebhookHeader},
		"no key":             {with("X-Pusher-Key"), body, backend.ErrWebhookHeader},
		"no signature":       {with("X-Pusher-Signature"), body, backend.ErrWebhookHeader},
		"unknown key":        {with("X-Pusher-Key", "x"), body, backend.ErrWebhookKey},
		"wrong signature":    {with("X-Pusher-Signature", strings.Repeat("0", 64)), body, backend.ErrWebhookSignature},
		"altered body":       {right, body + "\n", backend.ErrWebhookSignature},
		"text":               {with("Content-Type", "text/plain"), body, backend.ErrWebhookContentType},
		"no content type":    {with("Content-Type"), body, backend.ErrWebhookContentType},
		"no JSON":            {sign("x"), "x", backend.ErrWebhookBody},
		"no time":            {sign(`{"events":[]}`), `{"events":[]}`, backend.ErrWebhookBody},
		"event is no object": {sign(`{"time_ms":1,"events":[7]}`), `{"time_ms":1,"events":[7]}`, backend.ErrWebhookBody},
		"count is no count": {sign(`{"time_ms":1,"events":[{"subscription_count":1.5}]}`),
			`{"time_ms":1,"events":[{"subscription_count":1.5}]}`, backend.ErrWebhookBody},
	} {
		hook, err := c.Webhook(test.header, []byte(test.body))
		if test.want == nil {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if _, ok := errors.AsType[*backend.WebhookError](err); !ok || !errors.Is(err, test.want) || hook != nil {
			t.Errorf("%s: %v, want a WebhookError that is %v", name, err, test.want)
		}
	}
}

// Covers 65, 66.
func TestTokensOfWebhooks(t *testing.T) {
	const body = `{"time_ms":1,"events":[]}`
	other, twin := backend.Token{Key: "other", Secret: "two"}, backend.Token{Key: testKey, Secret: "three"}
	header := func(key, secret string) http.Header {
		return hookHeader(key, backend.Token{Secret: secret}.Sign([]byte(body)))
	}
	plain := client(t, answers())
	configured := client(t, answers(), func(cfg *backend.Config) { cfg.WebhookTokens = []backend.Token{other, twin} })
	for name, test := range map[string]struct {
		hook func() (*backend.Webhook, error)
		want error
	}{
		"extra":              {func() (*backend.Webhook, error) { return plain.Webhook(header("other", "two"), []byte(body), other) }, nil},
		"configured":         {func() (*backend.Webhook, error) { return configured.Webhook(header("other", "two"), []byte(body)) }, nil},
		"other's key":        {func() (*backend.Webhook, error) { return plain.Webhook(header(testKey, "two"), []byte(body), other) }, backend.ErrWebhookSignature},
		"key, other secret":  {func() (*backend.Webhook, error) { return configured.Webhook(header("other", testSecret), []byte(body)) }, backend.ErrWebhookSignature},
		"second of a key":    {func() (*backend.Webhook, error) { return configured.Webhook(header(testKey, "three"), []byte(body)) }, nil},
		"first of a key":     {func() (*backend.Webhook, error) { return configured.Webhook(header(testKey, testSecret), []byte(body)) }, nil},
		"without being told": {func() (*backend.Webhook, error) { return plain.Webhook(header("other", "two"), []byte(body)) }, backend.ErrWebhookKey},
		"empty secret": {func() (*backend.Webhook, error) {
			return plain.Webhook(header("e", ""), []byte(body), backend.Token{Key: "e"})
		}, backend.ErrWebhookSignature},
	} {
		hook, err := test.hook()
		if !errors.Is(err, test.want) || test.want == nil && (err != nil || hook.Key == "") {
			t.Errorf("%s: %+v, %v; want %v", name, hook, err, test.want)
		}
	}
}

// Covers 69.
func TestAgeOfWebhooks(t *testing.T) {
	for offset, want := range map[time.Duration]error{
		0: nil, 5 * time.Minute: nil, -5 * time.Minute: nil,
		5*time.Minute + time.Second: backend.ErrWebhookStale, -5*time.Minute - time.Second: backend.ErrWebhookStale,
	} {
		c := client(t, answers(), func(cfg *backend.Config) {
			cfg.WebhookMaxAge = 5 * time.Minute
			cfg.Now = func() time.Time { return time.UnixMilli(hookTime).Add(offset) }
		})
		h, body := signedHook(`{"time_ms":1327078148132,"events":[]}`)
		if _, err := c.Webhook(h, body); !errors.Is(err, want) {
			t.Errorf("%v later: %v, want %v", offset, err, want)
		}
	}
}

// Covers 70, 71.
func TestEncryptedWebhooks(t *testing.T) {
	box := `{\"nonce\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"ciphertext\":\"GBYp1MB6bh0byfszpeaA+urPZkXUBA==\"}`
	h, body := signedHook(`{"time_ms":1,"events":[` +
		`{"name":"channel_occupied","channel":"private-encrypted-foobar"},` +
		`{"name":"client_event","channel":"private-encrypted-foobar","event":"client-secret","data":"` + box + `","socket_id":"1.2"},` +
		`{"name":"client_event","channel":"private-encrypted-other","event":"client-secret","data":"` + box + `"}]}`)
	hook, err := client(t, answers()).Webhook(h, body)
	if err != nil {
		t.Fatal(err)
	}
	if e := hook.Events[0]; e.Name != backend.EventChannelOccupied || e.Decrypted || e.DecryptErr != nil {
		t.Errorf("channel_occupied = %+v", e)
	}
	if e := hook.Events[1]; e.Data != "Hello!" || !e.Decrypted || e.DecryptErr != nil || e.SocketID != "1.2" || e.Event != "client-secret" {
		t.Errorf("client event = %+v", e)
	}
	if e := hook.Events[2]; e.Decrypted || !errors.Is(e.DecryptErr, backend.ErrDecrypt) || !strings.HasPrefix(e.Data, `{"nonce"`) {
		t.Errorf("client event with another key = %+v", e)
	}
	without := client(t, answers(), func(cfg *backend.Config) { cfg.EncryptionMasterKeyBase64 = "" })
	if hook, err = without.Webhook(h, body); err != nil || hook.Events[1].Decrypted || hook.Events[1].DecryptErr != nil || !strings.HasPrefix(hook.Events[1].Data, `{"nonce"`) {
		t.Errorf("without a key: %+v, %v", hook, err)
	}
}

// Covers 72.
func TestFieldsOfWebhookEvents(t *testing.T) {
	h, body := signedHook(`{"time_ms":1,"events":[` +
		`{"name":"subscription_count","channel":"c","subscription_count":3},` +
		`{"name":"member_added","channel":"presence-c","user_id":17},` +
		`{"name":"client_event","channel":"private-c","event":"client-x","data":{"on": true},"user_id":null},` +
		`{"name":"something_new","channel":"c","depth":[1]}]}`)
	hook, err := client(t, answers()).Webhook(h, body)
	if err != nil {
		t.Fatal(err)
	}
	if got := hook.Events[0].SubscriptionCount; got != 3 {
		t.Errorf("subscription_count = %d, want 3", got)
	}
	if got := hook.Events[1].UserID; got != "17" {
		t.Errorf("user_id = %q, want 17", got)
	}
	if got := hook.Events[2]; got.Data != `{"on": true}` || got.UserID != "" {
		t.Errorf("client event = %+v", got)
	}
	if got := hook.Events[3]; got.Name != "something_new" || string(got.Raw) != `{"name":"something_new","channel":"c","depth":[1]}` {
		t.Errorf("unknown event = %+v", got)
	}
}

// Covers 73.
func TestWebhookHandler(t *testing.T) {
	c := client(t, answers())
	var seen *backend.Webhook
	var fail error
	h := c.WebhookHandler(func(_ context.Context, w *backend.Webhook) error { seen = w; return fail })
	header, body := signedHook(`{"time_ms":1,"events":[{"name":"cache_miss","channel":"cache-x"}]}`)
	post := func(method, body string) int {
		seen = nil
		r := httptest.NewRequest(method, "/hook", strings.NewReader(body))
		r.Header = header.Clone()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	if status := post("POST", string(body)); status != 200 || seen == nil || seen.Events[0].Name != backend.EventCacheMiss {
		t.Errorf("webhook: status %d, %+v", status, seen)
	}
	fail = errors.New("later")
	if status := post("POST", string(body)); status != 500 {
		t.Errorf("failure: status %d, want 500", status)
	}
	if status := post("POST", string(body)+" "); status != 401 || seen != nil {
		t.Errorf("altered: status %d, %+v", status, seen)
	}
	if status := post("GET", ""); status != 405 || seen != nil {
		t.Errorf("GET: status %d", status)
	}
}

func TestBodyOfAWebhookCanBeReadAgain(t *testing.T) {
	c := client(t, answers())
	for _, text := range []string{`{"time_ms":1,"events":[]}`, strings.Repeat("x", 2<<20)} {
		header, body := signedHook(text)
		r := httptest.NewRequest("POST", "/", strings.NewReader(string(body)))
		r.Header = header
		_, err := c.WebhookFromRequest(r)
		if (err == nil) != (len(text) < 100) {
			t.Errorf("WebhookFromRequest of %d bytes = %v", len(text), err)
		}
		if again, _ := io.ReadAll(r.Body); string(again) != text {
			t.Errorf("%d bytes are left of %d", len(again), len(text))
		}
	}
}
