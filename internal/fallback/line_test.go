package fallback

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/protocol"
)

func textFrame(text string) *frame.Frame {
	return frame.Text(func(b []byte) []byte { return append(b, text...) })
}

// TestLinesAreWhatClientsRead: one newline, an array of the message, and as
// many units as JavaScript counts.
func TestLinesAreWhatClientsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		l := messageLine(textFrame(text))
		if !utf8.Valid(l.text) || bytes.Count(l.text, []byte("\n")) != 1 || bytes.ContainsAny(l.text, "\r\x00") {
			t.Fatalf("line %q", l.text)
		}
		if want := len(utf16.Encode([]rune(string(l.text)))); l.units != want {
			t.Fatalf("%q has %d units, want %d", l.text, l.units, want)
		}
		var list []string
		if err := json.Unmarshal(bytes.TrimSpace(l.text[1:]), &list); err != nil || len(list) != 1 || list[0] != text {
			t.Fatalf("line %q carries %q, %v, want %q", l.text, list, err, text)
		}
		var one string
		if err := json.Unmarshal(l.element(), &one); err != nil || one != text {
			t.Fatalf("element %q, %v", l.element(), err)
		}
	})
}

func TestFixedLines(t *testing.T) {
	for _, l := range []line{openLine, emptyLine, beatLine} {
		if l.units != units(l.text) {
			t.Errorf("%q has %d units, want %d", l.text, l.units, units(l.text))
		}
	}
	if got := string(openAt(`a"b`).text); got != "o{\"hostname\":\"a\\\"b\"}\n" {
		t.Errorf("open line %q", got)
	}
	if got := string(closeLine(protocol.ErrReconnect).text); got != "c[4200,\"Please reconnect immediately\"]\n" {
		t.Errorf("close line %q", got)
	}
}

// TestFormatsCarryEveryLine undoes what formats do, as clients undo it.
func TestFormatsCarryEveryLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := messageLine(textFrame(rapid.String().Draw(t, "text"))).text

		event, ok := strings.CutPrefix(string(appendEvent(nil, want, "")), "data: ")
		event, end := strings.CutSuffix(event, "\r\n\r\n")
		plain, err := url.PathUnescape(event)
		if !ok || !end || err != nil || plain != strings.TrimSuffix(string(want), "\n") {
			t.Fatalf("event %q of %q: %v", event, want, err)
		}
		for name, script := range map[string]string{
			"call":   strings.TrimSuffix(strings.TrimPrefix(string(appendCall(nil, want, "cb")), "/**/cb("), ");\r\n"),
			"script": strings.TrimSuffix(strings.TrimPrefix(string(appendScript(nil, want, "cb")), "<script>\np("), ");\n</script>\r\n"),
		} {
			var text string
			if err := json.Unmarshal([]byte(script), &text); err != nil || text+"\n" != string(want) || strings.ContainsAny(script, "<>&\u2028\u2029\r\n") {
				t.Fatalf("%s %q of %q: %v", name, script, want, err)
			}
		}
	})
}

func TestEncoderMakesALineOnce(t *testing.T) {
	var e encoder
	a, b := textFrame("a"), textFrame("b")
	first := e.line(a)
	e.line(b)
	if again := e.line(a); &again.text[0] != &first.text[0] {
		t.Error("the line of a frame was made twice")
	}
	for range encoderSize {
		e.line(textFrame("x"))
	}
	if again := e.line(a); string(again.text) != "a[\"a\"]\n" {
		t.Errorf("line %q", again.text)
	}
}

func FuzzReadMessages(f *testing.F) {
	for _, seed := range []string{`[]`, `["a"]`, `["a","b\u0041"]`, `[1]`, `{}`, `["\ud800"]`, ` [ "x" ] `, `["x"`, ``, `[["x"]]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		const limit = 10
		got, err := readMessages(body, limit, len(body))
		var want []string
		var null []*string
		valid := utf8.Valid(body) && json.Unmarshal(body, &want) == nil && json.Unmarshal(body, &null) == nil && want != nil
		for i := range null {
			valid = valid && null[i] != nil && len(want[i]) <= limit
		}
		if valid != (err == nil) {
			t.Fatalf("readMessages(%q) = %q, %v; encoding/json says %t", body, got, err, valid)
		}
		for i := range got {
			if string(got[i]) != want[i] {
				t.Fatalf("message %d of %q is %q, want %q", i, body, got[i], want[i])
			}
		}
	})
}

func FuzzRoute(f *testing.F) {
	for _, seed := range []string{"/pusher/app/key/1/a/xhr", "/pusher/info", "/pusher/iframe-1.html", "/pusher/000/abc/jsonp", "/timeline/v2/jsonp/1", "//pusher//app/%2F/1/a/xhr_send", "/"} {
		f.Add(seed)
	}
	s := &Server{base: []string{"pusher"}}
	f.Fuzz(func(t *testing.T, path string) {
		rt, ok := s.route(path)
		if !ok {
			return
		}
		if rt.endpoint == 0 || rt.app != "" && rt.id.key == "" || len(rt.id.server) > maxID || len(rt.id.session) > maxID ||
			strings.ContainsAny(rt.id.server+rt.id.session+rt.receiver, "/.%<>\"'() \n") || strings.Contains(strings.TrimPrefix(rt.app, "/app/"), "/") {
			t.Fatalf("route(%q) = %+v", path, rt)
		}
	})
}
