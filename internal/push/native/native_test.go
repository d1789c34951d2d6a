package native

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/engine"
	"github.com/belfryhq/belfry/internal/httpapi"
	"github.com/belfryhq/belfry/internal/push/devices"
	"github.com/belfryhq/belfry/internal/push/notification"
	"github.com/belfryhq/belfry/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	key    = "278d425bdf160c739803"
	secret = "7ad3773142a6692b25b8"
	moment = 1353088179
)

// A fixture is the API with an app that has push, and one that has not.
type fixture struct {
	*Handler
	t         *testing.T
	published []*notification.Publish
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
	app, other := apps.New(), apps.New()
	app.ID, app.Push.Enabled, app.Keys = "3", true, []apps.Key{{Key: key, Secret: secret}}
	other.ID, other.Push.Enabled, other.Keys = "4", true, []apps.Key{{Key: "other", Secret: "s"}}
	without := apps.New()
	without.ID, without.Keys = "5", []apps.Key{{Key: "without", Secret: "s"}}
	registry, err := apps.NewRegistry([]*apps.App{app, other, without})
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return time.Unix(moment, 0) }
	api := httpapi.New(httpapi.Config{Apps: registry, Now: now})
	f := &fixture{t: t}
	free := func(*http.Request) (time.Duration, bool) { return 0, true }
	f.Handler = New(Config{
		Apps: registry, Devices: store, Publish: f, Now: now, Register: free, Change: free,
		Admit: func(*apps.App) (time.Duration, bool) { return time.Second, len(f.published) < 100 },
		Verify: func(r *http.Request, id string, limit int64) (*apps.App, []byte, error) {
			app, body, status, err := api.Verify(r, id, limit)
			if err != nil {
				err = &Refusal{Status: status, Message: err.Error()}
			}
			return app, body, err
		},
	})
	return f
}

func (f *fixture) do(method, path, body string, status int) string {
	f.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	h := f.Handler.Handler(r)
	if h == nil {
		f.t.Fatalf("%s %s is none of the API", method, path)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != status {
		f.t.Errorf("%s %s %s = %d %s, want %d", method, path, body, w.Code, w.Body, status)
	}
	return w.Body.String()
}

// publish sends a signed request.
func (f *fixture) publish(body string, status int) string {
	f.t.Helper()
	const path = "/server_api/v1/apps/3/notifications"
	params := []protocol.Param{{Key: "auth_key", Value: key}, {Key: "auth_timestamp", Value: "1353088179"}, {Key: "auth_version", Value: "1.0"}, {Key: "body_md5", Value: md5Of(body)}}
	query := ""
	for _, p := range params {
		query += p.Key + "=" + p.Value + "&"
	}
	return f.do("POST", path+"?"+query+"auth_signature="+protocol.Sign(secret, protocol.RequestText("POST", path, params)), body, status)
}

// register registers a token and returns the id of the client.
func (f *fixture) register(platform, token string) string {
	f.t.Helper()
	var answer struct {
		ID       string
		Platform string `json:"platform_type"`
		AppKey   string `json:"pusher_app_key"`
	}
	text := f.do("POST", "/client_api/v1/clients", `{"app_key":"`+key+`","platform_type":"`+platform+`","token":"`+token+`"}`, 201)
	if err := json.Unmarshal([]byte(text), &answer); err != nil || answer.ID == "" || answer.Platform != platform || answer.AppKey != key {
		f.t.Fatalf("the client is %s", text)
	}
	return answer.ID
}

// Statements 1 to 5 of the checklist: the vector of both paths, and what is refused.
func TestVectorsOfBothPaths(t *testing.T) {
	f := newFixture(t)
	const body = `{"interests":["donuts"],"apns":{"aps":{"alert":{"body":"tada"}}}}`
	const query = "?auth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0&body_md5=96dccd4c6fff67d89b87ba57426e0466&auth_signature="
	const server, customer = "669d6eaaff0a1e8299344744320a91ae788e362311da6878021549e3b2903bd8", "7ca502eaca6abbb800e823d6fe7858f0c9beb193e87ed8ea6617265d54a1d015"
	if got := f.do("POST", "/server_api/v1/apps/3/notifications"+query+server, body, 202); got != `{"number_of_subscribers":0}` {
		t.Errorf("the answer is %s", got)
	}
	f.do("POST", "/customer_api/v1/apps/3/notifications"+query+customer, body, 202)
	f.do("POST", "/customer_api/v1/apps/3/notifications"+query+server, body, 401)
	f.do("POST", "/server_api/v1/apps/3/notifications"+query+server, strings.Replace(body, "tada", "tadu", 1), 401)
	f.do("POST", "/server_api/v1/apps/3/notifications"+strings.Replace(query, "278d", "378d", 1)+server, body, 401)
	f.do("POST", "/server_api/v1/apps/4/notifications"+query+server, body, 401)
	f.do("POST", "/server_api/v1/apps/9/notifications"+query+server, body, 404)
	f.do("POST", "/server_api/v1/apps/3/notification"+query+server, body, 404)
	f.do("GET", "/server_api/v1/apps/3/notifications"+query+server, "", 405)
	f.do("POST", "/server_api/v1/apps/3/notifications"+strings.Replace(query, "1353088179", "1353087579", 1)+server, body, 401)
	if len(f.published) != 2 {
		t.Errorf("%d were published, want 2", len(f.published))
	}
}

// Statements 6 to 13.
func TestWhatIsPublished(t *testing.T) {
	f := newFixture(t)
	const apns = `,"apns":{"aps":{"alert":"x"}}}`
	ten := `"a","b","c","d","e","f","g","h","i","j"`
	for body, status := range map[string]int{
		`{"interests":[` + ten + `]` + apns:                                                        202,
		`{"interests":[` + ten + `,"k"]` + apns:                                                    400,
		`{"interests":[]` + apns:                                                                   400,
		`{"interests":["a:b"]` + apns:                                                              400,
		`{"interests":["a"]}`:                                                                      400,
		`{"interests":["a"],"gcm":{"time_to_live":2419200}}`:                                       202,
		`{"interests":["a"],"gcm":{"time_to_live":2419201}}`:                                       400,
		`{"interests":["a"],"gcm":{"time_to_live":-1}}`:                                            400,
		`{"interests":["a"],"webhook_level":"INFO"` + apns:                                         400,
		`{"interests":["a"],"webhook_level":"warn","webhook_url":"http://x/y"` + apns:              400,
		`{"interests":["a"],"webhook_level":"debug","webhook_url":"http://x/y"` + apns:             202,
		`{"interests":["a"],"webhook_level":"","webhook_url":""` + apns:                            202,
		`{"interests":["a"],"webhook_url":"ftp://x"` + apns:                                        400,
		`{"interests":["a"],"apns":{"priority":7}}`:                                                400,
		`{"interests":["a"],"apns":{"collapse_id":"` + strings.Repeat("x", 65) + `"}}`:             400,
		`{"interests":["a"],"apns":{"data":{"x":"` + strings.Repeat("x", 4096) + `"}}}`:            400,
		`{"interests":["a"],"gcm":{"data":{"from":"x"}}}`:                                          400,
		`{"interests":["a"],"apns":[]}`:                                                            400,
		`[]`:                                                                                       400,
		`{"interests":["a"],"apns":{"data":{"x":"` + strings.Repeat("x", 10<<10) + `"},"aps":{}}}`: 413,
	} {
		f.publish(body, status)
	}
	f.published = nil
	f.publish(`{"interests":["a","a"],"apns":{"aps":{"alert":"x"},"priority":5,"expiration":1353099999,"collapse_id":"c","mine":1},"gcm":{"to":"t","registration_ids":["t"],"data":{"n":1}}}`, 202)
	p := f.published[0]
	if len(p.Audience.Interests) != 1 || len(p.Notifications) != 3 {
		t.Fatalf("published is %+v", p)
	}
	if n := p.Notifications[0]; n.Priority != 5 || n.CollapseID != "c" || *n.Expiration != 1353099999 || n.Expires.Unix() != 1353099999 || string(n.Body) != `{"aps":{"alert":"x"},"mine":1}` {
		t.Errorf("Apple gets %+v: %s", n, n.Body)
	}
	for _, n := range p.Notifications[1:] {
		if string(n.Body) != `{"data":{"n":"1"}}` {
			t.Errorf("%s gets %s", n.Platform, n.Body)
		}
	}
	for len(f.published) < 100 {
		f.published = append(f.published, p)
	}
	f.publish(`{"interests":["a"]`+apns, 429)
}

// Statements 12 and 14 to 22.
func TestClientsRegisterAndSubscribe(t *testing.T) {
	f := newFixture(t)
	id := f.register("apns", "00ff")
	if again := f.register("apns", "00FF"); again != id {
		t.Errorf("the token in capital letters is %s, want %s", again, id)
	}
	mine := `{"app_key":"` + key + `"}`
	path := "/client_api/v1/clients/" + id
	for _, interest := range []string{"a", "b", "c%3Bd"} {
		for range 2 {
			if got := f.do("POST", path+"/interests/"+interest, mine, 204); got != "" {
				t.Errorf("a subscription is answered %q", got)
			}
		}
	}
	subscribers := func(interests, want string) {
		t.Helper()
		if got := f.publish(`{"interests":[`+interests+`],"apns":{"aps":{"alert":"x"}}}`, 202); got != `{"number_of_subscribers":`+want+`}` {
			t.Errorf("of %s there are %s, want %s", interests, got, want)
		}
	}
	subscribers(`"a","b","c;d"`, "1")
	for range 2 {
		f.do("DELETE", path+"/interests/b", mine, 204)
	}
	f.do("DELETE", path+"/interests/b", "", 400)
	f.do("PUT", path+"/interests/", `{"app_key":"`+key+`","interests":["x","y"]}`, 204)
	subscribers(`"a","b"`, "0")
	f.do("PUT", path+"/interests", `{"app_key":"`+key+`","interests":["z"]}`, 204)
	f.do("PUT", path+"/interests", `{"app_key":"`+key+`"}`, 400)
	subscribers(`"x"`, "0")
	f.register("apns", "00ff")
	subscribers(`"z"`, "1")
	token := `{"app_key":"` + key + `","platform_type":"apns","token":"AA"}`
	f.do("PUT", path+"/token", token, 204)
	f.do("PUT", "/client_api/v1/clients/native-00000000-0000-8000-8000-000000000000/token", token, 404)
	f.do("PUT", "/client_api/v1/clients/nonsense/token", token, 404)
	f.do("POST", path+"/interests/a", `{"app_key":"other"}`, 404)
	f.do("POST", path+"/interests/a", `{"app_key":"nobody"}`, 401)
	f.do("POST", path+"/interests/a", `{"app_key":"without"}`, 403)
	f.do("POST", path+"/interests/a:b", mine, 400)
	f.do("POST", "/client_api/v1/clients", `{"app_key":"`+key+`","platform_type":"apns","token":"xyz"}`, 400)
	f.do("POST", "/client_api/v1/clients", `{"app_key":"`+key+`","platform_type":"web","token":"xyz"}`, 400)
	f.do("GET", path+"/token", "", 405)
	f.do("GET", path+"/nothing", "", 404)
}

func md5Of(body string) string {
	sum := md5.Sum([]byte(body))
	return hex.EncodeToString(sum[:])
}
