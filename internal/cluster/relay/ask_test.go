package relay

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"
)

func TestNodesAskEachOther(t *testing.T) {
	run(t, 2, nil, func(c *cluster) {
		more := make(chan struct{})
		c.peers = func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet || r.URL.Path != "/a/b" || r.URL.RawQuery != "q=x+y" {
				t.Errorf("request %s %s", r.Method, r.URL)
			}
			io.WriteString(w, "first")
			http.NewResponseController(w).Flush()
			<-more
			io.WriteString(w, "second")
		}
		response, err := c.front().Ask(c.t.Context(), c.ids[1], "/a/b", url.Values{"q": {"x y"}})
		if err != nil {
			t.Fatal(err)
		}
		first := make([]byte, 5)
		if _, err := io.ReadFull(response.Body, first); err != nil || string(first) != "first" {
			t.Errorf("the answer begins with %q, %v", first, err)
		}
		close(more)
		if rest, err := io.ReadAll(response.Body); err != nil || string(rest) != "second" {
			t.Errorf("the answer ends with %q, %v", rest, err)
		}
		response.Body.Close()
		c.atRest(time.Second)
	})
}

// TestQuestionsHaveTheirOwnBudget: too many are refused, at once, and requests
// that are passed on do not notice.
func TestQuestionsHaveTheirOwnBudget(t *testing.T) {
	run(t, 2, nil, func(c *cluster) {
		c.peers = func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		c.handle = conversation
		ctx, cancel := context.WithCancel(c.t.Context())
		for range maxAsks {
			go c.front().Ask(ctx, c.ids[1], "/", nil)
		}
		synctest.Wait()
		if _, err := c.front().Ask(ctx, c.ids[1], "/", nil); err == nil {
			t.Error("one question more is no error")
		}
		if !c.converse() {
			t.Error("a request was not passed on")
		}
		cancel()
		c.atRest(time.Second)
	})
}

func TestQuestionToNobody(t *testing.T) {
	run(t, 2, nil, func(c *cluster) {
		if _, err := c.front().Ask(c.t.Context(), "ABCDEFGHIJKLMNOP", "/", nil); err == nil {
			t.Error("a question to a node that is not there is no error")
		}
		c.atRest(0)
	})
}
