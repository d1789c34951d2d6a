package fallback_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/fallback"
)

func sockJS() []statement {
	return []statement{
		{74, "info", testInfo},
		{75, "iframe", testIframe},
		{76, "sub_transports", testSubTransports},
		{77, "payloads_arrive_unchanged", testPayloads},
		{78, "jsonp", testJSONP},
		{79, "the_first_message_names_the_app", testFirstMessage},
		{80, "unknown_key_in_path", testUnknownKeyInPath},
		{81, "heartbeats_on_SockJS", testSockJSHeartbeats},
		{82, "streams_end_at_128_KB", testStreamsEnd},
	}
}

const sockJSSession = "/042/0v9abcde"

// hello is the first message of a SockJS client.
const hello = `{"path":"/app/key1?protocol=7&client=js&version=8.6.0"}`

func testInfo(t *testing.T) {
	run(t, setup{}, func(n *node) {
		resp, answer := n.do("GET", "/info?t=1", "", "Origin", "https://page.test")
		var got struct {
			WebSocket *bool `json:"websocket"`
			Origins   []string
			Cookie    *bool    `json:"cookie_needed"`
			Entropy   *float64 `json:"entropy"`
			Heartbeat int      `json:"server_heartbeat_interval"`
		}
		if err := json.Unmarshal([]byte(answer), &got); err != nil || got.WebSocket == nil || *got.WebSocket || got.Cookie == nil || *got.Cookie || got.Entropy == nil || got.Heartbeat != 25000 {
			t.Errorf("info = %s, %v", answer, err)
		}
		h := resp.Header
		if h.Get("Access-Control-Allow-Origin") != "https://page.test" || h.Get("Access-Control-Allow-Credentials") != "true" ||
			h.Get("Vary") != "Origin" || !strings.Contains(h.Get("Cache-Control"), "no-store") {
			t.Errorf("headers %v", h)
		}
		if resp, _ := n.do("GET", "/info", ""); resp.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("without Origin: headers %v", resp.Header)
		}
	})
}

func testIframe(t *testing.T) {
	script := "var SockJS = {}; // </script> must not end it"
	run(t, setup{fallback: fallback.Config{SockJS: []byte(script)}}, func(n *node) {
		resp, page := n.do("GET", "/iframe.html?js_path=https://evil.test/evil.js", "")
		h := resp.Header
		if resp.StatusCode != 200 || h.Get("X-Frame-Options") != "" || h.Get("Content-Security-Policy") != "" || !strings.Contains(h.Get("Cache-Control"), "max-age=86400") {
			t.Errorf("iframe = %d %v", resp.StatusCode, h)
		}
		if strings.Contains(page, "evil") || !strings.Contains(page, "var SockJS") || !strings.Contains(page, "bootstrap_iframe()") || strings.Count(page, "</script") != 2 {
			t.Errorf("page = %s", page)
		}
		if resp, _ := n.do("GET", "/iframe-0.3.4.html", "", "If-None-Match", h.Get("ETag")); resp.StatusCode != http.StatusNotModified {
			t.Errorf("iframe again = %d, want 304", resp.StatusCode)
		}
	})
	run(t, setup{}, func(n *node) {
		if resp, answer := n.do("GET", "/iframe.html", ""); resp.StatusCode != 404 || !strings.Contains(answer, "no page for iframes") {
			t.Errorf("iframe without a script = %d %q", resp.StatusCode, answer)
		}
	})
}

// A carrier reads the lines of one sub-transport of SockJS.
type carrier struct {
	n       *node
	session string
	kind    string
	s       *stream // nil with jsonp
}

func (n *node) carrier(kind, session string) *carrier {
	c := &carrier{n: n, session: session, kind: kind}
	c.reopen()
	return c
}

func (c *carrier) reopen() {
	switch c.kind {
	case "xhr_streaming":
		c.s = c.n.open("POST", c.session+"/xhr_streaming", "Content-Type", "text/plain;charset=UTF-8")
		if got := c.s.next(); got != strings.Repeat("h", 2048) {
			c.n.t.Fatalf("prelude %.20q", got)
		}
	case "eventsource":
		c.s = c.n.open("GET", c.session+"/eventsource")
		c.s.expect("\r")
	case "htmlfile":
		c.s = c.n.open("GET", c.session+"/htmlfile?c=_jp.aX1")
		for size := 0; ; {
			l := c.s.next()
			size += len(l)
			if strings.HasSuffix(l, " \r") || l == "\r" {
				if size < 1024 {
					c.n.t.Fatalf("beginning of the page has %d bytes", size)
				}
				c.s.expect("\r")
				return
			}
		}
	}
}

// next returns the next line of the session, as the client sees it.
func (c *carrier) next() string {
	c.n.t.Helper()
	switch c.kind {
	case "xhr_streaming":
		return c.s.next()
	case "eventsource":
		l := c.s.next()
		c.s.expect("\r")
		text, err := url.PathUnescape(strings.TrimSuffix(strings.TrimPrefix(l, "data: "), "\r"))
		if err != nil || !strings.HasPrefix(l, "data: ") {
			c.n.t.Fatalf("event %q: %v", l, err)
		}
		return text
	case "htmlfile":
		c.s.expect("<script>")
		l := c.s.next()
		c.s.expect("</script>\r")
		return c.call(l, "p(", ");")
	case "xhr":
		_, answer := c.n.do("POST", c.session+"/xhr", "", "Content-Type", "text/plain")
		return strings.TrimSuffix(answer, "\n")
	}
	resp, answer := c.n.do("GET", c.session+"/jsonp?c=_jp.aX1", "")
	if resp.Header.Get("X-Content-Type-Options") != "nosniff" || strings.Count(answer, "\n") != 1 {
		c.n.t.Fatalf("jsonp answer %q %v", answer, resp.Header)
	}
	return c.call(answer, "/**/_jp.aX1(", ");\r\n")
}

// call is the text with which a script calls back.
func (c *carrier) call(script, before, after string) string {
	c.n.t.Helper()
	literal, ok1 := strings.CutPrefix(script, before)
	literal, ok2 := strings.CutSuffix(literal, after)
	var text string
	if err := json.Unmarshal([]byte(literal), &text); err != nil || !ok1 || !ok2 || strings.ContainsAny(literal, "<>&\u2028\u2029") {
		c.n.t.Fatalf("script %q: %v", script, err)
	}
	return text
}

func (c *carrier) send(messages ...string) {
	c.n.t.Helper()
	body, _ := json.Marshal(append([]string{}, messages...))
	if c.kind != "jsonp" {
		if resp, _ := c.n.do("POST", c.session+"/xhr_send", string(body), "Content-Type", "text/plain;charset=UTF-8"); resp.StatusCode != 204 {
			c.n.t.Fatalf("xhr_send = %d", resp.StatusCode)
		}
		return
	}
	form := url.Values{"d": {string(body)}}.Encode()
	if resp, answer := c.n.do("POST", c.session+"/jsonp_send?i=a1", form, "Content-Type", "application/x-www-form-urlencoded"); resp.StatusCode != 200 || answer != "ok" {
		c.n.t.Fatalf("jsonp_send = %d %q, want 200 ok", resp.StatusCode, answer)
	}
}

// event returns the next message, which must be of that event.
func (c *carrier) event(want string) inside {
	c.n.t.Helper()
	list := c.n.messages(c.next())
	if len(list) != 1 {
		c.n.t.Fatalf("%d messages, want one: %q", len(list), list)
	}
	m := c.n.decode(list[0])
	if m.Event != want {
		c.n.t.Fatalf("message %.200v, want %s", m, want)
	}
	return m
}

// connect opens a Pusher connection with a channel.
func (c *carrier) connect(channel string) {
	c.n.t.Helper()
	if l := c.next(); l != "o" {
		c.n.t.Fatalf("first line %q, want o alone", l)
	}
	c.send(hello)
	c.n.socketID(c.event("pusher:connection_established"))
	c.send(subscribeMessage(channel))
	c.event("pusher_internal:subscription_succeeded")
}

// subTransports runs a test over each way to carry a session.
func subTransports(t *testing.T, test func(n *node, c *carrier)) {
	for _, kind := range []string{"xhr_streaming", "eventsource", "htmlfile", "xhr", "jsonp"} {
		t.Run(kind, func(t *testing.T) {
			bothVersions(t, setup{}, func(n *node) { test(n, n.carrier(kind, sockJSSession)) })
		})
	}
}

func testSubTransports(t *testing.T) {
	subTransports(t, func(n *node, c *carrier) {
		c.connect("news")
		for range 3 {
			n.trigger("news", "e", "hello")
			c.event("e")
		}
		if got := n.connections(); got != 1 {
			t.Errorf("%d connections, want the one", got)
		}
	})
}

func testPayloads(t *testing.T) {
	subTransports(t, func(n *node, c *carrier) {
		c.connect("news")
		for _, data := range []string{"%41", "%u0041", "%", "a\nb\r\nc", "</script><!--", "\u2028\u2029", "é漢😀", "a&b<c>", "\x00"} {
			n.trigger("news", "e", data)
			if got := c.event("e").text(); got != data {
				t.Errorf("data %q arrived as %q", data, got)
			}
		}
	})
}

func testJSONP(t *testing.T) {
	run(t, setup{}, func(n *node) {
		c := n.carrier("jsonp", sockJSSession)
		c.connect("news")
		n.trigger("news", "one", "")
		n.trigger("news", "two", "")
		if list := n.messages(c.next()); len(list) != 2 {
			t.Errorf("messages %q, want both in one line", list)
		}
		n.drain(0)
		if l := c.next(); !strings.HasPrefix(l, "c[4200,") {
			t.Errorf("line %q, want the close", l)
		}
		for _, bad := range []string{"", "alert(1)//", "a b", "<script>", strings.Repeat("a", 33), "a%00", "é"} {
			for _, end := range []string{"jsonp", "htmlfile"} {
				if resp, answer := n.do("GET", "/001/bbbbbbbb/"+end+"?c="+url.QueryEscape(bad), ""); resp.StatusCode != 400 || bad != "" && strings.Contains(answer, bad) {
					t.Errorf("%s with callback %q = %d %q, want 400", end, bad, resp.StatusCode, answer)
				}
			}
		}
		if n.sockets() != 0 {
			t.Errorf("%d sessions are left", n.sockets())
		}
	})
}

func testFirstMessage(t *testing.T) {
	run(t, setup{}, func(n *node) {
		c := n.carrier("xhr_streaming", sockJSSession)
		c.s.expect("o")
		c.s.silent(9 * time.Second)
		c.s.expect(`c[4005,"Path not found"]`)
		c.s.ended()
		if n.sockets() != 0 {
			t.Errorf("%d sessions are left", n.sockets())
		}
	})
	for _, first := range []string{`{"event":"pusher:subscribe"}`, `no JSON`, `{"path":1}`, `{"path":"/apps/1"}`, `{"path":"/app/key1/more?protocol=7"}`, `{"path":"/app/key1?%zz"}`} {
		run(t, setup{}, func(n *node) {
			c := n.carrier("xhr_streaming", sockJSSession)
			c.s.expect("o")
			c.send(first)
			c.s.expect(`c[4005,"Path not found"]`)
			c.s.ended()
		})
	}
	// A page's origin is not known, so an app with a list is not reached.
	run(t, setup{app: func(a *apps.App) { a.AllowedOrigins = []string{"belfry.test", apps.NoOrigin} }}, func(n *node) {
		c := n.carrier("xhr_streaming", sockJSSession)
		c.s.expect("o")
		c.send(hello)
		c.s.expect(`c[4009,"Origin not allowed"]`)
	})
}

func testUnknownKeyInPath(t *testing.T) {
	subTransports(t, func(n *node, c *carrier) {
		if l := c.next(); l != "o" {
			t.Errorf("first line %q, want o", l)
		}
		c.send(`{"path":"/app/nope?protocol=7"}`)
		if l := c.next(); !strings.HasPrefix(l, `c[4001,"App key nope not in this cluster.`) {
			t.Errorf("line %q, want 4001", l)
		}
	})
}

func testSockJSHeartbeats(t *testing.T) {
	subTransports(t, func(n *node, c *carrier) {
		c.connect("news")
		last := time.Now()
		for range 20 {
			if l := c.next(); l != "h" {
				t.Fatalf("line %q, want h", l)
			}
			if silence := time.Since(last); silence > 25*time.Second {
				t.Errorf("nothing for %v", silence)
			}
			last = time.Now()
			if c.kind != "jsonp" {
				c.send() // which is not answered: the next line is h again
			}
		}
	})
	// Upstream clients never answer, and are let be; one that did answer and
	// stops is dropped.
	for _, answers := range []bool{false, true} {
		run(t, setup{}, func(n *node) {
			c := n.carrier("eventsource", sockJSSession)
			c.connect("news")
			if answers {
				c.send()
			}
			for i := range 40 {
				if l := c.next(); l != "h" {
					if !answers || !strings.HasPrefix(l, "c[4201,") || i < 3 {
						t.Errorf("line %d is %q", i, l)
					}
					return
				}
			}
			if answers {
				t.Error("a client that stopped to answer was not dropped")
			}
		})
	}
}

func testStreamsEnd(t *testing.T) {
	for _, kind := range []string{"xhr_streaming", "eventsource", "htmlfile"} {
		bothVersions(t, setup{}, func(n *node) {
			c := n.carrier(kind, sockJSSession)
			c.connect("news")
			data := strings.Repeat("x", 9000)
			sent, responses := 0, 1
			for got := 0; got < 60; got++ {
				if sent == got {
					for range 20 {
						n.trigger("news", "e", data)
						sent++
					}
				}
				for !c.s.more() {
					c.reopen()
					responses++
				}
				c.event("e")
			}
			if responses < 4 {
				t.Errorf("%d responses for 540 KB, want one for each 128 KB", responses)
			}
		})
	}
}
