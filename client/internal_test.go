package client

import (
	"encoding/json"
	"reflect"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

func TestWhereHTTPSessionsAre(t *testing.T) {
	for want, e := range map[string]Endpoint{
		"https://sockjs-eu.pusher.com:443/pusher/app/k": {Cluster: "eu"},
		"http://h:80/pusher/app/k":                      {Host: "h", Insecure: true},
		"https://h:6001/real/time/pusher/app/k":         {Host: "h", Port: 6001, Path: "/real/time/"},
		"https://other:6002/app/k":                      {Host: "h", Port: 6001, Path: "/x", HTTPHost: "other", HTTPPort: 6002, HTTPPath: "/"},
		"https://h:443/polls/app/k":                     {Host: "h", HTTPPath: "polls"},
	} {
		if got := e.httpURL("k").String(); got != want {
			t.Errorf("%+v: %s, want %s", e, got, want)
		}
	}
}

// FuzzContent compares with encoding/json.
func FuzzContent(f *testing.F) {
	for _, s := range []string{"", "x", "é☕😀", "\"\\/\b\f\n\r\t\x00", "\u2028"} {
		f.Add(s)
	}
	f.Add(`\ud83d\ude00`)
	f.Add(`\ud83d\u0041\ud83d`)
	f.Fuzz(func(t *testing.T, s string) {
		literal := []byte(`"` + s + `"`)
		var want string
		if utf8.Valid(literal) && json.Unmarshal(literal, &want) == nil {
			if got := content(literal); got != want {
				t.Errorf("content(%s) = %q, want %q", literal, got, want)
			}
		}
		encoded, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if json.Unmarshal(encoded, &want); content(encoded) != want {
			t.Errorf("content(%s) = %q, want %q", encoded, content(encoded), want)
		}
	})
}

// FuzzParseEvent looks for messages that are taken for something else when
// they are sent again.
func FuzzParseEvent(f *testing.F) {
	f.Add([]byte(`{"event":"e","channel":"c","data":"{\"a\":1}"}`))
	f.Add([]byte(`{"event":"client-e","channel":"presence-c","data":{"a":[1,null]},"user_id":17}`))
	f.Add([]byte(`{"event":"pusher:error","data":{"code":4001,"message":"m"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := parseEvent(text, false)
		if err != nil {
			return
		}
		again, err := json.Marshal(map[string]string{"event": e.Name, "channel": e.Channel, "data": e.Data, "user_id": e.UserID})
		if err != nil {
			t.Fatal(err)
		}
		back, err := parseEvent(again, false)
		back.Received = e.Received
		if err != nil || !reflect.DeepEqual(e, back) {
			t.Errorf("%s is %+v, then %+v, %v", text, e, back, err)
		}
		serverError([]byte(e.Data))
		parseMembers(e.Data)
		parseMember(e.Data)
		parseBox(e.Data)
		closed([]byte(e.Data))
		established(nil, text, []byte(e.Data))
		decodeAuth([]byte(e.Data), "private-x")
	})
}

// FuzzHTTPLine feeds a transport with lines.
func FuzzHTTPLine(f *testing.F) {
	for _, line := range []string{"o", `o{"hostname":"h"}`, `a["x"]`, "a[]", `m"x"`, "h", `c[4200,"x"]`, "", "?", `a[1,{}]`} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		l := &httpLink{limit: 100, base: Endpoint{Host: "h"}.httpURL("k")}
		if err := l.take(line); err == nil && len(l.messages) > 0 {
			if _, _, err := l.read(); err != nil && !isType[*messageError](err) {
				t.Errorf("%q: %v", line, err)
			}
		}
		if want := len(utf16.Encode([]rune(string(line)))); utf8.Valid(line) && utf16Len(line) != want {
			t.Errorf("utf16Len(%q) = %d, want %d", line, utf16Len(line), want)
		}
	})
}

// A server may call anything an error; what it says must not break the client.
func TestServerErrorOfAnything(t *testing.T) {
	for data, want := range map[string]string{
		`{"code":4009,"message":"no"}`:            "no",
		`"{\"code\":null,\"message\":\"inner\"}"`: "inner",
		`"`:   `"`,
		`"\"`: `"\"`,
		``:    ``,
		`[`:   `[`,
	} {
		if got := serverError([]byte(data)).Message; got != want {
			t.Errorf("serverError(%s).Message = %q, want %q", data, got, want)
		}
	}
}
