package backend_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/backend"
)

// decideChannel lets ann everywhere but on private-secret, and breaks on
// private-broken.
func decideChannel(r *http.Request, socketID, channel string) (*backend.Member, error) {
	switch {
	case channel == "private-broken":
		return nil, errors.New("the database is gone")
	case channel == "private-secret", r.Header.Get("X-Banned") != "":
		return nil, backend.ErrAuthDenied
	case channel == "presence-nobody":
		return nil, nil
	}
	return &backend.Member{UserID: "ann" + r.Form.Get("suffix")}, nil
}

func ask(h http.Handler, method, target, contentType, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const formType = "application/x-www-form-urlencoded"

// multipartBody is what a browser makes of a FormData.
const multipartBody = "--xyz\r\nContent-Disposition: form-data; name=\"socket_id\"\r\n\r\n1.2\r\n" +
	"--xyz\r\nContent-Disposition: form-data; name=\"channel_name\"\r\n\r\npresence-x\r\n" +
	"--xyz\r\nContent-Disposition: form-data; name=\"suffix\"\r\n\r\n;&\r\n--xyz--\r\n"

// Covers 53.
func TestChannelAuthHandler(t *testing.T) {
	c := client(t, answers())
	h := c.ChannelAuthHandler(decideChannel)
	for name, test := range map[string]struct {
		contentType, body string
		status            int
		data              string
	}{
		"form":                            {formType, "socket_id=1.2&channel_name=presence-x&suffix=%21", 200, `{"user_id":"ann!"}`},
		"form of no type":                 {"", "socket_id=1.2&channel_name=presence-x", 200, `{"user_id":"ann"}`},
		"JSON":                            {"application/json; charset=utf-8", `{"socket_id":"1.2","channel_name":"presence-x","n":1}`, 200, `{"user_id":"ann"}`},
		"private":                         {formType, "socket_id=1.2&channel_name=private-x", 200, ""},
		"refused":                         {formType, "socket_id=1.2&channel_name=private-secret", 403, ""},
		"broken":                          {formType, "socket_id=1.2&channel_name=private-broken", 500, ""},
		"no member":                       {formType, "socket_id=1.2&channel_name=presence-nobody", 500, ""},
		"public":                          {formType, "socket_id=1.2&channel_name=news", 400, ""},
		"smuggled sign-in":                {formType, "socket_id=1.2&channel_name=" + url.QueryEscape(`:user::{"id":"admin"}`), 400, ""},
		"no channel":                      {formType, "socket_id=1.2", 400, ""},
		"no socket":                       {formType, "channel_name=private-x", 400, ""},
		"bad socket":                      {formType, "socket_id=1.2%0A&channel_name=private-x", 400, ""},
		"bad escapes":                     {formType, "socket_id=%zz", 400, ""},
		"bad JSON":                        {"application/json", "[]", 400, ""},
		"endless":                         {formType, "socket_id=1.2&channel_name=private-x&pad=" + strings.Repeat("x", 64<<10), 400, ""},
		"a semicolon that nobody escaped": {formType, "socket_id=1.2&channel_name=private-a;b&suffix=;%20+c", 200, ""},
		"a presence channel with one":     {formType, "socket_id=1.2&channel_name=presence-a;b&suffix=;%2B", 200, `{"user_id":"ann;+"}`},
		"JSON as text":                    {"text/plain;charset=UTF-8", ` {"socket_id":"1.2","channel_name":"presence-x","suffix":2}`, 200, `{"user_id":"ann2"}`},
		"JSON as a form":                  {formType, `{"socket_id":"1.2","channel_name":"presence-x"}`, 200, `{"user_id":"ann"}`},
		"JSON with null":                  {"", `{"socket_id":"1.2","channel_name":"presence-x","suffix":null}`, 200, `{"user_id":"ann"}`},
		"a form as JSON":                  {"application/json", "socket_id=1.2&channel_name=presence-x", 200, `{"user_id":"ann"}`},
		"FormData":                        {"multipart/form-data; boundary=xyz", multipartBody, 200, `{"user_id":"ann;&"}`},
		"FormData without its boundary":   {"multipart/form-data", multipartBody, 200, `{"user_id":"ann;&"}`},
		"FormData with bare line feeds":   {"multipart/form-data; boundary=xyz", strings.ReplaceAll(multipartBody, "\r\n", "\n"), 200, `{"user_id":"ann;&"}`},
		"FormData with something behind":  {"multipart/form-data; boundary=xyz", multipartBody + "\r\nthe end", 200, `{"user_id":"ann;&"}`},
		"FormData with spaces":            {"multipart/form-data; boundary=xyz", strings.ReplaceAll(multipartBody, "--xyz\r\n", "--xyz \r\n"), 200, `{"user_id":"ann;&"}`},
		"FormData that is cut off":        {"multipart/form-data; boundary=xyz", multipartBody[:len(multipartBody)-20], 400, ""},
		"FormData of a lie":               {"multipart/form-data; boundary=xyz", "--xyz\r\nsocket_id=1.2", 400, ""},
		"channel not a text":              {"application/json", `{"socket_id":"1.2","channel_name":7}`, 400, ""},
	} {
		w := ask(h, "POST", "/pusher/auth", test.contentType, test.body)
		if w.Code != test.status {
			t.Errorf("%s: status %d %s, want %d", name, w.Code, w.Body, test.status)
			continue
		}
		if strings.Contains(w.Body.String(), "database") {
			t.Errorf("%s: the client is told %s", name, w.Body)
		}
		if test.status != 200 {
			continue
		}
		var auth backend.ChannelAuth
		if err := json.Unmarshal(w.Body.Bytes(), &auth); err != nil || !strings.HasPrefix(auth.Auth, testKey+":") || auth.ChannelData != test.data {
			t.Errorf("%s: %s (%v), want data %s", name, w.Body, err, test.data)
		}
		if w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: header %v", name, w.Header())
		}
	}
	if w := ask(h, "POST", "/auth?socket_id=1.2&channel_name=presence-a;b&suffix=7", "", ""); w.Code != 200 {
		t.Errorf("everything in the query: status %d %s", w.Code, w.Body)
	}
	for body, want := range map[string]string{
		"channel_name=private-x":                         "socket_id: invalid socket id: missing; send it as a form, or as JSON\n",
		"socket_id=1.2":                                  "channel_name: invalid channel name: missing\n",
		`{"socket_id":"1.2","channel_name":"private-x"`:  "body: invalid parameter: not a JSON object\n",
		"socket_id=%zz":                                  "body: invalid parameter: not a form, nor a JSON object\n",
		"<xml><socket_id>1.2</socket_id></xml>":          "socket_id: invalid socket id: missing; send it as a form, or as JSON\n",
		"socket_id=1.2%3Aprivate&channel_name=private-x": "socket id \"1.2:private\": invalid socket id\n",
	} {
		if w := ask(h, "POST", "/", formType, body); w.Code != 400 || w.Body.String() != want {
			t.Errorf("%s: %d %q, want 400 %q", body, w.Code, w.Body, want)
		}
	}
	read := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.FormValue("csrf_token") // which reads the body
		h.ServeHTTP(w, r)
	})
	for kind, body := range map[string]string{formType: "socket_id=1.2&channel_name=presence-x&suffix=7", "multipart/form-data; boundary=xyz": multipartBody} {
		if w := ask(read, "POST", "/auth?lang=en", kind, body); w.Code != 200 {
			t.Errorf("%s that was read before: status %d %s", kind, w.Code, w.Body)
		}
	}
	if w := ask(h, "POST", "/", formType, "socket_id=1.2&channel_name=private-x", "X-Banned", "1"); w.Code != 403 {
		t.Errorf("banned by a header: status %d", w.Code)
	}
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		if w := ask(h, method, "/?socket_id=1.2&channel_name=private-x&callback=f", "", ""); w.Code != 405 {
			t.Errorf("%s: status %d, want 405", method, w.Code)
		}
	}
}

func TestUserAuthHandler(t *testing.T) {
	h := client(t, answers()).UserAuthHandler(func(r *http.Request, socketID string) (*backend.UserData, error) {
		switch r.Form.Get("user") {
		case "":
			return nil, nil
		case "mallory":
			return nil, backend.ErrAuthDenied
		case "broken":
			return nil, errors.New("the database is gone")
		case "control":
			return &backend.UserData{ID: "\x00"}, nil
		}
		return &backend.UserData{ID: r.Form.Get("user")}, nil
	})
	for body, status := range map[string]int{
		"socket_id=1234.1234&user=12345": 200,
		"socket_id=1.2":                  403,
		"socket_id=1.2&user=mallory":     403,
		"socket_id=1.2&user=broken":      500,
		"socket_id=1.2&user=control":     500,
		"user=12345":                     400,
	} {
		w := ask(h, "POST", "/pusher/user-auth", formType, body)
		if w.Code != status {
			t.Errorf("%s: status %d %s, want %d", body, w.Code, w.Body, status)
		}
		want := `{"auth":"` + testKey + `:4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba","user_data":"{\"id\":\"12345\"}"}`
		if status == 200 && w.Body.String() != want {
			t.Errorf("%s: %s, want %s", body, w.Body, want)
		}
	}
}

// Covers 54.
func TestJSONP(t *testing.T) {
	h := client(t, answers()).ChannelAuthHandler(decideChannel, backend.AllowJSONP())
	for _, callback := range []string{"f", "Pusher.auth_callbacks['1']", "window.cb[3]", "$_a"} {
		w := ask(h, "GET", "/auth?socket_id=1.2&channel_name=private-x&callback="+url.QueryEscape(callback), "", "")
		text, ok := strings.CutPrefix(w.Body.String(), callback+"(")
		text, ok2 := strings.CutSuffix(text, ");")
		if w.Code != 200 || !ok || !ok2 || !json.Valid([]byte(text)) || w.Header().Get("Content-Type") != "application/javascript" {
			t.Errorf("%s: %d %s %v", callback, w.Code, w.Body, w.Header())
		}
	}
	for _, callback := range []string{"", "f()", "a;b", "<script>", "f\n", "1f", "Pusher.auth_callbacks['x']", "Pusher.auth_callbacks['1'];alert(1)//", strings.Repeat("f", 129)} {
		if w := ask(h, "GET", "/auth?socket_id=1.2&channel_name=private-x&callback="+url.QueryEscape(callback), "", ""); w.Code != 400 {
			t.Errorf("callback %q: status %d %s, want 400", callback, w.Code, w.Body)
		}
	}
	if w := ask(h, "GET", "/auth?socket_id=1.2&channel_name=private-secret&callback=f", "", ""); w.Code != 403 {
		t.Errorf("refused: status %d", w.Code)
	}
}

// Covers 55.
func TestBatchedRequest(t *testing.T) {
	c := client(t, answers())
	h := c.ChannelAuthHandler(decideChannel)
	form := "&socket_id=1.2&channel_name[0]=private-a&channel_name[1]=private-secret&channel_name[10]=presence-x&channel_name[2]=news&channel_name[3]=private-broken"
	for name, w := range map[string]*httptest.ResponseRecorder{
		"form": ask(h, "POST", "/auth", formType, form),
		"JSON": ask(h, "POST", "/auth", "application/json", `{"socket_id":"1.2","channel_name":["private-a","private-secret","presence-x","news","private-broken"]}`),
	} {
		var reply map[string]struct {
			Status int
			Data   *backend.ChannelAuth
		}
		if err := json.Unmarshal(w.Body.Bytes(), &reply); err != nil || w.Code != 200 {
			t.Fatalf("%s: %d %s (%v)", name, w.Code, w.Body, err)
		}
		for channel, status := range map[string]int{"private-a": 200, "private-secret": 403, "presence-x": 200, "news": 400, "private-broken": 500} {
			if got := reply[channel]; got.Status != status || (got.Data != nil) != (status == 200) {
				t.Errorf("%s: %s = %+v, want status %d", name, channel, got, status)
			}
		}
		if len(reply) != 5 {
			t.Errorf("%s: %d answers", name, len(reply))
		}
	}
	request, err := backend.ParseAuthRequest(httptest.NewRequest("POST", "/", strings.NewReader(form)))
	if err != nil || !request.Batched || strings.Join(request.Channels, " ") != "private-a private-secret news private-broken presence-x" {
		t.Errorf("ParseAuthRequest = %+v, %v, want the channels by number", request, err)
	}
	var many strings.Builder
	for range 101 {
		many.WriteString(`"private-x",`)
	}
	for name, body := range map[string]string{
		"101 channels": `{"socket_id":"1.2","channel_name":[` + strings.TrimSuffix(many.String(), ",") + `]}`,
		"no channels":  `{"socket_id":"1.2","channel_name":[]}`,
	} {
		if w := ask(h, "POST", "/auth", "application/json", body); w.Code != 400 {
			t.Errorf("%s: status %d, want 400", name, w.Code)
		}
	}
	if w := ask(h, "POST", "/auth", formType, "socket_id=1.2&channel_name[x]=private-a"); w.Code != 400 {
		t.Errorf("channel_name[x]: status %d, want 400", w.Code)
	}
}

func TestPagesOfOtherOrigins(t *testing.T) {
	const body = "socket_id=1.2&channel_name=private-x"
	h := client(t, answers()).ChannelAuthHandler(decideChannel, backend.AllowOrigins("https://shop.example"), backend.AllowHeaders("X-CSRF-Token"))
	w := ask(h, "OPTIONS", "/auth", "", "", "Origin", "https://shop.example", "Access-Control-Request-Method", "POST")
	if w.Code != 204 || w.Header().Get("Access-Control-Allow-Headers") != "Content-Type, Authorization, X-CSRF-Token" {
		t.Errorf("preflight: %d %v", w.Code, w.Header())
	}
	for origin, want := range map[string]string{"https://shop.example": "https://shop.example", "https://evil.example": "", "": ""} {
		w := ask(h, "POST", "/auth", formType, body, "Origin", origin)
		if got := w.Header().Get("Access-Control-Allow-Origin"); got != want || w.Code != 200 || w.Header().Get("Vary") != "Origin" {
			t.Errorf("origin %q: %d, allowed %q, want %q", origin, w.Code, got, want)
		}
	}
	open := client(t, answers()).ChannelAuthHandler(decideChannel, backend.AllowOrigins("*"))
	w = ask(open, "POST", "/auth", formType, body, "Origin", "https://any.example")
	if w.Header().Get("Access-Control-Allow-Origin") != "*" || w.Header().Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("open endpoint: %v", w.Header())
	}
	closed := client(t, answers()).ChannelAuthHandler(decideChannel)
	if w = ask(closed, "POST", "/auth", formType, body, "Origin", "https://any.example"); w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("endpoint without origins: %v", w.Header())
	}
}
