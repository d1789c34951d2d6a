package fcm

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/internal/push/notification"
	"github.com/belfryhq/belfry/internal/push/pushtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// rig is a Google and a client of it.
type rig struct {
	google  *pushtest.FCM
	account []byte
	cfg     Config
	client  *Client
}

func start(t *testing.T, change func(*rig)) *rig {
	t.Helper()
	r := &rig{google: new(pushtest.FCM)}
	r.google.Start()
	t.Cleanup(r.google.Close)
	var err error
	if r.account, err = r.google.ServiceAccount("shop"); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(r.google.Certificate())
	r.cfg = Config{Endpoint: r.google.URL, Roots: roots, AllowedNetworks: loopback}
	if change != nil {
		change(r)
	}
	if r.client, err = New(&notification.FCMCredentials{ServiceAccount: r.account}, r.cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.client.Close)
	return r
}

func (r *rig) send(token string) notification.Outcome {
	return r.client.Send(context.Background(), "", notification.Device{Platform: notification.FCM, Token: token},
		&notification.Notification{Body: json.RawMessage(`{"data":{"a":"b"}}`)})
}

func TestMessageArrives(t *testing.T) {
	r := start(t, nil)
	if o := r.send("t1"); o.Verdict != notification.Accepted || !strings.HasPrefix(o.ID, "0:") {
		t.Fatalf("Send = %+v", o)
	}
	d := r.google.Deliveries()[0]
	if got, want := string(d.Body), `{"message":{"data":{"a":"b"},"token":"t1"}}`; got != want || d.Host != "shop" {
		t.Errorf("Google got %s for %s, want %s", got, d.Host, want)
	}
	n := notification.Notification{Body: json.RawMessage(`{}`), ValidateOnly: true}
	r.client.Send(context.Background(), "", notification.Device{Token: "t"}, &n)
	if got := string(r.google.Deliveries()[1].Body); got != `{"validate_only":true,"message":{"token":"t"}}` {
		t.Errorf("a dry run is %s", got)
	}
}

func TestAccessTokenIsFetchedOnce(t *testing.T) {
	r := start(t, nil)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if o := r.send("t"); o.Verdict != notification.Accepted {
				t.Errorf("Send = %+v", o)
			}
		})
	}
	wg.Wait()
	if n := r.google.TokensAsked(); n != 1 {
		t.Errorf("%d tokens for 50 sends at once, want 1", n)
	}
	r.google.Revoke()
	if o := r.send("t"); o.Verdict != notification.Accepted || r.google.TokensAsked() != 2 {
		t.Errorf("after a revocation Send = %+v with %d tokens, want it accepted with a second one", o, r.google.TokensAsked())
	}
}

func TestAccessTokenIsRenewedBeforeItsEnd(t *testing.T) {
	ahead := time.Duration(0)
	r := start(t, func(r *rig) { r.cfg.Now = func() time.Time { return time.Now().Add(ahead) } })
	r.send("t")
	ahead = 50 * time.Minute
	r.send("t")
	if n := r.google.TokensAsked(); n != 1 {
		t.Errorf("%d tokens after 50 minutes, want 1", n)
	}
	ahead = 57 * time.Minute
	r.send("t")
	if n := r.google.TokensAsked(); n != 2 {
		t.Errorf("%d tokens after 57 minutes, want 2", n)
	}
}

func TestAnswersOfGoogle(t *testing.T) {
	badField := `{"error":{"status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"message.android.ttl"}]},` +
		`{"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":"INVALID_ARGUMENT"}]}}`
	for name, tt := range map[string]struct {
		fault pushtest.Fault
		want  notification.Outcome
	}{
		"unregistered":   {pushtest.Fault{Status: 404, Reason: "UNREGISTERED"}, notification.Outcome{Verdict: notification.DeviceGone}},
		"bad token":      {pushtest.Fault{Status: 400, Reason: "INVALID_ARGUMENT"}, notification.Outcome{Verdict: notification.DeviceGone}},
		"violation":      {pushtest.Fault{Status: 400, Body: strings.Replace(badField, "message.android.ttl", "message.token", 1)}, notification.Outcome{Verdict: notification.DeviceGone}},
		"bad payload":    {pushtest.Fault{Status: 400, Body: badField}, notification.Outcome{Verdict: notification.BadPayload}},
		"no detail":      {pushtest.Fault{Status: 400, Body: `{"error":{"status":"INVALID_ARGUMENT"}}`}, notification.Outcome{Verdict: notification.BadPayload}},
		"mismatch":       {pushtest.Fault{Status: 403, Reason: "SENDER_ID_MISMATCH"}, notification.Outcome{Verdict: notification.DeviceMismatch}},
		"forbidden":      {pushtest.Fault{Status: 403, Body: `{"error":{"status":"PERMISSION_DENIED"}}`}, notification.Outcome{Verdict: notification.BadCredentials}},
		"third party":    {pushtest.Fault{Status: 401, Reason: "THIRD_PARTY_AUTH_ERROR"}, notification.Outcome{Verdict: notification.DeviceRefused}},
		"no project":     {pushtest.Fault{Status: 404, Body: "<html>"}, notification.Outcome{Verdict: notification.BadCredentials}},
		"quota":          {pushtest.Fault{Status: 429, Reason: "QUOTA_EXCEEDED"}, notification.Outcome{Verdict: notification.Retry, Scope: notification.Credential, RetryAfter: time.Minute}},
		"quota for 7 s":  {pushtest.Fault{Status: 429, Reason: "QUOTA_EXCEEDED", RetryAfter: "7"}, notification.Outcome{Verdict: notification.Retry, Scope: notification.Credential, RetryAfter: 7 * time.Second}},
		"unavailable":    {pushtest.Fault{Status: 503, Reason: "UNAVAILABLE"}, notification.Outcome{Verdict: notification.Retry, Scope: notification.OneDevice, RetryAfter: 10 * time.Second}},
		"for three secs": {pushtest.Fault{Status: 503, Reason: "UNAVAILABLE", RetryAfter: "3"}, notification.Outcome{Verdict: notification.Retry, Scope: notification.Credential, RetryAfter: 3 * time.Second}},
		"internal":       {pushtest.Fault{Status: 500, Reason: "INTERNAL"}, notification.Outcome{Verdict: notification.Retry, Scope: notification.OneDevice, RetryAfter: 10 * time.Second}},
		"reset":          {pushtest.Fault{Reset: true}, notification.Outcome{Verdict: notification.Retry, Scope: notification.OneDevice}},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, nil)
			r.google.Fail("*", tt.fault)
			got := r.send("5ecret")
			if strings.Contains(got.Reason, "5ecret") || got.Reason == "" {
				t.Errorf("the reason is %q", got.Reason)
			}
			got.Reason = ""
			if got != tt.want {
				t.Errorf("Send = %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestServiceAccountThatIsRefusedSaysWhy(t *testing.T) {
	r := start(t, nil)
	r.google.FailTokens(&pushtest.Fault{Status: 400, Reason: "invalid_grant"})
	for range 3 {
		if o := r.send("t"); o.Verdict != notification.BadCredentials || !strings.Contains(o.Reason, "invalid_grant") {
			t.Errorf("Send = %+v", o)
		}
	}
	if n := r.google.TokensAsked(); n != 1 {
		t.Errorf("Google was asked %d times at once, want once", n)
	}
	off := start(t, nil)
	off.google.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	if o := off.send("t"); o.Verdict != notification.BadCredentials || !strings.Contains(o.Reason, "2h0m0s behind") {
		t.Errorf("with a clock that is off Send = %+v", o)
	}
	silent := start(t, nil)
	silent.google.FailTokens(&pushtest.Fault{Status: 503})
	if o := silent.send("t"); o.Verdict != notification.Retry || o.Scope != notification.Credential {
		t.Errorf("without tokens Send = %+v", o)
	}
}

func TestServiceAccountsThatAreNoneSayWhy(t *testing.T) {
	for want, file := range map[string]string{
		"not the JSON file":    "secret",
		"not of a service acc": `{"type":"authorized_user"}`,
		"no project_id":        `{"type":"service_account"}`,
		"not a name":           `{"type":"service_account","project_id":"a/b","client_email":"x"}`,
		"URL of https":         `{"type":"service_account","project_id":"a","client_email":"x","token_uri":"http://secret"}`,
		"not one of RSA":       `{"type":"service_account","project_id":"a","client_email":"x","private_key":"secret"}`,
	} {
		_, err := New(&notification.FCMCredentials{ServiceAccount: []byte(file)}, Config{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("New(%s) = %v, want %q", file, err, want)
		}
	}
}

func TestTokenURIWithinPrivateNetworksIsRefused(t *testing.T) {
	r := start(t, func(r *rig) { r.cfg.AllowedNetworks = nil })
	if o := r.send("t"); o.Verdict != notification.Retry || !strings.Contains(o.Reason, "forbidden_address") || r.google.TokensAsked() > 0 {
		t.Errorf("Send = %+v", o)
	}
}

func TestTranslate(t *testing.T) {
	for text, want := range map[string]string{
		`{}`: `{}`,
		`{"to":"x","registration_ids":["y"],"condition":"c","topic":"t","token":"k","notification_key":"n","data":{"a":"b"}}`: `{"data":{"a":"b"}}`,
		`{"data":{"a":1,"b":true,"c":{"d": [1, 2]},"e":null,"f":"<&>"}}`:                                                      `{"data":{"a":"1","b":"true","c":"{\"d\":[1,2]}","f":"<&>"}}`,
		`{"time_to_live":3600,"priority":"high","collapse_key":"k","restricted_package_name":"p"}`:                            `{"android":{"collapse_key":"k","priority":"HIGH","ttl":"3600s","restricted_package_name":"p"}}`,
		`{"time_to_live":0}`: `{"android":{"ttl":"0s"}}`,
		`{"delay_while_idle":true,"content_available":true,"mutable_content":true}`:                                              `{}`,
		`{"notification":{"title":"t","badge":"1","android_channel_id":"c","body_loc_args":["a",1],"title_loc_args":"[\"x\"]"}}`: `{"android":{"notification":{"body_loc_args":["a","1"],"channel_id":"c","title":"t","title_loc_args":["x"]}}}`,
	} {
		m, err := Translate([]byte(text))
		if err != nil || string(m.Body) != want {
			t.Errorf("Translate(%s) = %s, %v, want %s", text, m.Body, err, want)
		}
	}
	if m, err := Translate([]byte(`{"dry_run":true}`)); err != nil || !m.ValidateOnly {
		t.Errorf("a dry run is %+v, %v", m, err)
	}
	for text, want := range map[string]string{
		`[]`:                                    "not a JSON object",
		`{"time_to_live":-1}`:                   "time_to_live",
		`{"time_to_live":2419201}`:              "time_to_live",
		`{"time_to_live":"x"}`:                  "time_to_live",
		`{"priority":"urgent"}`:                 "priority",
		`{"data":{"from":"x"}}`:                 `"from"`,
		`{"data":{"google.a":"x"}}`:             "reserved",
		`{"data":{"gcm.notification.x":"x"}}`:   "reserved",
		`{"data":[]}`:                           "data",
		`{"notification":{"body_loc_args":{}}}`: "body_loc_args",
		`{"data":{"a":"` + strings.Repeat("x", 4096) + `"}}`: "4097 bytes",
	} {
		if _, err := Translate([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Translate(%.40s) = %v, want %q", text, err, want)
		}
	}
}

// FuzzTranslate: what is translated is a message of v1, with texts alone.
func FuzzTranslate(f *testing.F) {
	f.Add([]byte(`{"data":{"a":1},"notification":{"title":"t"},"time_to_live":5}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := Translate(text)
		if err != nil {
			return
		}
		var v struct {
			Data map[string]string `json:"data"`
		}
		if err := json.Unmarshal(m.Body, &v); err != nil {
			t.Errorf("Translate(%q) = %s: %v", text, m.Body, err)
		}
		for key := range v.Data {
			if Reserved(key) {
				t.Errorf("%q has a reserved key", m.Body)
			}
		}
	})
}
