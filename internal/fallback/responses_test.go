package fallback_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func responses() []statement {
	return []statement{
		{14, "status_is_200", testStatus},
		{15, "content_type", testContentType},
		{16, "cache_control", testCacheControl},
		{17, "streams_are_unbuffered", testUnbuffered},
		{18, "no_compression", testNoCompression},
		{19, "one_line_one_newline", testLines},
		{20, "valid_UTF8", testUTF8},
		{21, "elements_are_strings", testElements},
	}
}

// bothEndpoints runs a check on the answer of a new session's first request,
// by streaming and by polling.
func bothEndpoints(t *testing.T, check func(n *node, s *stream)) {
	for _, end := range []string{"xhr", "xhr_streaming"} {
		bothVersions(t, setup{}, func(n *node) {
			check(n, n.open("POST", appPath("1")+"/1/aaaaaaaa/"+end+query, "Accept-Encoding", "gzip, br", "Origin", "https://page.test"))
		})
	}
}

func testStatus(t *testing.T) {
	bothEndpoints(t, func(_ *node, s *stream) {
		if s.resp.StatusCode != 200 {
			t.Errorf("status %d, want 200", s.resp.StatusCode)
		}
	})
}

func testContentType(t *testing.T) {
	bothEndpoints(t, func(_ *node, s *stream) {
		h := s.resp.Header
		if h.Get("Content-Type") != "application/javascript; charset=UTF-8" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("headers %v", h)
		}
	})
}

func testCacheControl(t *testing.T) {
	bothEndpoints(t, func(_ *node, s *stream) {
		caching := s.resp.Header.Get("Cache-Control")
		if !strings.Contains(caching, "no-store") || !strings.Contains(caching, "no-transform") || s.resp.Header.Get("X-Accel-Buffering") != "no" {
			t.Errorf("headers %v", s.resp.Header)
		}
	})
}

func testUnbuffered(t *testing.T) {
	bothVersions(t, setup{}, func(n *node) {
		start := time.Now()
		s := n.connected(appPath("1")+"/1/aaaaaaaa", "news")
		n.trigger("news", "one", "1")
		s.event("one")
		s.cancel()
		if took := time.Since(start); took != 0 {
			t.Errorf("messages took %v", took)
		}
	})
}

func testNoCompression(t *testing.T) {
	bothEndpoints(t, func(n *node, s *stream) {
		if got := s.resp.Header.Get("Content-Encoding"); got != "" || s.resp.Uncompressed {
			t.Errorf("Content-Encoding %q", got)
		}
		s.established()
	})
}

func testLines(t *testing.T) {
	run(t, setup{}, func(n *node) {
		s := n.connected(appPath("1")+"/1/aaaaaaaa", "news")
		n.trigger("news", "a\r\nb", "c\r\nd\u2028e")
		raw, err := s.within(time.Second)
		if err != nil || strings.Count(raw, "\n") != 1 || strings.Contains(raw, "\r") || !strings.HasSuffix(raw, "]\n") {
			t.Errorf("line %q, %v", raw, err)
		}
		if m := n.decode(n.messages(strings.TrimSpace(raw))[0]); m.Event != "a\r\nb" || m.text() != "c\r\nd\u2028e" {
			t.Errorf("message %+v", m)
		}
	})
}

func testUTF8(t *testing.T) {
	// Larger than every buffer on the way, so that it is cut somewhere.
	data := strings.Repeat("a😀é漢", 2000)
	bothVersions(t, setup{}, func(n *node) {
		s := n.connected(appPath("1")+"/1/aaaaaaaa", "news")
		for range 3 {
			n.trigger("news", "e", data)
			if m := s.event("e"); m.text() != data {
				t.Errorf("data changed")
			}
		}
		n.polling(appPath("1")+"/2/aaaaaaaa", "news")
		n.trigger("news", "e", data)
		answer := n.poll(appPath("1") + "/2/aaaaaaaa")
		if !utf8.ValidString(answer) || n.decode(n.messages(answer)[0]).text() != data {
			t.Errorf("poll changed the data")
		}
	})
}

func testElements(t *testing.T) {
	run(t, setup{}, func(n *node) {
		n.polling(appPath("1")+"/1/aaaaaaaa", "news")
		n.trigger("news", "one", `say "hi"`)
		n.trigger("news", "two", `{"a":1}`)
		var list []any
		answer := n.poll(appPath("1") + "/1/aaaaaaaa")
		if err := json.Unmarshal([]byte(answer[1:]), &list); err != nil || len(list) != 2 {
			t.Fatalf("poll = %q, %v, want two elements", answer, err)
		}
		for _, e := range list {
			if _, ok := e.(string); !ok {
				t.Errorf("element %v is not a string", e)
			}
		}
	})
}
