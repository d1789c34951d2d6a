package webpush

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	other "github.com/SherClockHolmes/webpush-go"
	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/internal/push/notification"
	"github.com/belfryhq/belfry/internal/push/pushtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

const contact = "mailto:ops@example.com"

// rig is a push service, a browser that is subscribed, and a client.
type rig struct {
	service *pushtest.Web
	keys    []notification.VAPIDKey
	device  notification.Device
	cfg     Config
	client  *Client
}

func start(t *testing.T, change func(*rig)) *rig {
	t.Helper()
	r := &rig{service: new(pushtest.Web)}
	r.service.Start()
	t.Cleanup(r.service.Close)
	key, err := NewKey("k1")
	if err != nil {
		t.Fatal(err)
	}
	r.keys = []notification.VAPIDKey{key}
	r.device = r.subscribe(t, "s1")
	roots := x509.NewCertPool()
	roots.AddCert(r.service.Certificate())
	r.cfg = Config{Hosts: []string{strings.TrimPrefix(r.service.URL, "https://")}, Roots: roots, AllowedNetworks: loopback}
	if change != nil {
		change(r)
	}
	if r.client, err = New(&notification.WebCredentials{Keys: r.keys, Contact: contact}, r.cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.client.Close)
	return r
}

func (r *rig) subscribe(t *testing.T, id string) notification.Device {
	t.Helper()
	public, err := PublicKey(r.keys[0])
	if err != nil {
		t.Fatal(err)
	}
	text, err := r.service.Subscribe(id, public)
	if err != nil {
		t.Fatal(err)
	}
	s, err := notification.ParseSubscription(text)
	if err != nil {
		t.Fatal(err)
	}
	return notification.Device{Platform: notification.Web, Token: s.Token(), VAPIDKey: r.keys[0].ID}
}

func (r *rig) send(n notification.Notification) notification.Outcome {
	if n.Body == nil {
		n.Body = json.RawMessage(`{"notification":{}}`)
	}
	return r.client.Send(context.Background(), "", r.device, &n)
}

func TestMessageDecrypts(t *testing.T) {
	r := start(t, nil)
	body := []byte(`{"notification":{"title":"` + strings.Repeat("x", notification.MaxWeb-30) + `"}}`)
	body = append(body, bytes.Repeat([]byte(" "), notification.MaxWeb-len(body))...)
	if o := r.send(notification.Notification{Body: body, TTL: time.Hour, Urgent: true}); o.Verdict != notification.Accepted {
		t.Fatalf("Send = %+v, %v", o, r.service.Errors())
	}
	d := r.service.Deliveries()[0]
	if !bytes.Equal(d.Body, body) || d.Header.Get("TTL") != "3600" || d.Header.Get("Urgency") != "high" {
		t.Errorf("the browser got %.40s with %v", d.Body, d.Header)
	}
	if o := r.send(notification.Notification{Body: append(body, ' ')}); o.Verdict != notification.BadPayload {
		t.Errorf("Send of too much = %+v", o)
	}
}

func TestTTLIsWhatIsLeft(t *testing.T) {
	at := time.Now()
	r := start(t, func(r *rig) { r.cfg.Now = func() time.Time { return at } })
	r.send(notification.Notification{TTL: time.Hour, Expires: at.Add(10 * time.Minute)})
	r.send(notification.Notification{})
	for i, want := range []string{"600", "0"} {
		if got := r.service.Deliveries()[i].Header.Get("TTL"); got != want {
			t.Errorf("TTL = %s, want %s", got, want)
		}
	}
}

// TestVectorOfRFC8291 is its appendix A.
func TestVectorOfRFC8291(t *testing.T) {
	b := func(text string) []byte {
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	private, err := ecdh.P256().NewPrivateKey(b("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"))
	if err != nil {
		t.Fatal(err)
	}
	s := notification.Subscription{
		P256DH: b("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"),
		Auth:   b("BTBZMqHH6r4Tts7J_aSIgg"),
	}
	got, err := encryptWith(s, []byte("When I grow up, I want to be a watermelon"), private, bytes.NewReader(b("DGv6ra1nlYgDCS1FRnbzlw")))
	want := b("DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN")
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("encrypt = %x, %v, want %x", got, err, want)
	}
}

func TestAnswersOfPushServices(t *testing.T) {
	for name, tt := range map[string]struct {
		fault pushtest.Fault
		want  notification.Outcome
	}{
		"not found":   {pushtest.Fault{Status: 404}, notification.Outcome{Verdict: notification.DeviceGone}},
		"gone":        {pushtest.Fault{Status: 410}, notification.Outcome{Verdict: notification.DeviceGone}},
		"bad request": {pushtest.Fault{Status: 400, Body: "5ecret"}, notification.Outcome{Verdict: notification.DeviceRefused}},
		"redirect":    {pushtest.Fault{Status: 307, Header: map[string]string{"Location": "https://127.0.0.1/"}}, notification.Outcome{Verdict: notification.DeviceRefused}},
		"forbidden":   {pushtest.Fault{Status: 403}, notification.Outcome{Verdict: notification.BadCredentials}},
		"too large":   {pushtest.Fault{Status: 413}, notification.Outcome{Verdict: notification.BadPayload}},
		"too many":    {pushtest.Fault{Status: 429, RetryAfter: "7"}, notification.Outcome{Verdict: notification.Retry, Scope: notification.Host, RetryAfter: 7 * time.Second}},
		"until then":  {pushtest.Fault{Status: 503, RetryAfter: "Sun, 29 Nov 2026 10:00:10 GMT", Header: map[string]string{"Date": "Sun, 29 Nov 2026 10:00:00 GMT"}}, notification.Outcome{Verdict: notification.Retry, Scope: notification.Host, RetryAfter: 10 * time.Second}},
		"busy":        {pushtest.Fault{Status: 500}, notification.Outcome{Verdict: notification.Retry, Scope: notification.OneDevice}},
		"created":     {pushtest.Fault{Status: 202}, notification.Outcome{Verdict: notification.Accepted}},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, nil)
			r.service.Fail("*", tt.fault)
			got := r.send(notification.Notification{})
			if strings.Contains(got.Reason, "5ecret") || strings.Contains(got.Reason, "wp/s1") {
				t.Errorf("the reason is %q", got.Reason)
			}
			got.Reason = ""
			if got != tt.want {
				t.Errorf("Send = %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestKeyThatIsNotHeldAnyMore(t *testing.T) {
	r := start(t, func(r *rig) {
		key, err := NewKey("k2")
		if err != nil {
			t.Fatal(err)
		}
		r.keys = []notification.VAPIDKey{key} // the device is bound to k1
	})
	if o := r.send(notification.Notification{}); o.Verdict != notification.DeviceGone || !strings.Contains(o.Reason, "not there any more") {
		t.Errorf("Send = %+v", o)
	}
	both := start(t, func(r *rig) {
		key, err := NewKey("k2")
		if err != nil {
			t.Fatal(err)
		}
		r.keys = append([]notification.VAPIDKey{key}, r.keys...)
	})
	if o := both.send(notification.Notification{}); o.Verdict != notification.Accepted {
		t.Errorf("with both keys Send = %+v", o)
	}
}

func TestTokenIsKeptForItsService(t *testing.T) {
	at := time.Now()
	r := start(t, func(r *rig) { r.cfg.Now = func() time.Time { return at } })
	for _, step := range []time.Duration{0, time.Hour, 4 * time.Hour, 2 * time.Hour} {
		at = at.Add(step)
		r.send(notification.Notification{})
	}
	seen := make(map[string]bool)
	for _, d := range r.service.Deliveries() {
		seen[d.Header.Get("Authorization")] = true
	}
	if len(seen) != 2 {
		t.Errorf("%d tokens in seven hours, want 2", len(seen))
	}
}

func TestForeignHostsAreRefused(t *testing.T) {
	r := start(t, func(r *rig) { r.cfg.Hosts = nil })
	if o := r.send(notification.Notification{}); o.Verdict != notification.DeviceRefused || r.service.Requests() > 0 {
		t.Errorf("Send to a host that is not on the list = %+v", o)
	}
	r = start(t, func(r *rig) { r.cfg.AllowedNetworks = nil })
	if o := r.send(notification.Notification{}); o.Verdict != notification.DeviceRefused || r.service.Requests() > 0 {
		t.Errorf("Send into a private network = %+v", o)
	}
}

func TestContactsAreChecked(t *testing.T) {
	for contact, want := range map[string]bool{
		"mailto:ops@example.com": true, "https://example.com/contact": true,
		"mailto:ops@localhost": false, "https://x.invalid": false, "mailto:a b@example.com": false, "ops@example.com": false, "http://example.com": false, "": false,
	} {
		if err := CheckContact(contact); (err == nil) != want {
			t.Errorf("CheckContact(%q) = %v", contact, err)
		}
	}
}

// TestFakeServiceIsJudged: what another library sends, the fake takes.
func TestFakeServiceIsJudged(t *testing.T) {
	r := start(t, nil)
	s, err := notification.ParseSubscription([]byte(r.device.Token))
	if err != nil {
		t.Fatal(err)
	}
	public, err := PublicKey(r.keys[0])
	if err != nil {
		t.Fatal(err)
	}
	client := r.service.Client()
	defer client.CloseIdleConnections()
	answer, err := other.SendNotification([]byte("hello"), &other.Subscription{Endpoint: s.Endpoint, Keys: other.Keys{
		Auth: base64.RawURLEncoding.EncodeToString(s.Auth), P256dh: base64.RawURLEncoding.EncodeToString(s.P256DH),
	}}, &other.Options{
		HTTPClient: client, Subscriber: "ops@example.com", TTL: 30,
		VAPIDPublicKey: public, VAPIDPrivateKey: base64.RawURLEncoding.EncodeToString(r.keys[0].Private),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusCreated || string(r.service.Deliveries()[0].Body) != "hello" {
		t.Errorf("webpush-go is answered %d, and the browser got %q; %v", answer.StatusCode, r.service.Deliveries(), r.service.Errors())
	}
}
