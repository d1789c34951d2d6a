package fanout

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/push/callback"
	"github.com/belfryhq/belfry/internal/push/notification"
	"github.com/belfryhq/belfry/internal/push/pushtest"
	"github.com/belfryhq/belfry/internal/push/webpush"
)

func TestEachDeviceGetsOneCopy(t *testing.T) {
	r := start(t)
	tokens := r.phones(PageSize + 20)
	r.devices.add(notification.Device{ID: "fcm-1", Platform: notification.FCM, Token: "f1"}, "all")
	r.devices.add(notification.Device{ID: "gcm-1", Platform: notification.GCM, Token: "g1"}, "all")
	r.devices.add(notification.Device{ID: "other", Platform: notification.APNs, Token: "ff"}, "elsewhere")
	r.publish("1", nil)
	r.finished()
	got := r.apns.Counts()
	for _, token := range tokens {
		if got[token] != 1 {
			t.Fatalf("%s got %d copies, want one", token, got[token])
		}
	}
	if len(got) != len(tokens) || r.fcm.Counts()["f1"] != 1 || r.fcm.Counts()["g1"] != 1 {
		t.Errorf("%d of Apple and %v of Google", len(got), r.fcm.Counts())
	}
	if wrong := append(r.apns.Errors(), r.fcm.Errors()...); len(wrong) > 0 {
		t.Errorf("the providers find fault with %q", wrong)
	}
	seen := make(map[string]bool)
	for _, d := range r.apns.Deliveries() {
		seen[d.Header.Get("apns-id")] = true
	}
	if len(seen) != len(tokens) {
		t.Errorf("%d ids for %d devices", len(seen), len(tokens))
	}
}

func TestDevicesThatFailAreTriedAgainWithTheSameID(t *testing.T) {
	r := start(t)
	r.phones(10)
	r.apns.Fail("0000000300", pushtest.Fault{Status: 500, Times: 1})
	r.apns.Fail("0000000400", pushtest.Fault{Reset: true, Times: 1})
	r.publish("1", nil)
	r.finished()
	if got := r.apns.Counts(); len(got) != 10 || got["0000000300"] != 1 {
		t.Errorf("delivered %v", got)
	}
}

func TestDevicesThatAreGoneAreRemoved(t *testing.T) {
	r := start(t)
	r.phones(3)
	hour := time.Now().Add(-time.Hour)
	r.devices.add(notification.Device{ID: "late", Platform: notification.APNs, Token: "aa", Confirmed: hour.Add(time.Minute)}, "all")
	r.apns.Fail("0000000100", pushtest.Fault{Status: 410, Reason: "Unregistered", Timestamp: time.Now().UnixMilli()})
	r.apns.Fail("aa", pushtest.Fault{Status: 410, Reason: "Unregistered", Timestamp: hour.UnixMilli()})
	r.devices.add(notification.Device{ID: "f", Platform: notification.FCM, Token: "x-gone"}, "all")
	r.publish("1", nil)
	r.finished()
	if r.devices.has("apns-00000001") || r.devices.has("f") {
		t.Error("a device that is gone is still there")
	}
	if !r.devices.has("late") || !r.devices.has("apns-00000000") {
		t.Error("a device was removed that was confirmed after the provider had lost it")
	}
}

func TestMismatchRemovesTheSecondTime(t *testing.T) {
	r := start(t)
	r.devices.add(notification.Device{ID: "f", Platform: notification.FCM, Token: "x-mismatch"}, "all")
	r.publish("1", nil)
	r.finished()
	if !r.devices.has("f") {
		t.Fatal("removed after one publish")
	}
	r.publish("2", nil)
	r.finished()
	if r.devices.has("f") {
		t.Error("still there after two")
	}
}

func TestBadPayloadStopsThePlatform(t *testing.T) {
	r := start(t)
	r.phones(PageSize + 100)
	r.apns.Fail("*", pushtest.Fault{Status: 400, Reason: "BadCollapseId"})
	r.devices.add(notification.Device{ID: "f", Platform: notification.FCM, Token: "f"}, "all")
	r.publish("1", func(p *notification.Publish) {
		p.Callback = notification.Callback{URL: r.backend.URL, Level: notification.Info}
	})
	r.finished()
	if n := r.apns.Requests(); n > PageSize {
		t.Errorf("%d requests after the provider has refused the payload", n)
	}
	if r.fcm.Counts()["f"] != 1 {
		t.Error("the other platform was stopped too")
	}
	eventually(t, "two parts are reported", func() bool { return len(r.backend.got()) == 2 })
	for i, c := range r.backend.got() {
		var report struct {
			Results []map[string]any
			Part    int
			Parts   int
			Level   string
			Summary map[string]map[string]int
		}
		if err := json.Unmarshal(c.body, &report); err != nil {
			t.Fatal(err)
		}
		if report.Parts != 2 || len(report.Results) > 500 || report.Results[0]["description"] != "BadCollapseId" || report.Level != "INFO" {
			t.Errorf("call %d has %d results of part %d of %d", i, len(report.Results), report.Part, report.Parts)
		}
		if s := report.Summary["apns"]; s["failed"] != PageSize+100 || report.Summary["fcm"]["succeeded"] != 1 {
			t.Errorf("the summary is %v", report.Summary)
		}
		mac := hmac.New(sha256.New, []byte("secret"))
		mac.Write(c.body)
		if c.header.Get("X-Pusher-Key") != "key" || c.header.Get("X-Pusher-Signature") != hex.EncodeToString(mac.Sum(nil)) {
			t.Errorf("the signature is wrong: %v", c.header)
		}
	}
}

func TestLevels(t *testing.T) {
	r := start(t)
	r.phones(3)
	hear := func(l notification.Level) func(*notification.Publish) {
		return func(p *notification.Publish) { p.Callback = notification.Callback{URL: r.backend.URL, Level: l} }
	}
	r.publish("1", hear(notification.Info))
	r.finished()
	r.publish("2", hear(notification.Debug))
	eventually(t, "the second is reported", func() bool { return len(r.backend.got()) > 0 })
	calls := r.backend.got()
	if len(calls) != 1 || !strings.Contains(string(calls[0].body), `"pubid-2"`) || strings.Count(string(calls[0].body), `"success":true`) != 3 {
		t.Errorf("%d calls: %s", len(calls), calls[0].body)
	}
}

func TestNothingIsSentAfterItsExpiry(t *testing.T) {
	r := start(t)
	r.phones(2)
	r.publish("1", func(p *notification.Publish) {
		for i := range p.Notifications {
			p.Notifications[i].Expires = time.Now().Add(-time.Second)
		}
		p.Callback = notification.Callback{URL: r.backend.URL}
	})
	r.finished()
	if n := r.apns.Requests(); n > 0 {
		t.Errorf("%d requests for what has expired", n)
	}
	eventually(t, "it is reported", func() bool { return len(r.backend.got()) == 1 })
	if !strings.Contains(string(r.backend.got()[0].body), expired) {
		t.Errorf("reported: %s", r.backend.got()[0].body)
	}
}

// A smaller publish is delivered while a large one is under way.
func TestSmallPublishOvertakesALargeOne(t *testing.T) {
	r := start(t)
	r.phones(5 * PageSize)
	r.devices.add(notification.Device{ID: "u", Platform: notification.APNs, Token: "abcdef", User: "ann"})
	r.publish("1", nil)
	eventually(t, "the large one is under way", func() bool { return r.apns.Requests() > PageSize })
	r.publish("2", func(p *notification.Publish) { p.Audience = notification.Audience{Users: []string{"ann"}} })
	eventually(t, "the small one has arrived", func() bool { return r.apns.Counts()["abcdef"] == 1 })
	if len(r.apns.Counts()) > 5*PageSize {
		t.Error("the large one was finished before")
	}
	r.finished()
}

// What was accepted is delivered by the next process. A page may be delivered twice.
func TestStopAndStartGoesOn(t *testing.T) {
	r := start(t)
	tokens := r.phones(3 * PageSize)
	r.publish("1", nil)
	eventually(t, "it is under way", func() bool { return r.apns.Requests() > PageSize })
	r.close()
	r.open()
	r.finished()
	twice := 0
	got := r.apns.Counts()
	for _, token := range tokens {
		if got[token] == 0 {
			t.Fatalf("%s got nothing", token)
		}
		twice += got[token] - 1
	}
	if twice > PageSize {
		t.Errorf("%d copies too many, at most a page is", twice)
	}
}

// Two nodes that both believe to have a publish: one goes on.
func TestWhoWasGivenUpStops(t *testing.T) {
	r := start(t)
	p := &notification.Publish{ID: "pubid-x", App: "1"}
	a, b := &run{d: r.d, p: p}, &run{d: r.d, p: p}
	ctx := context.Background()
	if err := a.save(ctx); err != nil {
		t.Fatal(err)
	}
	if err := b.resume(ctx); err != nil || b.revision == a.revision {
		t.Fatalf("resume = %v", err)
	}
	if err := a.save(ctx); err != errTaken {
		t.Errorf("the one that was given up saves: %v", err)
	}
	if err := b.save(ctx); err != nil {
		t.Errorf("the one that goes on does not: %v", err)
	}
}

func TestCredentialsThatAreWrongAreTold(t *testing.T) {
	r := start(t)
	r.phones(3)
	c, _ := r.accounts.Credentials("1")
	_, p8, err := pushtest.NewP8()
	if err != nil {
		t.Fatal(err)
	}
	wrong := *c.APNs
	wrong.Key = p8
	r.accounts.set("1", notification.Credentials{APNs: &wrong, FCM: &notification.FCMCredentials{ServiceAccount: []byte("{}")}})
	r.accounts.set("2", notification.Credentials{APNs: c.APNs})
	r.devices.add(notification.Device{ID: "f", Platform: notification.FCM, Token: "f"}, "all")
	r.devices.add(notification.Device{ID: "z", App: "2", Platform: notification.APNs, Token: "bb"}, "all")
	r.publish("1", nil)
	var all []Status
	eventually(t, "the status says so", func() bool {
		all, _ = r.d.Status("1")
		return len(all) == 3 && all[0].State == Refused
	})
	if all[0].Cause != "InvalidProviderToken" || all[1].State != Invalid || !strings.Contains(all[1].Cause, "service account") || all[2].State != Missing {
		t.Errorf("Status = %+v", all)
	}
	r.publish("2", func(p *notification.Publish) { p.App = "2" })
	eventually(t, "another app goes on", func() bool { return r.apns.Counts()["bb"] == 1 })
	if all, _ := r.d.Status("2"); all[0].State != Working {
		t.Errorf("Status of the other app = %+v", all)
	}
	if text := r.log.String(); !strings.Contains(text, "InvalidProviderToken") || !strings.Contains(text, "app=1") {
		t.Errorf("the log says %s", text)
	}
}

func TestUsersAreEachInOneList(t *testing.T) {
	r := start(t)
	c, _ := r.accounts.Credentials("1")
	c.Webhooks = []notification.Webhook{{ID: "w1", URL: r.backend.URL, Secret: "webhook-secret", CustomData: []byte(`{"a":1}`)}}
	r.accounts.set("1", c)
	add := func(id, token, user string) {
		r.devices.add(notification.Device{ID: id, API: notification.Beams, Platform: notification.APNs, Token: token, User: user})
	}
	add("a1", "a1", "ann")
	add("a2", "a2dead", "ann")
	add("b1", "b1dead", "bob")
	add("c1", "c1", "cy")
	r.apns.Fail("c1", pushtest.Fault{Status: 400, Reason: "DeviceTokenNotForTopic"})
	r.publish("1", func(p *notification.Publish) {
		p.API = notification.Beams
		p.Audience = notification.Audience{Users: []string{"ann", "bob", "cy", "dee"}}
		p.Callback = notification.Callback{URL: r.backend.URL, Request: json.RawMessage(`{"users":[]}`)}
	})
	eventually(t, "three calls", func() bool { return len(r.backend.got()) == 3 })
	texts := ""
	for _, c := range r.backend.got() {
		texts += string(c.body)
		if c.header.Get("Webhook-Event-Type") != "" && c.header.Get("Webhook-Signature") != callback.BeamsSignature("webhook-secret", c.body) {
			t.Errorf("headers %v", c.header)
		}
	}
	for _, want := range []string{
		`"users_delivered_to_gateway":["ann"],"users_no_devices":["bob","dee"],"users_gateway_failed":["cy"]`, `"custom_data":{"a":1}`,
		`"status":"STARTED","requestBody":{"users":[]}`, `"status":"FINISHED"`, `"apns":{"numFailedPublishes":3,"numSuccessfulPublishes":1}`,
	} {
		if !strings.Contains(texts, want) {
			t.Errorf("the backend is not told %s, but %s", want, texts)
		}
	}
}

func TestWebPushArrives(t *testing.T) {
	r := start(t)
	r.close()
	r.providers.WebHosts = []string{strings.TrimPrefix(r.web.URL, "https://")}
	r.open()
	key := notification.VAPIDKey{ID: "k", Private: []byte(strings.Repeat("k", 32))}
	c, _ := r.accounts.Credentials("1")
	c.Web = &notification.WebCredentials{Keys: []notification.VAPIDKey{key}, Contact: "mailto:ops@example.com"}
	r.accounts.set("1", c)
	public, err := webpush.PublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := r.web.Subscribe("s1", public)
	if err != nil {
		t.Fatal(err)
	}
	s, err := notification.ParseSubscription(text)
	if err != nil {
		t.Fatal(err)
	}
	r.devices.add(notification.Device{ID: "web-1", Platform: notification.Web, Token: s.Token(), VAPIDKey: "k"}, "all")
	r.publish("1", func(p *notification.Publish) {
		p.Notifications = []notification.Notification{{Platform: notification.Web, Body: json.RawMessage(`{"notification":{}}`), TTL: time.Hour}}
	})
	r.finished()
	if got := r.web.Deliveries(); len(got) != 1 || string(got[0].Body) != `{"notification":{}}` {
		t.Errorf("the browser got %v; %v", got, r.web.Errors())
	}
}

// TestNothingSecretIsToldAnywhere: neither logs nor metrics have tokens or keys.
func TestNothingSecretIsToldAnywhere(t *testing.T) {
	r := start(t)
	for i, f := range []pushtest.Fault{{Status: 500}, {Status: 410, Reason: "Unregistered"}, {Reset: true, Times: 1}, {Status: 400, Body: "x"}, {Status: 403, Reason: "BadCertificate"}} {
		token := fmt.Sprintf("5ec2e7%02d", i)
		r.devices.add(notification.Device{ID: token[6:], Platform: notification.APNs, Token: token}, "all")
		r.apns.Fail(token, f)
	}
	r.publish("1", nil)
	eventually(t, "all were tried", func() bool { return r.apns.Requests() >= 5 })
	families, err := r.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if text := r.log.String() + fmt.Sprint(families); strings.Contains(text, "5ec2e7") || strings.Contains(text, "PRIVATE KEY") {
		t.Errorf("a secret is in %s", text)
	}
}

// An operator tries a device of each kind, and is told what its provider says.
func TestTry(t *testing.T) {
	r := start(t)
	r.devices.add(notification.Device{ID: "a", Platform: notification.APNs, Token: "aa"})
	r.devices.add(notification.Device{ID: "d", Platform: notification.APNs, Token: "aadead"})
	r.devices.add(notification.Device{ID: "g", Platform: notification.GCM, Token: "g"})
	r.devices.add(notification.Device{ID: "w", Platform: notification.Web, Token: "w"})
	for id, want := range map[string]notification.Verdict{
		"a": notification.Accepted, "d": notification.DeviceGone, "g": notification.Accepted, "w": notification.BadCredentials,
	} {
		if got, err := r.d.Try(t.Context(), "1", id); err != nil || got.Verdict != want {
			t.Errorf("Try(%s) = %+v, %v, want %s", id, got, err, want)
		}
	}
	if !r.devices.has("d") || len(r.apns.Errors())+len(r.fcm.Errors()) > 0 {
		t.Errorf("a trial has removed a device, or is not as it should be: %q %q", r.apns.Errors(), r.fcm.Errors())
	}
	if _, err := r.d.Try(t.Context(), "1", "x"); err != ErrNoDevice {
		t.Errorf("Try of a device that is not there = %v", err)
	}
	if _, err := r.d.Try(t.Context(), "9", "a"); err != ErrNoApp {
		t.Errorf("Try of an app that is not there = %v", err)
	}
}
