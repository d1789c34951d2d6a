package cluster

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"github.com/belfryhq/belfry/e2e/cluster/history"
	"github.com/belfryhq/belfry/e2e/service"
	"github.com/belfryhq/belfry/protocol"
)

// dialTimeout is how long a client waits for a node before it tries another.
const dialTimeout = 5 * time.Second

// A Client is a page: when its connection ends it connects at once to the next
// node, and subscribes to what it was subscribed to. Its methods are safe for
// concurrent use.
type Client struct {
	c       *Cluster
	options ClientOptions
	ended   context.Context // closed by Close
	cancel  context.CancelFunc
	done    chan struct{} // closed when it will not connect any more

	mu      sync.Mutex
	conn    net.Conn
	socket  *history.Socket // nil while there is no connection
	wants   map[string]bool // channels
	signed  string          // user_data; empty unless signed in
	frames  []history.Frame // but for counted events
	next    int             // of frames, the first that was not awaited
	closes  []int           // codes with which connections ended or were refused; 0 for none
	changed chan struct{}   // closed and replaced when something has changed

	recoveries map[string]*history.Recovery // by channel; without Resumes none
}

// ClientOptions says what a client is.
type ClientOptions struct {
	Name string
	User string // as whom it joins presence channels; by default its name
	Node *Node  // of its first connection
	Once bool   // does not come back when its connection ends
	// Resumes makes it ask for what it has missed.
	Resumes bool
	// Key and Secret are of another app, whose clients no history follows.
	Key, Secret string
}

// Dial connects a client and waits until it is connected.
func (c *Cluster) Dial(o ClientOptions) *Client {
	c.t.Helper()
	cl := c.dial(o)
	cl.Await("connected", func() bool { return cl.socket != nil })
	return cl
}

// dial connects a client without waiting.
func (c *Cluster) dial(o ClientOptions) *Client {
	if o.User == "" {
		o.User = o.Name
	}
	cl := &Client{c: c, options: o, wants: make(map[string]bool), changed: make(chan struct{}), done: make(chan struct{})}
	cl.ended, cl.cancel = context.WithCancel(context.Background())
	c.mu.Lock()
	c.clients = append(c.clients, cl)
	c.mu.Unlock()
	go cl.run()
	return cl
}

// Close ends the client for good.
func (cl *Client) Close() {
	cl.cancel()
	cl.mu.Lock()
	if cl.conn != nil {
		cl.conn.Close()
	}
	cl.mu.Unlock()
	<-cl.done
}

// run connects again and again.
func (cl *Client) run() {
	defer close(cl.done)
	at := slices.Index(cl.c.Nodes, cl.options.Node)
	for tries := 1; ; tries++ {
		switch connected, code := cl.connect(cl.c.Nodes[at]); {
		case connected && cl.options.Once, protocol.CloseCode(code).Action() == protocol.DoNotReconnect:
			return
		case connected:
			tries = 0
		}
		for at = (at + 1) % len(cl.c.Nodes); cl.c.Nodes[at].Witness; at = (at + 1) % len(cl.c.Nodes) {
			continue
		}
		if tries < len(cl.c.Nodes) {
			tries++
		} else {
			tries = 0
			select {
			case <-time.After(poll):
			case <-cl.ended.Done():
			}
		}
		if cl.ended.Err() != nil {
			return
		}
	}
}

// connect connects to a node and stays until the connection ends. It returns
// whether there was one, and the code with which it ended or was refused.
func (cl *Client) connect(n *Node) (connected bool, code int) {
	ctx, cancel := context.WithTimeout(cl.ended, dialTimeout)
	defer cancel()
	dialer := ws.Dialer{Timeout: dialTimeout, ReadBufferSize: 1024, WriteBufferSize: 1024}
	conn, early, _, err := dialer.Dial(ctx, "ws://"+n.Addr+"/app/"+cmp.Or(cl.options.Key, Key)+"?protocol=7")
	if err != nil {
		return false, 0
	}
	defer conn.Close()
	in := io.Reader(conn)
	if early != nil {
		in = io.MultiReader(early, conn)
	}
	conn.SetReadDeadline(time.Now().Add(dialTimeout))
	text, code, err := cl.read(conn, in)
	id := establishedID(text)
	if err == nil && id == "" {
		_, code, err = cl.read(conn, in) // the first was an error that explains the code
	}
	conn.SetReadDeadline(time.Time{})
	if err != nil || id == "" || !cl.begin(conn, n, id) {
		cl.note(func() { cl.closes = append(cl.closes, code) })
		return false, code
	}
	for {
		text, code, err := cl.read(conn, in)
		if err != nil {
			cl.note(func() {
				cl.socket.Close()
				cl.conn, cl.socket, cl.closes = nil, nil, append(cl.closes, code)
			})
			return true, code
		}
		cl.receive(text)
	}
}

// establishedID returns the socket id if the message is that of a new
// connection.
func establishedID(text []byte) string {
	var message struct{ Event, Data string }
	var data struct {
		ID string `json:"socket_id"`
	}
	if json.Unmarshal(text, &message) != nil || message.Event != protocol.EventConnectionEstablished {
		return ""
	}
	if json.Unmarshal([]byte(message.Data), &data) != nil {
		return ""
	}
	return data.ID
}

// begin makes a connection the client's, signs in and subscribes as before. It
// reports false if the client was closed meanwhile.
func (cl *Client) begin(conn net.Conn, n *Node, id string) bool {
	h := cl.c.History
	if cl.options.Key != "" {
		h = history.New(false)
	}
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.ended.Err() != nil {
		return false
	}
	cl.conn, cl.socket = conn, h.Open(cl.options.Name, n.Name, id)
	if cl.signed != "" {
		cl.sendSigninLocked()
	}
	for channel := range cl.wants {
		cl.sendSubscribeLocked(channel)
	}
	cl.changeLocked()
	return true
}

// read returns the next message, or how the connection ended.
func (cl *Client) read(conn net.Conn, in io.Reader) (text []byte, code int, err error) {
	for {
		head, err := ws.ReadHeader(in)
		if err != nil {
			return nil, 0, err
		}
		body := make([]byte, head.Length)
		if _, err := io.ReadFull(in, body); err != nil {
			return nil, 0, err
		}
		switch head.OpCode {
		case ws.OpText:
			return body, 0, nil
		case ws.OpPing:
			cl.mu.Lock()
			err = write(conn, ws.NewPongFrame(body))
			cl.mu.Unlock()
			if err != nil {
				return nil, 0, err
			}
		case ws.OpClose:
			status, reason := ws.ParseCloseFrameData(body)
			return nil, int(status), fmt.Errorf("closed with %d %s", status, reason)
		default:
			return nil, 0, fmt.Errorf("a frame with the opcode %d", head.OpCode)
		}
	}
}

// writeTimeout is how long a client waits until a node takes what it sends. A
// node that is paused does not.
const writeTimeout = 10 * time.Second

// write writes a frame in one piece.
func write(conn net.Conn, f ws.Frame) error {
	var b bytes.Buffer
	if err := ws.WriteFrame(&b, ws.MaskFrameInPlace(f)); err != nil {
		return err
	}
	conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	_, err := conn.Write(b.Bytes())
	return err
}

// receive takes a message.
func (cl *Client) receive(text []byte) {
	f := cl.socket.Receive(text) // only this goroutine changes it
	cl.note(func() {
		if r := cl.recoveries[f.Channel]; r != nil {
			r.Receive(f)
		}
		if f.Event != history.Event {
			cl.frames = append(cl.frames, f)
		}
	})
}

// note changes something that others wait for.
func (cl *Client) note(change func()) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	change()
	cl.changeLocked()
}

// changeLocked wakes who waits. The caller holds cl.mu.
func (cl *Client) changeLocked() {
	close(cl.changed)
	cl.changed = make(chan struct{})
}

// Await waits until something is so. It is called with the client's lock held.
func (cl *Client) Await(what string, so func() bool) {
	cl.c.t.Helper()
	deadline := time.After(service.Patience)
	for {
		cl.mu.Lock()
		ok, changed := so(), cl.changed
		cl.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			cl.c.t.Fatalf("%s was not %s after %v; it got %s", cl.options.Name, what, service.Patience, cl.tail())
		}
	}
}

// tail is the last frames that the client got, for people.
func (cl *Client) tail() string {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	var list []string
	for _, f := range cl.frames[max(0, len(cl.frames)-10):] {
		list = append(list, fmt.Sprintf("%v %s %s %s", f.At, f.Event, f.Channel, f.Data))
	}
	return strings.Join(list, "; ")
}

// send sends a message on the present connection. The caller holds cl.mu.
func (cl *Client) sendLocked(event, channel string, data any) {
	message := map[string]any{"event": event, "data": data}
	if channel != "" {
		message["channel"] = channel
	}
	text, err := json.Marshal(message)
	if err != nil {
		cl.c.t.Error(err)
		return
	}
	if write(cl.conn, ws.NewTextFrame(text)) != nil {
		cl.conn.Close() // the reader connects again
	}
}
