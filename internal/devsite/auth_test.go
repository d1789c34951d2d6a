package devsite

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/protocol"
)

const (
	testKey    = "app-key"
	testSecret = "app-secret"
	testSocket = "1234.5678"
)

func newSite(trigger func(context.Context, Event) error) http.Handler {
	return New(Config{
		Hosts:   Loopback,
		App:     &apps.App{ID: "app-id", Keys: []apps.Key{{Key: testKey, Secret: testSecret}}},
		Trigger: trigger,
		Log:     slog.New(slog.DiscardHandler),
	})
}

// ask sends a request as it would come to a service on localhost.
func ask(t *testing.T, method, target, body string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "localhost:6001"
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	w := httptest.NewRecorder()
	newSite(func(context.Context, Event) error { return errors.New("not expected") }).ServeHTTP(w, r)
	return w.Result()
}

func text(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// granted posts a form and decodes the grant.
func granted(t *testing.T, path string, form url.Values) grant {
	t.Helper()
	form.Set("socket_id", testSocket)
	r := ask(t, "POST", path, form.Encode(), "Origin", "http://localhost:3000")
	if r.StatusCode != http.StatusOK || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Fatalf("POST %s %v = %d %v", path, form, r.StatusCode, r.Header)
	}
	var g grant
	if err := json.Unmarshal([]byte(text(t, r)), &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// verify checks a token as the service does.
func verify(t *testing.T, auth, signed string) {
	t.Helper()
	key, digest, ok := protocol.SplitAuth(auth)
	if !ok || key != testKey || !protocol.VerifySignature(testSecret, signed, digest) {
		t.Errorf("auth %q does not sign %q", auth, signed)
	}
}

func socketID(t *testing.T) protocol.SocketID {
	t.Helper()
	id, ok := protocol.ParseSocketID(testSocket)
	if !ok {
		t.Fatal("the socket id of the tests is none")
	}
	return id
}

func TestPrivateChannels(t *testing.T) {
	for _, channel := range []string{"private-a", "private-cache-a"} {
		g := granted(t, "/pusher/auth", url.Values{"channel_name": {channel}})
		verify(t, g.Auth, protocol.ChannelText(socketID(t), channel))
		if g.ChannelData != "" || g.SharedSecret != "" {
			t.Errorf("grant for %s = %+v, want auth alone", channel, g)
		}
	}
}

// TestEncryptedChannels has digests made with openssl.
func TestEncryptedChannels(t *testing.T) {
	for channel, want := range map[string]string{
		"private-encrypted-foobar": "bTz4Cm6rcHfxrfVW27DG+BWgBULJPN3/7xwmFhNw+4c=",
	} {
		g := granted(t, "/pusher/auth", url.Values{"channel_name": {channel}})
		verify(t, g.Auth, protocol.ChannelText(socketID(t), channel))
		if g.SharedSecret != want {
			t.Errorf("shared secret of %s = %q, want %q", channel, g.SharedSecret, want)
		}
	}
}

func TestPresenceChannels(t *testing.T) {
	for name, tt := range map[string]struct {
		form   url.Values
		id     string
		info   string
		signed string
	}{
		"who asks": {url.Values{}, testSocket, `{"id":"1234.5678","name":"Guest 5678"}`,
			`{"user_id":"1234.5678","user_info":{"id":"1234.5678","name":"Guest 5678"}}`},
		"a user": {url.Values{"user_id": {"ann"}}, "ann", `{"id":"ann","name":"ann"}`,
			`{"user_id":"ann","user_info":{"id":"ann","name":"ann"}}`},
		"with info": {url.Values{"user_id": {"17"}, "user_info": {`{"name": "Ann"}`}}, "17",
			`{"name":"Ann"}`, `{"user_id":"17","user_info":{"name":"Ann"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			tt.form.Set("channel_name", "presence-room")
			g := granted(t, "/pusher/auth", tt.form)
			if g.ChannelData != tt.signed {
				t.Errorf("channel_data = %s, want %s", g.ChannelData, tt.signed)
			}
			verify(t, g.Auth, protocol.ChannelDataText(socketID(t), "presence-room", g.ChannelData))
			member, err := protocol.ParseMember(g.ChannelData)
			if err != nil || member.UserID != tt.id || string(member.UserInfo) != tt.info {
				t.Errorf("ParseMember = %+v, %v, want %s with %s", member, err, tt.id, tt.info)
			}
		})
	}
}

func TestUsers(t *testing.T) {
	g := granted(t, "/pusher/user-auth", url.Values{"user_id": {"17"}, "user_info": {`{"name":"<Ann>"}`}, "watchlist": {`["18"]`}})
	verify(t, g.Auth, protocol.UserText(socketID(t), g.UserData))
	user, err := protocol.ParseUserData(g.UserData)
	if err != nil || user.ID != "17" || len(user.Watchlist) != 1 {
		t.Errorf("ParseUserData(%s) = %+v, %v", g.UserData, user, err)
	}
	g = granted(t, "/pusher/user-auth", url.Values{})
	if g.UserData != `{"id":"1234.5678","user_info":{"id":"1234.5678","name":"Guest 5678"}}` {
		t.Errorf("user_data of an unnamed user = %s", g.UserData)
	}
}

func TestBodyOfJSON(t *testing.T) {
	r := ask(t, "POST", "/pusher/auth", `{"socket_id":"1234.5678","channel_name":"presence-a","user_id":17,"user_info":{"name":"Ann"}}`, "Content-Type", "application/json; charset=utf-8")
	var g grant
	if err := json.Unmarshal([]byte(text(t, r)), &g); err != nil || g.ChannelData != `{"user_id":"17","user_info":{"name":"Ann"}}` {
		t.Errorf("grant = %+v, %v", g, err)
	}
}

// TestBodiesOfAuthorizersWrittenByHand are what people send who do not leave it
// to the library, to the paths that Laravel has.
func TestBodiesOfAuthorizersWrittenByHand(t *testing.T) {
	formData := "--x\r\nContent-Disposition: form-data; name=\"socket_id\"\r\n\r\n1234.5678\r\n" +
		"--x\r\nContent-Disposition: form-data; name=\"channel_name\"\r\n\r\nprivate-a;b\r\n--x--\r\n"
	for name, tt := range map[string]struct{ kind, body string }{
		"unescaped":    {"application/x-www-form-urlencoded", "socket_id=1234.5678&channel_name=private-a;b"},
		"FormData":     {"multipart/form-data; boundary=x", formData},
		"JSON as text": {"text/plain;charset=UTF-8", `{"socket_id":"1234.5678","channel_name":"private-a;b"}`},
		"JSON":         {"application/json", `{"socket_id":"1234.5678","channel_name":"private-a;b"}`},
	} {
		for _, path := range []string{"/pusher/auth", "/broadcasting/auth"} {
			r := ask(t, "POST", path, tt.body, "Content-Type", tt.kind)
			var g grant
			if err := json.Unmarshal([]byte(text(t, r)), &g); err != nil {
				t.Errorf("%s to %s = %d, %v", name, path, r.StatusCode, err)
				continue
			}
			verify(t, g.Auth, protocol.ChannelText(socketID(t), "private-a;b"))
		}
	}
	if g := granted(t, "/broadcasting/user-auth", url.Values{"user_id": {"17"}}); g.UserData == "" {
		t.Error("/broadcasting/user-auth signs nobody in")
	}
}

// TestBatch has the body of the plug-in pusher-js-auth, which begins with &.
func TestBatch(t *testing.T) {
	r := ask(t, "POST", "/pusher/auth", "&socket_id=1234.5678&channel_name[0]=private-a&channel_name[1]=presence-b&channel_name[2]=news&user_id=17")
	if r.StatusCode != http.StatusOK {
		t.Fatalf("status = %d %s", r.StatusCode, text(t, r))
	}
	var results map[string]struct {
		Status int
		Data   *grant
	}
	if err := json.Unmarshal([]byte(text(t, r)), &results); err != nil {
		t.Fatal(err)
	}
	if len(results) != 3 || results["private-a"].Status != 200 || results["presence-b"].Status != 200 || results["news"].Status != 403 || results["news"].Data != nil {
		t.Fatalf("results = %+v", results)
	}
	verify(t, results["private-a"].Data.Auth, protocol.ChannelText(socketID(t), "private-a"))
	verify(t, results["presence-b"].Data.Auth, protocol.ChannelDataText(socketID(t), "presence-b", `{"user_id":"17","user_info":{"id":"17","name":"17"}}`))
}

func TestScriptRequest(t *testing.T) {
	query := url.Values{"callback": {"Pusher.auth_callbacks['1']"}, "socket_id": {testSocket}, "channel_name": {"presence-x"}, "user_info": {"\"</script>\u2028\""}}
	r := ask(t, "GET", "/pusher/auth?"+query.Encode(), "")
	body := text(t, r)
	if r.StatusCode != 200 || r.Header.Get("Content-Type") != "application/javascript; charset=utf-8" || r.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("answer = %d %v", r.StatusCode, r.Header)
	}
	inner, ok := strings.CutPrefix(body, "Pusher.auth_callbacks['1'](")
	inner, closed := strings.CutSuffix(inner, ");")
	var g grant
	if err := json.Unmarshal([]byte(inner), &g); err != nil || !ok || !closed {
		t.Fatalf("script = %s (%v)", body, err)
	}
	if strings.ContainsAny(body, "<>\u2028") {
		t.Errorf("the script has characters that could end it: %s", body)
	}
	verify(t, g.Auth, protocol.ChannelDataText(socketID(t), "presence-x", g.ChannelData))
}

func TestCallbacksOfOthers(t *testing.T) {
	for _, callback := range []string{"", "alert", "Pusher.auth_callbacks['1'];alert(1)//", "Pusher.auth_callbacks[\"1\"]", "Pusher.auth_callbacks['x']", "\nPusher.auth_callbacks['1']", "Pusher.auth_callbacks['1']\n", "Pusher.auth_callbacks['']"} {
		query := url.Values{"callback": {callback}, "socket_id": {testSocket}, "channel_name": {"private-x"}}
		r := ask(t, "GET", "/pusher/auth?"+query.Encode(), "")
		if body := text(t, r); r.StatusCode != 400 || r.Header.Get("Content-Type") != "text/plain; charset=utf-8" || r.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("callback %q = %d %s, want 400", callback, r.StatusCode, body)
		}
	}
}

func TestPreflight(t *testing.T) {
	for _, path := range []string{"/pusher/auth", "/pusher/user-auth"} {
		r := ask(t, "OPTIONS", path, "", "Origin", "https://app.example", "Access-Control-Request-Method", "POST",
			"Access-Control-Request-Headers", "authorization,x-csrf-token", "Access-Control-Request-Private-Network", "true")
		for name, want := range map[string]string{
			"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
			"Access-Control-Allow-Headers": "authorization,x-csrf-token", "Access-Control-Allow-Private-Network": "true",
		} {
			if got := r.Header.Get(name); got != want || r.StatusCode != 204 {
				t.Errorf("OPTIONS %s = %d, %s: %q, want %q", path, r.StatusCode, name, got, want)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	long := strings.Repeat("x", 129)
	for name, tt := range map[string]struct {
		path, form, want string
		status           int
	}{
		"no socket":         {"/pusher/auth", "channel_name=private-a", "socket_id: invalid socket id: missing; send it as a form, or as JSON\n", 400},
		"bad socket":        {"/pusher/auth", "channel_name=private-a&socket_id=1.2%3Aprivate-b", "socket id \"1.2:private-b\": invalid socket id\n", 400},
		"no channel":        {"/pusher/auth", "socket_id=1.2", "channel_name is missing\n", 400},
		"bad channel":       {"/pusher/auth", "socket_id=1.2&channel_name=private-a:b", "\"private-a:b\" is not the name of a channel\n", 400},
		"user channel":      {"/pusher/auth", "socket_id=1.2&channel_name=%23server-to-user-1", "\"#server-to-user-1\" is not the name of a channel\n", 400},
		"public channel":    {"/pusher/auth", "socket_id=1.2&channel_name=news", "news is a public channel, which needs no authorization\n", 403},
		"bad info":          {"/pusher/auth", "socket_id=1.2&channel_name=presence-a&user_info={", "user_info is not JSON\n", 400},
		"long id":           {"/pusher/auth", "socket_id=1.2&channel_name=presence-a&user_id=" + long, "user_id is not text of at most 128 characters\n", 400},
		"bad watchlist":     {"/pusher/user-auth", "socket_id=1.2&watchlist=5", "watchlist must be an array of strings\n", 400},
		"control character": {"/pusher/user-auth", "socket_id=1.2&user_id=a%00", "id must be a non-empty string of at most 200 characters without control characters\n", 400},
		"no form":           {"/pusher/auth", "socket_id=%zz", "body: invalid parameter: not a form, nor a JSON object\n", 400},
	} {
		t.Run(name, func(t *testing.T) {
			r := ask(t, "POST", tt.path, tt.form)
			if got := text(t, r); r.StatusCode != tt.status || got != tt.want {
				t.Errorf("answer = %d %q, want %d %q", r.StatusCode, got, tt.status, tt.want)
			}
			if r.Header.Get("Access-Control-Allow-Origin") != "*" {
				t.Error("the page that asked can not read why it was refused")
			}
		})
	}
	if r := ask(t, "PUT", "/pusher/auth", ""); r.StatusCode != 405 || r.Header.Get("Allow") != "GET, POST, OPTIONS" {
		t.Errorf("PUT = %d %v, want 405", r.StatusCode, r.Header)
	}
	if r := ask(t, "POST", "/pusher/auth", "socket_id="+strings.Repeat("1", maxForm)); r.StatusCode != 400 {
		t.Errorf("a form that is too long = %d, want 400", r.StatusCode)
	}
}
