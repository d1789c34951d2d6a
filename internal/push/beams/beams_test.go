package beams

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/engine"
	"github.com/belfryhq/belfry/internal/push/devices"
	"github.com/belfryhq/belfry/internal/push/notification"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	instance = "8f9a6e22-2483-49aa-8552-125f1a4c5781"
	secret   = "SECRET"
	// vector is the token of user-001 that is in the reference.
	vector = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyLTAwMSIsImV4cCI6NDEwMjQ0NDgwMCwiaXNzIjoiaHR0cHM6Ly84ZjlhNmUyMi0yNDgzLTQ5YWEtODU1Mi0xMjVmMWE0YzU3ODEucHVzaG5vdGlmaWNhdGlvbnMucHVzaGVyLmNvbSJ9.lAyAIDdmUqjPM7Fp8R6SOG9n5Ig2ebfUUBOPg5NaOl8"
	point  = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
)

type fixture struct {
	*Handler
	t         *testing.T
	published []*notification.Publish
	reports   []Report
}

// Publish implements [notification.Publisher].
func (f *fixture) Publish(_ context.Context, p *notification.Publish) error {
	f.published = append(f.published, p)
	return nil
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	e, err := engine.Open(t.Context(), engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(context.Background()) })
	store := devices.New(devices.Config{Bucket: func(ctx context.Context) (jetstream.KeyValue, error) { return e.Bucket(ctx, devices.BucketConfig()) }})
	t.Cleanup(store.Close)
	store.Begin()
	if err := store.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
	app := apps.New()
	app.ID, app.Keys = "3", []apps.Key{{Key: "key", Secret: "s"}}
	app.Push = apps.Push{Enabled: true, InstanceID: instance, SecretKey: secret, VAPIDKey: "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw", VAPIDContact: "mailto:ops@example.com"}
	registry, err := apps.NewRegistry([]*apps.App{app})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t}
	free := func(*http.Request) (time.Duration, bool) { return 0, true }
	f.Handler = New(Config{
		Apps: registry, Devices: store, Publish: f, Register: free, Change: free, Hosts: notification.DefaultHosts,
		Report: func(_ context.Context, _ *apps.App, r Report) error { f.reports = append(f.reports, r); return nil },
		Admit:  func(*apps.App) (time.Duration, bool) { return time.Second, len(f.published) < 100 },
	})
	return f
}

// do makes a request and holds the answer to what all have in common.
func (f *fixture) do(method, path, body string, status int, header ...string) string {
	f.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	h := f.Handler.Handler(r)
	if h == nil {
		f.t.Fatalf("%s %s is none of the API", method, path)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != status {
		f.t.Errorf("%s %s %.100s = %d %s, want %d", method, path, body, w.Code, w.Body, status)
	}
	if w.Code/100 != 2 {
		var e struct{ Error, Description string }
		if json.Unmarshal(w.Body.Bytes(), &e) != nil || e.Error == "" || e.Description == "" {
			f.t.Errorf("%s %s is refused with %s", method, path, w.Body)
		}
	}
	return w.Body.String()
}

func (f *fixture) publish(to, body string, status int) string {
	f.t.Helper()
	return f.do("POST", "/publish_api/v1/instances/"+instance+"/publishes"+to, body, status, "Authorization", "Bearer "+secret)
}

const device = "/device_api/v1/instances/" + instance + "/devices/"

func (f *fixture) register(platform, body string) (id string, interests []string) {
	f.t.Helper()
	var answer struct {
		ID        string   `json:"id"`
		Interests []string `json:"initialInterestSet"`
	}
	text := f.do("POST", device+platform, body, 200)
	if err := json.Unmarshal([]byte(text), &answer); err != nil || !strings.HasPrefix(answer.ID, platform+"-") || answer.Interests == nil {
		f.t.Fatalf("the device is %s", text)
	}
	return answer.ID, answer.Interests
}

func names(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint("name", i)
	}
	text, _ := json.Marshal(list) // of strings
	return string(text)
}

// Statements 26 to 36 of the checklist.
func TestPublishes(t *testing.T) {
	f := newFixture(t)
	const web = `,"web":{"notification":{"title":"x"}}}`
	for _, to := range []string{"", "/interests"} {
		if got := f.publish(to, `{"interests":["a"]`+web, 200); !strings.HasPrefix(got, `{"publishId":"pubid-`) {
			t.Errorf("the answer is %s", got)
		}
	}
	for body, status := range map[string]int{
		`{"interests":` + names(100) + web:                                              200,
		`{"interests":` + names(101) + web:                                              422,
		`{"interests":["` + strings.Repeat("x", 165) + `"]` + web:                       422,
		`{"interests":[""]` + web:                                                       422,
		`{"interests":["a:b"]` + web:                                                    422,
		`{"interests":["a;b"]` + web:                                                    200,
		`{"interests":["a"]}`:                                                           422,
		`{"interests":"a"` + web:                                                        422,
		`{"users":["a"]` + web:                                                          422,
		`{"interests":["a"],"web":{"data":{"pusher":1}}}`:                               422,
		`{"interests":["a"],"web":{"time_to_live":2419201}}`:                            422,
		`{"interests":["a"],"web":{"data":{"x":"` + strings.Repeat("x", 4000) + `"}}}`:  422,
		`{"interests":["a"],"web":{"data":{"x":"` + strings.Repeat("x", 11000) + `"}}}`: 400,
		`{"interests":["a"]`:                                                            400,
		`[]`:                                                                            400,
	} {
		f.publish("/interests", body, status)
	}
	f.publish("/users", `{"users":`+names(1000)+web, 200)
	f.publish("/users", `{"users":`+names(1001)+web, 422)
	f.publish("/users", `{"users":["`+strings.Repeat("é", 164)+`","x/ y+%"],"other":"`+strings.Repeat("x", 190<<10)+`"`+web, 200)
	f.publish("/users", `{"users":["`+strings.Repeat("é", 165)+`"]`+web, 422)
	const path = "/publish_api/v1/instances/" + instance + "/publishes"
	f.do("POST", path, `{}`, 401, "Authorization", "Bearer wrong")
	f.do("POST", path, `{}`, 400)
	f.do("POST", path, `x=1`, 400, "Authorization", "Bearer "+secret, "Content-Type", "application/x-www-form-urlencoded")
	f.do("POST", strings.Replace(path, "8f9a", "9f9a", 1), `{}`, 404, "Authorization", "Bearer "+secret)
	f.do("POST", "/publish_api/v1/instances/nonsense/publishes", `{}`, 400)
	f.do("GET", path, "", 405)
	f.published = nil
	f.publish("", `{"interests":["a"],"apns":{"alert":"hi","mine":1,"data":{"k":1}},"fcm":{"notification":{"title":"t","click_action":"A"}},"web":{"notification":{"title":"t"}}}`, 200)
	f.publish("", `{"interests":["a"],"apns":{"aps":{"alert":"hi"},"pusher":{"disable_delivery_tracking":true}}}`, 200)
	p := f.published[0]
	id := p.ID
	want := map[string]string{
		"apns beams":  `{"aps":{"alert":"hi","content-available":1},"data":{"k":1,"pusher":{"instanceId":"` + instance + `","publishId":"` + id + `","userShouldIgnore":true}}}`,
		"apns native": `{"aps":{"alert":"hi"},"data":{"k":1}}`,
		"gcm native":  `{"android":{"notification":{"click_action":"A","title":"t"}}}`,
		"fcm native":  `{"android":{"notification":{"click_action":"A","title":"t"}}}`,
		"web ":        `{"data":{"pusher":{"hasData":false,"hasDisplayableContent":true,"instanceId":"` + instance + `","publishId":"` + id + `"}},"notification":{"title":"t"}}`,
	}
	for _, n := range p.Notifications {
		if text, ok := want[string(n.Platform)+" "+string(n.API)]; ok && string(n.Body) != text {
			t.Errorf("%s of %s gets %s, want %s", n.Platform, n.API, n.Body, text)
		}
		if n.Platform == notification.FCM && n.API == notification.Beams {
			var m struct {
				Data    struct{ Pusher string }
				Android struct{ Notification map[string]string }
			}
			if json.Unmarshal(n.Body, &m) != nil || m.Android.Notification["click_action"] != openTracking ||
				m.Data.Pusher != `{"clickAction":"A","hasData":false,"hasDisplayableContent":true,"instanceId":"`+instance+`","publishId":"`+id+`"}` {
				t.Errorf("FCM of Beams gets %s", n.Body)
			}
		}
		if n.Platform == notification.Web && n.TTL != notification.MaxTTL {
			t.Errorf("TTL is %v", n.TTL)
		}
	}
	if body := string(f.published[1].Notifications[0].Body); strings.Contains(body, "content-available") || strings.Contains(body, "userShouldIgnore") || strings.Contains(body, "disable") {
		t.Errorf("without tracking Apple gets %s", body)
	}
	for len(f.published) < 100 {
		f.published = append(f.published, p)
	}
	f.publish("", `{"interests":["a"]`+web, 429)
}

const openTracking = "com.pusher.pushnotifications.OPEN_TRACKING"

// Statements 37 to 47.
func TestDevices(t *testing.T) {
	f := newFixture(t)
	subscription := func(endpoint, point string) string {
		return `{"token":"` + base64.StdEncoding.EncodeToString([]byte(`{"endpoint":"`+endpoint+`","expirationTime":null,"keys":{"p256dh":"`+point+`","auth":"BTBZMqHH6r4Tts7J_aSIgg"}}`)) + `"}`
	}
	f.register("apns", `{"token":"00FF","bundleIdentifier":"com.x","metadata":{"sdkVersion":"1"}}`)
	web, _ := f.register("web", subscription("https://fcm.googleapis.com/fcm/send/x", point))
	id, _ := f.register("fcm", `{"token":"t","metadata":{"sdkVersion":"1"},"knownPreviousClientIds":["x"]}`)
	again, _ := f.register("fcm", `{"token":"t"}`)
	if again == id {
		t.Error("the same token is the same device")
	}
	f.do("GET", device+"fcm/"+id, "", 404)
	f.do("DELETE", device+"fcm/"+id, "", 200)
	f.do("GET", device+"web/"+again, "", 404)
	if got := f.do("GET", device+"fcm/"+again, "", 200); got != `{"id":"`+again+`","metadata":{}}` {
		t.Errorf("the device is %s", got)
	}
	mine := device + "fcm/" + again
	f.do("PUT", mine+"/metadata", `{"sdkVersion":"2"}`, 200)
	f.do("PUT", mine+"/token", `{"token":"u"}`, 200)
	for range 2 {
		f.do("POST", mine+"/interests/a", "", 200)
		f.do("POST", mine+"/interests/b", "", 200)
		f.do("DELETE", mine+"/interests/a", "", 200)
	}
	f.do("POST", mine+"/interests/a:b", "", 400)
	if got := f.do("GET", mine+"/interests", "", 200); got != `{"interests":["b"],"responseMetadata":{}}` {
		t.Errorf("interests are %s", got)
	}
	f.do("PUT", mine+"/interests", `{"interests":`+names(150)+`}`, 200)
	f.do("PUT", mine+"/interests", `{"interests":`+names(5001)+`}`, 400)
	seen, cursor := 0, ""
	for range 3 {
		var page struct {
			Interests []string
			Meta      struct{ NextCursor string } `json:"responseMetadata"`
		}
		if err := json.Unmarshal([]byte(f.do("GET", mine+"/interests?limit=100&cursor="+cursor, "", 200)), &page); err != nil {
			t.Fatal(err)
		}
		seen += len(page.Interests)
		if cursor = page.Meta.NextCursor; cursor == "" {
			break
		}
	}
	if seen != 150 {
		t.Errorf("pages have %d interests, want 150", seen)
	}
	f.do("GET", mine+"/interests?limit=101", "", 400)
	f.do("GET", mine+"/interests?cursor=%21", "", 400)
	key := "/device_api/v1/instances/" + instance + "/web-vapid-public-key"
	var vapid struct{ VapidPublicKey string }
	if err := json.Unmarshal([]byte(f.do("GET", key, "", 200)), &vapid); err != nil {
		t.Fatal(err)
	}
	if b, err := base64.RawURLEncoding.DecodeString(vapid.VapidPublicKey); err != nil || len(b) != 65 {
		t.Errorf("the key is %q", vapid.VapidPublicKey)
	}
	for _, bad := range []string{subscription("http://fcm.googleapis.com/x", point), subscription("https://example.com/x", point), subscription("https://fcm.googleapis.com/x", "AAAA"), `{"token":"x"}`} {
		f.do("POST", device+"web", bad, 400)
	}
	if got := f.do("POST", device+"fcm", `{"token":""}`, 400); !strings.Contains(got, `"error":"InvalidToken"`) {
		t.Errorf("a token of FCM is refused with %s", got)
	}
	if got := f.do("POST", device+"apns", `{"token":"xyz"}`, 400); !strings.Contains(got, "device token") {
		t.Errorf("a token of APNs is refused with %s", got)
	}
	r := httptest.NewRequest("OPTIONS", device+"web/"+web+"/user", nil)
	w := httptest.NewRecorder()
	f.Handler.Handler(r).ServeHTTP(w, r)
	if w.Code != 204 || w.Header().Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(w.Header().Get("Access-Control-Allow-Headers"), "Authorization") || !strings.Contains(w.Header().Get("Access-Control-Allow-Methods"), "PUT") {
		t.Errorf("a preflight is answered %d %v", w.Code, w.Header())
	}
}

// Statements 48 to 54.
func TestUsers(t *testing.T) {
	f := newFixture(t)
	id, _ := f.register("fcm", `{"token":"t"}`)
	path := device + "fcm/" + id
	put := func(token string, status int) string {
		t.Helper()
		return f.do("PUT", path+"/user", "", status, "Authorization", "Bearer "+token)
	}
	expired := `"exp":1,"iss":"` + instance + `.pushnotifications.pusher.com"`
	put("x.y.z", 401)
	put(vector[:len(vector)-2], 401)
	put(jwt(t, "none", `{"sub":"u","exp":4102444800,"iss":"`+instance+issuerHost+`"}`), 401)
	put(jwt(t, "HS256", `{"sub":"u",`+expired+`}`), 401)
	put(jwt(t, "HS256", `{`+expired+`}`), 400)
	put(jwt(t, "HS256", `{"sub":"u","iss":"x"}`), 400)
	put(jwt(t, "HS256", `{"sub":"u","exp":4102444800}`), 400)
	put(jwt(t, "HS256", `{"sub":"`+strings.Repeat("x", 165)+`","exp":4102444800,"iss":"`+instance+issuerHost+`"}`), 400)
	put(jwt(t, "HS256", `{"sub":"u","exp":4102444800,"iss":"https://example.com"}`), 403)
	f.do("PUT", path+"/user", "", 401)
	put(vector, 200)
	put(vector, 200)
	if got := put(jwt(t, "HS256", `{"sub":"u","exp":4102444800,"iss":"`+instance+issuerHost+`"}`), 400); !strings.Contains(got, "A User Id is already associated with this device") {
		t.Errorf("another user is refused with %s", got)
	}
	if got := f.do("GET", path, "", 200); !strings.Contains(got, `"userId":"user-001"`) {
		t.Errorf("the device is %s", got)
	}
	auth := []string{"Authorization", "Bearer " + secret}
	for _, api := range []string{"customer_api", "user_api"} {
		if got := f.do("DELETE", "/"+api+"/v1/instances/"+instance+"/users/user-001", "", 200, auth...); got != "" {
			t.Errorf("%s answers %q", api, got)
		}
	}
	f.do("GET", path, "", 404)
	f.do("DELETE", "/user_api/v1/instances/"+instance+"/users/user-001", "", 401, "Authorization", "Bearer wrong")
	for sent, user := range map[string]string{"a/b": "a/b", "a%2Fb": "a/b", "a+b": "a b", "a%20b": "a b", "1%2B1": "1+1", "100%25": "100%", "%C3%A9": "é"} {
		id, _ := f.register("fcm", `{"token":"t"}`)
		path := device + "fcm/" + id
		claims, _ := json.Marshal(map[string]any{"sub": user, "exp": 4102444800, "iss": "https://" + instance + issuerHost})
		f.do("PUT", path+"/user", "", 200, "Authorization", "Bearer "+jwt(t, "HS256", string(claims)))
		f.do("DELETE", "/customer_api/v1/instances/"+instance+"/users/"+sent, "", 200, auth...)
		f.do("GET", path, "", 404)
	}
}

// Statements 55 to 57, but for the webhooks.
func TestReports(t *testing.T) {
	f := newFixture(t)
	id, _ := f.register("fcm", `{"token":"t"}`)
	f.do("PUT", device+"fcm/"+id+"/user", "", 200, "Authorization", "Bearer "+vector)
	f.publish("", `{"interests":["a"],"fcm":{"data":{"x":"y"}}}`, 200)
	publish := f.published[0].ID
	const path = "/reporting_api/v2/instances/" + instance + "/events"
	report := func(event, publish, device string, status int) string {
		t.Helper()
		return f.do("POST", path, `{"event":"`+event+`","publishId":"`+publish+`","deviceId":"`+device+`","timestampSecs":1.5,"userId":"forged"}`, status)
	}
	for _, event := range []string{"delivery", "Delivery", "open", "Open"} {
		report(event, publish, id, 200)
	}
	if len(f.reports) != 4 || f.reports[3] != (Report{publish, id, "user-001", true}) || f.reports[0].Opened {
		t.Errorf("reports are %+v", f.reports)
	}
	report("open", "pubid-00000000-0000-7000-8000-000000000000", id, 200)
	report("open", publish, "fcm-00000000-0000-7000-8000-000000000000", 200)
	if len(f.reports) != 4 {
		t.Errorf("made up reports count: %+v", f.reports[4:])
	}
	report("read", publish, id, 400)
	if got := f.do("POST", path, `{"event":"open","publishId":"x","timestampSecs":1}`, 400); !strings.Contains(got, "deviceId") {
		t.Errorf("a report without a device is refused with %s", got)
	}
	f.do("POST", "/reporting_api/v2/instances/x/events", `{}`, 400)
}

func jwt(t *testing.T, alg, claims string) string {
	t.Helper()
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"`+alg+`"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// FuzzUserOf: no text but a signed token is one of a user.
func FuzzUserOf(f *testing.F) {
	f.Add(vector)
	f.Fuzz(func(t *testing.T, token string) {
		if user, err := userOf(token, secret+"x", instance, time.Unix(1e9, 0)); err == nil {
			t.Errorf("%q is a token of %q", token, user)
		}
	})
}
