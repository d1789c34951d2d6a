package cluster

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/e2e/cluster/history"
)

// slack is what a busy machine may add to the times that are promised.
const slack = 15 * time.Second

// full reports whether tests take as long as they can: with $CLUSTER_FULL.
func full() bool { return os.Getenv("CLUSTER_FULL") != "" }

// longOr returns the first duration in a full run, and otherwise the second.
func longOr(long, short time.Duration) time.Duration {
	if full() {
		return long
	}
	return short
}

// long skips a test but in a full run.
func long(t *testing.T, why string) {
	t.Helper()
	if !full() {
		t.Skipf("%s: CLUSTER_FULL=1 runs it", why)
	}
}

// A watch looks at what a client is told of the members of a channel from some
// moment on.
type watch struct {
	client  *Client
	channel string
	socket  *history.Socket
	before  int // changes that do not count
}

// watch begins to watch.
func (cl *Client) watch(channel string) *watch {
	s := cl.Socket()
	return &watch{cl, channel, s, len(s.Changes(channel))}
}

// changes are those since the watch began.
func (w *watch) changes() []string { return w.socket.Changes(w.channel)[w.before:] }

// byUser is what the client was told of each user since: "-", "-+".
func (w *watch) byUser() map[string]string {
	users := make(map[string]string)
	for _, c := range w.changes() {
		users[c[1:]] += c[:1]
	}
	return users
}

// await waits until the client was told exactly this of each user, and checks
// that it has kept its connection.
func (w *watch) await(want map[string]string) time.Duration {
	w.client.c.t.Helper()
	took := w.client.c.await(2*Lease+2*Grace+2*slack, w.client.options.Name+" on "+w.channel+" was told something else", func() string {
		if got := w.byUser(); !maps.Equal(got, want) {
			return fmt.Sprintf("%v, want %v", got, want)
		}
		return ""
	})
	w.check()
	return took
}

// expect is await without waiting.
func (w *watch) expect(want map[string]string) {
	w.client.c.t.Helper()
	if got := w.byUser(); !maps.Equal(got, want) {
		w.client.c.t.Errorf("%s on %s was told %v, want %v", w.client.options.Name, w.channel, got, want)
	}
	w.check()
}

func (w *watch) check() {
	w.client.c.t.Helper()
	if _, ended := w.socket.Ended(); ended {
		w.client.c.t.Errorf("the connection of %s has ended", w.client.options.Name)
	}
}

// noted writes what was measured.
func (c *Cluster) noted(what string, took, promised time.Duration) {
	c.t.Helper()
	c.t.Logf("%s: %v (promised: %v)", what, took.Round(time.Millisecond), promised)
	if took > promised+slack {
		c.t.Errorf("%s took %v, want %v at most, and %v for a busy machine", what, took, promised, slack)
	}
}

// others are the nodes that serve, but for one.
func (c *Cluster) others(n *Node) []*Node {
	return slices.DeleteFunc(c.Serving(), func(o *Node) bool { return o == n })
}

// gone waits until a client that does not come back has lost its connection.
func (cl *Client) gone() {
	<-cl.done
}

// lines are what a text has in lines that contain something.
func lines(text, part string) []string {
	var found []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}
