package apns

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sideshow/apns2"
	"github.com/sideshow/apns2/token"
	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/internal/certificate/certificatetest"
	"github.com/belfryhq/belfry/internal/push/notification"
	"github.com/belfryhq/belfry/internal/push/pushtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

const (
	team  = "TEAM000001"
	keyID = "KEY0000001"
	id    = "123e4567-e89b-12d3-a456-426614174000"
	alert = `{"aps":{"alert":"hello"}}`
)

// rig is two hosts of Apple and a client of them.
type rig struct {
	production, sandbox *pushtest.APNs
	client              *Client
	credentials         notification.APNsCredentials
	cfg                 Config
}

func start(t *testing.T, change func(*rig)) *rig {
	t.Helper()
	r := &rig{production: new(pushtest.APNs), sandbox: new(pushtest.APNs)}
	p8, err := r.production.Key(team, keyID)
	if err != nil {
		t.Fatal(err)
	}
	r.sandbox.Teams = r.production.Teams
	for _, host := range []*pushtest.APNs{r.production, r.sandbox} {
		host.Start()
		t.Cleanup(host.Close)
	}
	roots := x509.NewCertPool()
	roots.AddCert(r.production.Certificate())
	r.credentials = notification.APNsCredentials{TeamID: team, KeyID: keyID, Key: p8, Topic: "com.example"}
	r.cfg = Config{Production: r.production.URL, Sandbox: r.sandbox.URL, Roots: roots, AllowedNetworks: loopback}
	if change != nil {
		change(r)
	}
	if r.client, err = New(&r.credentials, r.cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.client.Close)
	return r
}

func (r *rig) send(d notification.Device, n notification.Notification) notification.Outcome {
	if n.Body == nil {
		n.Body = []byte(alert)
	}
	if d.Token == "" {
		d.Token = "aa01"
	}
	return r.client.Send(context.Background(), id, d, &n)
}

func TestHeadersAreThoseOfTheNotification(t *testing.T) {
	r := start(t, nil)
	zero := int64(0)
	o := r.send(notification.Device{Topic: "com.other"}, notification.Notification{Priority: 5, CollapseID: "c", Expiration: &zero})
	if o.Verdict != notification.Accepted || o.ID != id {
		t.Fatalf("Send = %+v", o)
	}
	h := r.production.Deliveries()[0].Header
	for name, want := range map[string]string{
		"apns-topic": "com.other", "apns-push-type": "alert", "apns-priority": "5", "apns-expiration": "0",
		"apns-collapse-id": "c", "apns-id": id,
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	r.send(notification.Device{}, notification.Notification{Body: []byte(`{"aps":{"content-available":1}}`), Priority: 10})
	h = r.production.Deliveries()[1].Header
	if h.Get("apns-push-type") != "background" || h.Get("apns-priority") != "5" || h.Get("apns-topic") != "com.example" {
		t.Errorf("what nobody sees goes out with %v", h)
	}
	if _, ok := h["Apns-Expiration"]; ok {
		t.Error("an expiration is sent that nobody has named")
	}
}

func TestOneConnectionServesManySends(t *testing.T) {
	r := start(t, nil)
	r.send(notification.Device{}, notification.Notification{}) // whose connection the others find
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if o := r.send(notification.Device{}, notification.Notification{}); o.Verdict != notification.Accepted {
				t.Errorf("Send = %+v", o)
			}
		})
	}
	wg.Wait()
	if n := r.production.Connections(); n != 1 {
		t.Errorf("%d connections for 101 sends, want 1", n)
	}
}

func TestTeamsHaveConnectionsOfTheirOwn(t *testing.T) {
	r := start(t, nil)
	p8, err := r.production.Key("TEAM000002", keyID)
	if err != nil {
		t.Fatal(err)
	}
	other, err := New(&notification.APNsCredentials{TeamID: "TEAM000002", KeyID: keyID, Key: p8, Topic: "x"}, r.cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	r.send(notification.Device{}, notification.Notification{})
	n := notification.Notification{Body: []byte(alert)}
	if o := other.Send(context.Background(), id, notification.Device{Token: "aa"}, &n); o.Verdict != notification.Accepted {
		t.Errorf("Send = %+v", o)
	}
	if n := r.production.Connections(); n != 2 {
		t.Errorf("%d connections for two teams, want 2", n)
	}
}

func TestAnswersOfApple(t *testing.T) {
	at := time.UnixMilli(1700000000123)
	for name, tt := range map[string]struct {
		fault pushtest.Fault
		want  notification.Outcome
	}{
		"gone":           {pushtest.Fault{Status: 410, Reason: "Unregistered", Timestamp: at.UnixMilli()}, notification.Outcome{Verdict: notification.DeviceGone, GoneAt: at}},
		"expired token":  {pushtest.Fault{Status: 410, Reason: "ExpiredToken", Timestamp: at.UnixMilli()}, notification.Outcome{Verdict: notification.DeviceGone, GoneAt: at}},
		"not for topic":  {pushtest.Fault{Status: 400, Reason: "DeviceTokenNotForTopic"}, notification.Outcome{Verdict: notification.DeviceRefused}},
		"collapse id":    {pushtest.Fault{Status: 400, Reason: "BadCollapseId"}, notification.Outcome{Verdict: notification.BadPayload}},
		"topic":          {pushtest.Fault{Status: 400, Reason: "BadTopic"}, notification.Outcome{Verdict: notification.BadPayload}},
		"unknown of 400": {pushtest.Fault{Status: 400, Reason: "SomethingNew"}, notification.Outcome{Verdict: notification.BadPayload}},
		"idle":           {pushtest.Fault{Status: 400, Reason: "IdleTimeout"}, notification.Outcome{Verdict: notification.Retry, Scope: notification.OneDevice}},
		"certificate":    {pushtest.Fault{Status: 403, Reason: "BadCertificate"}, notification.Outcome{Verdict: notification.BadCredentials}},
		"path":           {pushtest.Fault{Status: 404, Reason: "BadPath"}, notification.Outcome{Verdict: notification.DeviceRefused}},
		"too large":      {pushtest.Fault{Status: 413, Reason: "PayloadTooLarge"}, notification.Outcome{Verdict: notification.BadPayload}},
		"too many":       {pushtest.Fault{Status: 429, Reason: "TooManyRequests"}, notification.Outcome{Verdict: notification.Retry, Scope: notification.OneDevice}},
		"many tokens":    {pushtest.Fault{Status: 429, Reason: "TooManyProviderTokenUpdates"}, notification.Outcome{Verdict: notification.Retry, Scope: notification.Credential, RetryAfter: time.Minute}},
		"error":          {pushtest.Fault{Status: 500, Reason: "InternalServerError"}, notification.Outcome{Verdict: notification.Retry, Scope: notification.OneDevice}},
		"busy":           {pushtest.Fault{Status: 503, Reason: "Shutdown", RetryAfter: "7"}, notification.Outcome{Verdict: notification.Retry, Scope: notification.OneDevice, RetryAfter: 7 * time.Second}},
		"reset":          {pushtest.Fault{Reset: true}, notification.Outcome{Verdict: notification.Retry, Scope: notification.OneDevice}},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, func(r *rig) { r.credentials.Environment = notification.Production })
			r.production.Fail("*", tt.fault)
			got := r.send(notification.Device{}, notification.Notification{})
			if tt.fault.Reason != "" && !strings.HasPrefix(got.Reason, tt.fault.Reason) {
				t.Errorf("the reason is %q, want %q", got.Reason, tt.fault.Reason)
			}
			got.Reason, got.ID = "", ""
			if !got.GoneAt.Equal(tt.want.GoneAt) {
				t.Errorf("GoneAt = %v, want %v", got.GoneAt, tt.want.GoneAt)
			}
			got.GoneAt, tt.want.GoneAt = time.Time{}, time.Time{}
			if got != tt.want {
				t.Errorf("Send = %+v, want %+v", got, tt.want)
			}
		})
	}
}

// A topic that whoever has registered the device has named does not stop the others.
func TestTopicOfADeviceIsItsOwn(t *testing.T) {
	r := start(t, nil)
	r.production.Topics = []string{"com.example"}
	if o := r.send(notification.Device{Topic: "made.up"}, notification.Notification{}); o.Verdict != notification.DeviceRefused {
		t.Errorf("Send = %+v, want the device refused", o)
	}
	r = start(t, func(r *rig) { r.credentials.Topic = "" })
	if o := r.send(notification.Device{}, notification.Notification{}); o.Verdict != notification.DeviceRefused {
		t.Errorf("Send without a topic = %+v", o)
	}
}

func TestTokenOfTheOtherHostIsRemembered(t *testing.T) {
	r := start(t, nil)
	r.production.Fail("aa01", pushtest.Fault{Status: 400, Reason: "BadDeviceToken"})
	o := r.send(notification.Device{}, notification.Notification{})
	if o.Verdict != notification.Accepted || o.Environment != notification.Sandbox {
		t.Errorf("Send = %+v, want it accepted by the sandbox", o)
	}
	before := r.production.Requests()
	r.send(notification.Device{Environment: notification.Sandbox}, notification.Notification{})
	if r.production.Requests() != before {
		t.Error("production was asked for a device of the sandbox")
	}
	r.sandbox.Fail("aa01", pushtest.Fault{Status: 400, Reason: "BadDeviceToken"})
	if o := r.send(notification.Device{}, notification.Notification{}); o.Verdict != notification.DeviceGone {
		t.Errorf("Send with a token that nobody knows = %+v", o)
	}
	r.sandbox.Fail("aa01", pushtest.Fault{Status: 403, Reason: "BadEnvironmentKeyInToken"})
	if o := r.send(notification.Device{}, notification.Notification{}); o.Verdict != notification.DeviceGone {
		t.Errorf("Send with a key that is for production alone = %+v", o)
	}
}

// clock is a clock that tests set.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func TestTokenIsRenewedInTime(t *testing.T) {
	c := &clock{at: time.Now()}
	r := start(t, func(r *rig) { r.cfg.Now, r.production.Now = c.now, c.now })
	tokens := make(map[string]bool)
	for range 3 * 6 { // every 10 minutes for 3 hours
		if o := r.send(notification.Device{}, notification.Notification{}); o.Verdict != notification.Accepted {
			t.Fatalf("Send = %+v", o)
		}
		c.add(10 * time.Minute)
	}
	for _, d := range r.production.Deliveries() {
		tokens[d.Header.Get("Authorization")] = true
	}
	if len(tokens) != 4 { // at 0, 50, 100 and 150 minutes
		t.Errorf("%d tokens in three hours, want 4", len(tokens))
	}
}

func TestExpiredTokenIsRenewedOnce(t *testing.T) {
	r := start(t, nil)
	r.production.Fail("*", pushtest.Fault{Status: 403, Reason: "ExpiredProviderToken", Times: 1})
	if o := r.send(notification.Device{}, notification.Notification{}); o.Verdict != notification.Accepted {
		t.Errorf("Send = %+v, want it accepted with a new token", o)
	}
	r.production.Fail("*", pushtest.Fault{Status: 403, Reason: "ExpiredProviderToken"})
	before := r.production.Requests()
	if o := r.send(notification.Device{}, notification.Notification{}); o.Verdict != notification.BadCredentials {
		t.Errorf("Send = %+v, want bad credentials", o)
	}
	if n := r.production.Requests() - before; n != 1 {
		t.Errorf("Apple was asked %d times, want once: it has had a new token just now", n)
	}
}

func TestClockThatIsOffIsNamed(t *testing.T) {
	for off, want := range map[time.Duration]string{-2 * time.Hour: "behind the provider's", 2 * time.Hour: "ahead of the provider's"} {
		c := &clock{at: time.Now().Add(off)}
		r := start(t, func(r *rig) { r.cfg.Now = c.now })
		o := r.send(notification.Device{}, notification.Notification{})
		if o.Verdict != notification.BadCredentials || !strings.Contains(o.Reason, want) {
			t.Errorf("with a clock that is %v off Send = %+v, want %q", off, o, want)
		}
	}
}

func TestWrongKeysSayWhatIsWrong(t *testing.T) {
	_, good, err := pushtest.NewP8()
	if err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]notification.APNsCredentials{
		"not PEM":           {TeamID: team, KeyID: keyID, Key: []byte("secret")},
		"10 characters":     {TeamID: "x", KeyID: keyID, Key: good},
		"no private key":    {TeamID: team, KeyID: keyID, Key: []byte(strings.Replace(string(good), "MIG", "AAA", 1))},
		"neither a key nor": {TeamID: team},
		".p12 file":         {Certificate: []byte("secret")},
	} {
		if _, err := New(&c, Config{}); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("New = %v, want %q", err, want)
		}
	}
	// A key that Apple does not know.
	r := start(t, func(r *rig) { r.credentials.Key = good })
	if o := r.send(notification.Device{}, notification.Notification{}); o.Verdict != notification.BadCredentials || o.Reason != "InvalidProviderToken" {
		t.Errorf("Send = %+v", o)
	}
}

func TestCertificateInsteadOfAKey(t *testing.T) {
	cert, key := certificatetest.New(t, 1)
	r := start(t, func(r *rig) {
		r.production.Certificates = true
		r.credentials = notification.APNsCredentials{Certificate: append(cert, key...), Topic: "com.example"}
	})
	if o := r.send(notification.Device{}, notification.Notification{}); o.Verdict != notification.Accepted {
		t.Errorf("Send = %+v", o)
	}
	if h := r.production.Deliveries()[0].Header; h.Get("Authorization") != "" {
		t.Error("a token is shown beside the certificate")
	}
}

func TestSilentAndMissingHosts(t *testing.T) {
	r := start(t, func(r *rig) { r.cfg.Timeout = 50 * time.Millisecond })
	r.production.Fail("*", pushtest.Fault{Silent: true})
	if o := r.send(notification.Device{}, notification.Notification{}); o.Verdict != notification.Retry || o.Scope != notification.Host || o.Reason != "no answer in time" {
		t.Errorf("Send to a host that is silent = %+v", o)
	}
	gone := start(t, func(r *rig) { r.production.Close() })
	if o := gone.send(notification.Device{}, notification.Notification{}); o.Verdict != notification.Retry || o.Scope != notification.Host {
		t.Errorf("Send to a host that is not there = %+v", o)
	}
	guarded := start(t, func(r *rig) { r.cfg.AllowedNetworks = nil })
	if o := guarded.send(notification.Device{}, notification.Notification{}); o.Verdict != notification.DeviceRefused || guarded.production.Requests() > 0 {
		t.Errorf("Send to a private address = %+v", o)
	}
}

// TestNoOutcomeHasTheToken of the device, whatever goes wrong.
func TestNoOutcomeHasTheToken(t *testing.T) {
	const secret = "5ec2e75ec2e7"
	for _, f := range []pushtest.Fault{{Reset: true}, {Status: 400, Reason: "It is " + secret}, {Status: 400, Body: secret}, {Status: 302, Header: map[string]string{"Location": "/" + secret}}} {
		r := start(t, nil)
		r.production.Fail("*", f)
		if o := r.send(notification.Device{Token: secret}, notification.Notification{}); strings.Contains(o.Reason, secret) || o.Verdict == notification.Accepted {
			t.Errorf("after %+v Send = %+v", f, o)
		}
	}
	r := start(t, nil)
	if o := r.send(notification.Device{Token: "../../etc?x"}, notification.Notification{}); o.Verdict != notification.DeviceGone || r.production.Requests() > 0 {
		t.Errorf("a token that is a path: %+v", o)
	}
}

// TestFakeAppleIsJudged: another client of Apple's finds the fake to be like it.
func TestFakeAppleIsJudged(t *testing.T) {
	r := start(t, nil)
	key, err := token.AuthKeyFromBytes(r.credentials.Key)
	if err != nil {
		t.Fatal(err)
	}
	c := apns2.NewTokenClient(&token.Token{AuthKey: key, KeyID: keyID, TeamID: team})
	c.Host = r.production.URL
	c.HTTPClient = r.production.Client()
	defer c.HTTPClient.CloseIdleConnections()
	send := func(token string) *apns2.Response {
		answer, err := c.Push(&apns2.Notification{DeviceToken: token, Topic: "com.example", PushType: apns2.PushTypeAlert, Payload: []byte(alert)})
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	if a := send("aa"); !a.Sent() {
		t.Errorf("apns2 is answered %+v", a)
	}
	if a := send("aadead"); a.StatusCode != http.StatusGone || a.Reason != apns2.ReasonUnregistered || a.Timestamp.IsZero() {
		t.Errorf("apns2 is answered %+v for a device that is gone", a)
	}
}

func TestCertificatesAreRead(t *testing.T) {
	cert, key := certificatetest.New(t, 1)
	_, _, err := readCertificate(append(cert, key...), "", time.Now())
	if err != nil {
		t.Error(err)
	}
	if _, _, err = readCertificate(append(cert, key...), "", time.Now().AddDate(200, 0, 0)); err == nil || !strings.Contains(err.Error(), "has expired") {
		t.Errorf("readCertificate of an old one = %v", err)
	}
	if _, _, err = readCertificate(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}), "", time.Now()); err == nil {
		t.Error("a certificate without a key is read")
	}
}
