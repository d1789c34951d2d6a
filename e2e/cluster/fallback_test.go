package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/e2e/service"
	"github.com/belfryhq/belfry/protocol"
)

// A session is one of HTTP transports, whose requests go to any node.
type session struct {
	t    *testing.T
	c    *Cluster
	path string
	http *http.Client
}

func newSession(t *testing.T, c *Cluster, id string) *session {
	transport := &http.Transport{DisableKeepAlives: true}
	return &session{t: t, c: c, path: "/pusher/app/" + Key + "/123/" + id, http: &http.Client{Transport: transport}}
}

// post sends one request to a node.
func (s *session) post(ctx context.Context, n *Node, kind, body string) *http.Response {
	s.t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+n.Addr+s.path+"/"+kind+"?protocol=7", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := s.http.Do(r)
	if err != nil {
		s.t.Fatalf("%s by way of %s: %v", kind, n.Name, err)
	}
	return resp
}

// send sends a message by way of a node.
func (s *session) send(n *Node, message string) {
	s.t.Helper()
	body, err := json.Marshal([]string{message})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), service.Patience)
	defer cancel()
	resp := s.post(ctx, n, "xhr_send", string(body))
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusNoContent {
		s.t.Fatalf("send by way of %s: status %d: %s", n.Name, resp.StatusCode, text)
	}
}

// subscribe subscribes to a channel by way of a node; on presence channels as
// a user.
func (s *session) subscribe(n *Node, channel, socket, user string) {
	s.t.Helper()
	data := map[string]string{"channel": channel}
	if user != "" {
		data["channel_data"] = fmt.Sprintf(`{"user_id":%q}`, user)
		data["auth"] = Key + ":" + protocol.Sign(Secret, protocol.ChannelDataText(socketID(socket), channel, data["channel_data"]))
	}
	text, err := json.Marshal(map[string]any{"event": protocol.EventSubscribe, "data": data})
	if err != nil {
		s.t.Fatal(err)
	}
	s.send(n, string(text))
}

// messages are those of a line.
func messages(line string) []string {
	var list []string
	if rest, ok := strings.CutPrefix(line, "a"); ok {
		json.Unmarshal([]byte(rest), &list) // what is none has no messages
	}
	return list
}

// acrossStreaming: the stream is held by one node, and what is sent goes to
// the others.
func acrossStreaming(t *testing.T, c *Cluster) {
	s := newSession(t, c, "streamer")
	ctx, cancel := context.WithTimeout(context.Background(), 2*service.Patience)
	defer cancel()
	resp := s.post(ctx, c.Nodes[0], "xhr_streaming", "")
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	await := func(part string) string {
		t.Helper()
		for lines.Scan() {
			for _, m := range messages(lines.Text()) {
				if strings.Contains(m, part) {
					return m
				}
			}
		}
		t.Fatalf("the stream ended (%v) before %s", lines.Err(), part)
		return ""
	}
	id := establishedID([]byte(await("connection_established")))
	watcher := c.on(c.Nodes[2], "streamwatcher")
	watcher.Subscribe("presence-stream")
	s.subscribe(c.Nodes[1], "presence-stream", id, "streamer")
	await("subscription_succeeded")
	watcher.AwaitFrame(protocol.EventMemberAdded, "presence-stream")
	for i := range 10 {
		n := c.Nodes[i%3]
		s.subscribe(n, fmt.Sprintf("stream-%d", i), id, "")
		await(fmt.Sprintf("stream-%d", i))
		c.Nodes[(i+1)%3].trigger(fmt.Sprintf("stream-%d", i), "streamed", i)
		await("streamed")
	}
	cancel()
	watcher.AwaitFrame(protocol.EventMemberRemoved, "presence-stream")
}

// acrossPolling: every poll goes to another node.
func acrossPolling(t *testing.T, c *Cluster) {
	s := newSession(t, c, "pollster")
	ctx, cancel := context.WithTimeout(context.Background(), 2*service.Patience)
	defer cancel()
	polls, at := 0, 0
	await := func(part string) string {
		t.Helper()
		for deadline := time.Now().Add(service.Patience); time.Now().Before(deadline); {
			polls++
			at = (at + 1) % len(c.Nodes)
			resp := s.post(ctx, c.Nodes[at], "xhr", "")
			text, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || strings.HasPrefix(string(text), "c[") {
				t.Fatalf("a poll by way of %s: %s (%v)", c.Nodes[at].Name, text, err)
			}
			for line := range strings.Lines(string(text)) {
				for _, m := range messages(strings.TrimSpace(line)) {
					if strings.Contains(m, part) {
						return m
					}
				}
			}
		}
		t.Fatalf("no %s after %d polls", part, polls)
		return ""
	}
	await("connection_established")
	for i := range 9 {
		channel := fmt.Sprintf("polled-%d", i)
		s.subscribe(c.Nodes[i%3], channel, "", "")
		await(channel)
		c.Nodes[(i+1)%3].trigger(channel, "polled", i)
		await(`"polled"`)
	}
	t.Logf("%d polls", polls)
}
