package conformance

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Beams of the app that has push notifications.
const (
	pushInstance = "8f9a6e22-2483-49aa-8552-125f1a4c5781"
	pushSecret   = "secret-key-of-beams"
)

// A pushCall is what a client or a backend of push notifications asks for.
type pushCall struct {
	t    *testing.T
	base string
}

// do asks until the answer is other than 503: a service that has just begun says so until
// it has read what devices there are.
func (p pushCall) do(method, path, body string, status int, header ...string) []byte {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		got, text := p.ask(ctx, method, path, body, header)
		if got == status {
			return text
		}
		if got != http.StatusServiceUnavailable {
			p.t.Fatalf("%s %s = %d %s, want %d", method, path, got, text, status)
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			p.t.Fatalf("%s %s = %d %s for %v, want %d", method, path, got, text, patience, status)
		}
	}
}

// ask sends one request.
func (p pushCall) ask(ctx context.Context, method, path, body string, header []string) (status int, text []byte) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, p.base+path, bytes.NewReader([]byte(body)))
	if err != nil {
		p.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json; charset=utf-8")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w, err := apiClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer w.Body.Close()
	if text, err = io.ReadAll(w.Body); err != nil {
		p.t.Fatal(err)
	}
	return w.StatusCode, text
}

// member returns one member of an answer.
func (p pushCall) member(text []byte, name string) any {
	p.t.Helper()
	var o map[string]any
	if err := json.Unmarshal(text, &o); err != nil {
		p.t.Fatalf("the answer is %s", text)
	}
	return o[name]
}

// notify publishes by the API of 2016, at the path of one of its names.
func (p pushCall) notify(a *app, api, body string, status int) []byte {
	p.t.Helper()
	path := "/" + api + "/v1/apps/" + a.id + "/notifications"
	sum := md5.Sum([]byte(body))
	query := fmt.Sprintf("auth_key=%s&auth_timestamp=%d&auth_version=1.0&body_md5=%s", a.key, time.Now().Unix(), hex.EncodeToString(sum[:]))
	mac := hmac.New(sha256.New, []byte(a.secret))
	io.WriteString(mac, "POST\n"+path+"\n"+query)
	return p.do("POST", path+"?"+query+"&auth_signature="+hex.EncodeToString(mac.Sum(nil)), body, status)
}

// TestPush checks the two APIs of push notifications from outside. What they refuse is
// tested in internal/push/native and internal/push/beams.
func TestPush(t *testing.T) {
	if target.external != nil {
		skip(t, "needs an app with push notifications")
	}
	t.Parallel()
	a := fixture(t, pushing)
	p := pushCall{t, "http://" + a.addr}
	if a.secure {
		p.base = "https://" + a.addr
	}
	t.Run("native", func(t *testing.T) { testNativePush(pushCall{t, p.base}, a) })
	t.Run("beams", func(t *testing.T) { testBeams(pushCall{t, p.base}, a) })
}

func testNativePush(p pushCall, a *app) {
	const clients = "/client_api/v1/clients"
	interest, token := unique("donuts"), hex.EncodeToString([]byte(unique("token")))
	register := `{"app_key":"` + a.key + `","platform_type":"apns","token":"%s"}`
	id, _ := p.member(p.do("POST", clients, fmt.Sprintf(register, token), 201), "id").(string)
	if again := p.member(p.do("POST", clients, fmt.Sprintf(register, strings.ToUpper(token)), 201), "id"); again != id || id == "" {
		p.t.Errorf("the token in capital letters is %v, want %s", again, id)
	}
	mine := `{"app_key":"` + a.key + `"}`
	for range 2 {
		p.do("POST", clients+"/"+id+"/interests/"+interest, mine, 204)
	}
	p.do("PUT", clients+"/"+id+"/interests/", `{"app_key":"`+a.key+`","interests":["`+interest+`","`+interest+`-2"]}`, 204)
	count := func(api string, want float64) {
		p.t.Helper()
		text := p.notify(a, api, `{"interests":["`+interest+`","`+interest+`-2"],"apns":{"aps":{"alert":"x"}}}`, 202)
		if got := p.member(text, "number_of_subscribers"); got != want {
			p.t.Errorf("there are %v subscribers, want %v", got, want)
		}
	}
	count("server_api", 1)
	count("customer_api", 1)
	p.do("DELETE", clients+"/"+id+"/interests/"+interest, mine, 204)
	p.do("DELETE", clients+"/"+id+"/interests/"+interest+"-2", mine, 204)
	count("server_api", 0)
	p.do("PUT", clients+"/"+id+"/token", fmt.Sprintf(register, token+"00"), 204)
	p.do("PUT", clients+"/native-00000000-0000-8000-8000-000000000000/token", fmt.Sprintf(register, token), 404)
	p.do("POST", clients, `{"app_key":"nobody","platform_type":"apns","token":"00"}`, 401)
	p.notify(a, "server_api", `{"interests":[]}`, 400)
	p.do("POST", "/server_api/v1/apps/"+a.id+"/notifications", "{}", 401)
}

func testBeams(p pushCall, _ *app) {
	const devices = "/device_api/v1/instances/" + pushInstance + "/devices/fcm"
	auth := []string{"Authorization", "Bearer " + pushSecret}
	user := unique("user/ +é")
	id, _ := p.member(p.do("POST", devices, `{"token":"`+unique("t")+`","metadata":{}}`, 200), "id").(string)
	p.do("POST", devices+"/"+id+"/interests/a", "", 200)
	if list := p.member(p.do("GET", devices+"/"+id+"/interests", "", 200), "interests"); fmt.Sprint(list) != "[a]" {
		p.t.Errorf("interests are %v", list)
	}
	token := jwtOf(user)
	p.do("PUT", devices+"/"+id+"/user", "", 200, "Authorization", "Bearer "+token)
	p.do("PUT", devices+"/"+id+"/user", "", 401, "Authorization", "Bearer "+token+"x")
	if got := p.member(p.do("GET", devices+"/"+id, "", 200), "userId"); got != user {
		p.t.Errorf("the user is %v, want %s", got, user)
	}
	const publishes = "/publish_api/v1/instances/" + pushInstance + "/publishes"
	for path, body := range map[string]string{
		"":           `{"interests":["a"],"fcm":{"notification":{"title":"x"}}}`,
		"/interests": `{"interests":["a"],"web":{"notification":{"title":"x"}}}`,
		"/users":     `{"users":["u"],"apns":{"aps":{"alert":"x"}}}`,
	} {
		if got, _ := p.member(p.do("POST", publishes+path, body, 200, auth...), "publishId").(string); !strings.HasPrefix(got, "pubid-") {
			p.t.Errorf("the publish is %q", got)
		}
	}
	refused := p.do("POST", publishes, `{"interests":["a:b"],"fcm":{}}`, 422, auth...)
	if p.member(refused, "error") == "" || p.member(refused, "description") == "" {
		p.t.Errorf("the refusal is %s", refused)
	}
	for _, api := range []string{"customer_api", "user_api"} {
		if text := p.do("DELETE", "/"+api+"/v1/instances/"+pushInstance+"/users/"+url.PathEscape(user), "", 200, auth...); len(text) > 0 {
			p.t.Errorf("deleting a user is answered %s", text)
		}
	}
	p.do("GET", devices+"/"+id, "", 404)
	p.do("DELETE", devices+"/"+id, "", 200)
}

// jwtOf is a token of Beams for a user.
func jwtOf(user string) string {
	claims, _ := json.Marshal(map[string]any{"sub": user, "exp": time.Now().Add(time.Hour).Unix(), "iss": "https://" + pushInstance + ".pushnotifications.pusher.com"})
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	mac := hmac.New(sha256.New, []byte(pushSecret))
	io.WriteString(mac, text)
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
