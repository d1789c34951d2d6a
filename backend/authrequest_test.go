package backend_test

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/backend"
)

// FuzzParseAuthBody holds that the parameters of a body, whatever it is, are
// those of the form that has them.
func FuzzParseAuthBody(f *testing.F) {
	for _, seed := range []string{
		"socket_id=1.2&channel_name=private-a;b", "&socket_id=1.2&channel_name[0]=private-a",
		`{"socket_id":"1.2","channel_name":["private-a"],"n":1,"x":null}`, multipartBody, "--\r\n", "--", "{", "%zz", "\ufeff{}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		form, err := backend.ParseAuthBody(body)
		if err != nil {
			return
		}
		text := "first=1&" + url.Values(form).Encode()
		again, err := backend.ParseAuthBody([]byte(text))
		if err != nil {
			t.Fatalf("ParseAuthBody(%q): %v", text, err)
		}
		form["first"] = append([]string{"1"}, form["first"]...)
		if !maps.EqualFunc(form, again, slices.Equal) {
			t.Errorf("ParseAuthBody(%q) = %q, want %q", text, again, form)
		}
	})
}

// A page of an old browser asks by a script, and escapes as little as it may.
func TestScriptForAChannelWithASemicolon(t *testing.T) {
	h := client(t, answers()).ChannelAuthHandler(decideChannel, backend.AllowJSONP())
	w := ask(h, "GET", "/auth?socket_id=1.2&channel_name=private-a;b&callback=f", "", "")
	if w.Code != 200 || !strings.HasPrefix(w.Body.String(), `f({"auth":"`) {
		t.Errorf("GET = %d %s, want a token", w.Code, w.Body)
	}
}
