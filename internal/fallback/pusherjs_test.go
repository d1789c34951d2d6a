package fallback_test

import (
	"context"
	"net/http"
	"strings"
	"unicode/utf16"
)

// pusherJSLimit is how many UTF-16 code units pusher-js reads of a response
// before it leaves it.
const pusherJSLimit = 256 << 10

// A follower receives as pusher-js does on xhr_streaming: when it has read all
// lines there are, and more than the limit, it aborts the response and opens
// another.
type follower struct {
	n         *node
	session   string
	rotations int
	first     string // line of the response that is read
	lost      bool   // the session was opened again
}

// follow calls each with every message, until that returns false.
func (f *follower) follow(each func(message string) bool) {
	f.n.t.Helper()
	for {
		ctx, cancel := context.WithCancel(context.Background())
		r, err := http.NewRequestWithContext(ctx, "POST", f.n.base+f.session+"/xhr_streaming"+query, nil)
		if err != nil {
			f.n.t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		resp, err := f.n.client.Do(r)
		if err != nil {
			f.n.t.Fatal(err)
		}
		f.first = ""
		more := f.readResponse(resp, each)
		cancel()
		resp.Body.Close()
		if !more {
			return
		}
		f.rotations++
	}
}

// readResponse reads until the client would rotate, which is true, or each has
// had enough.
func (f *follower) readResponse(resp *http.Response, each func(string) bool) bool {
	var text strings.Builder // all of the response
	position, buf := 0, make([]byte, 32<<10)
	for {
		k, err := resp.Body.Read(buf)
		text.Write(buf[:k])
		for {
			line, _, found := strings.Cut(text.String()[position:], "\n")
			if !found {
				break
			}
			position += len(line) + 1
			if !f.line(line, each) {
				return false
			}
		}
		if position == text.Len() && len(utf16.Encode([]rune(text.String()))) > pusherJSLimit {
			return true
		}
		if err != nil {
			f.n.t.Fatalf("the response ended after %d bytes: %v", text.Len(), err)
		}
	}
}

func (f *follower) line(line string, each func(string) bool) bool {
	if f.first == "" {
		f.first = line
		if f.rotations > 0 && strings.HasPrefix(line, "o") {
			f.lost = true
			return false
		}
	}
	if !strings.HasPrefix(line, "a") {
		return true
	}
	for _, m := range f.n.messages(line) {
		if !each(m) {
			return false
		}
	}
	return true
}
