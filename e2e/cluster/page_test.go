package cluster

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/belfryhq/belfry/e2e/cluster/history"
	"github.com/belfryhq/belfry/protocol"
)

// What a client does on channels.

// Join subscribes without waiting.
func (cl *Client) Join(channels ...string) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	for _, channel := range channels {
		cl.wants[channel] = true
		if cl.socket != nil && !cl.socket.Wants(channel) {
			cl.sendSubscribeLocked(channel)
		}
	}
}

// Subscribe subscribes to channels and waits until that has succeeded.
func (cl *Client) Subscribe(channels ...string) {
	cl.c.t.Helper()
	cl.Join(channels...)
	cl.Await("subscribed", func() bool {
		return cl.socket != nil && !slices.ContainsFunc(channels, func(ch string) bool { return !cl.socket.Joined(ch) })
	})
}

// Leave ends subscriptions without waiting.
func (cl *Client) Leave(channels ...string) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	for _, channel := range channels {
		delete(cl.wants, channel)
		if cl.socket != nil {
			cl.socket.Unsubscribe(channel)
			cl.sendLocked(protocol.EventUnsubscribe, "", map[string]string{"channel": channel})
		}
	}
}

// sendSubscribeLocked asks for a channel. The caller holds cl.mu.
func (cl *Client) sendSubscribeLocked(channel string) {
	key, secret := cmp.Or(cl.options.Key, Key), cmp.Or(cl.options.Secret, Secret)
	data, user := map[string]any{"channel": channel}, ""
	id := socketID(cl.socket.ID)
	switch kind := protocol.KindOf(channel); {
	case kind.Presence():
		user = cl.options.User
		member := fmt.Sprintf(`{"user_id":%q,"user_info":{"name":%q}}`, user, user)
		data["channel_data"] = member
		data["auth"] = key + ":" + protocol.Sign(secret, protocol.ChannelDataText(id, channel, member))
	case kind.Private():
		data["auth"] = key + ":" + protocol.Sign(secret, protocol.ChannelText(id, channel))
	}
	if cl.options.Resumes {
		if cl.recoveries == nil {
			cl.recoveries = make(map[string]*history.Recovery)
		}
		if cl.recoveries[channel] == nil {
			cl.recoveries[channel] = cl.c.History.Recover(cl.options.Name, channel)
		}
		data["resume"] = cl.recoveries[channel].Request(cl.socket.ID)
	}
	cl.socket.Subscribe(channel, user)
	cl.sendLocked(protocol.EventSubscribe, "", data)
}

// SignIn signs the client in as its user, who watches others, and waits until
// that has succeeded.
func (cl *Client) SignIn(watchlist ...string) {
	cl.c.t.Helper()
	data, err := json.Marshal(map[string]any{"id": cl.options.User, "watchlist": watchlist})
	if err != nil {
		cl.c.t.Fatal(err)
	}
	cl.mu.Lock()
	cl.signed = string(data)
	if cl.socket != nil {
		cl.sendSigninLocked()
	}
	cl.mu.Unlock()
	cl.AwaitFrame(protocol.EventSigninSuccess, "")
}

// sendSigninLocked signs in. The caller holds cl.mu.
func (cl *Client) sendSigninLocked() {
	key, secret := cmp.Or(cl.options.Key, Key), cmp.Or(cl.options.Secret, Secret)
	text := protocol.UserText(socketID(cl.socket.ID), cl.signed)
	cl.sendLocked(protocol.EventSignin, "", map[string]string{"user_data": cl.signed, "auth": key + ":" + protocol.Sign(secret, text)})
}

// Send triggers a client event.
func (cl *Client) Send(event, channel string, data any) {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.socket != nil {
		cl.sendLocked(event, channel, data)
	}
}

// Ping sends a ping and waits for its answer: everything sent before is done
// by then, on the node that the client is connected to.
func (cl *Client) Ping() {
	cl.c.t.Helper()
	cl.Send(protocol.EventPing, "", map[string]string{})
	cl.AwaitFrame(protocol.EventPong, "")
}

// AwaitFrame waits for the next frame with an event on a channel, and passes
// it. Counted events are not among the frames.
func (cl *Client) AwaitFrame(event, channel string) history.Frame {
	cl.c.t.Helper()
	var found history.Frame
	cl.Await("told "+event+" on "+channel, func() bool {
		i := slices.IndexFunc(cl.frames[cl.next:], func(f history.Frame) bool { return f.Event == event && f.Channel == channel })
		if i < 0 {
			return false
		}
		found = cl.frames[cl.next+i]
		cl.next += i + 1
		return true
	})
	return found
}

// Frames returns how many frames with an event on a channel the client got.
func (cl *Client) Frames(event, channel string) int {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	n := 0
	for _, f := range cl.frames {
		if f.Event == event && f.Channel == channel {
			n++
		}
	}
	return n
}

// Socket is the present connection, nil if there is none.
func (cl *Client) Socket() *history.Socket {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	return cl.socket
}

// SocketID is that of the present connection, empty if there is none.
func (cl *Client) SocketID() string {
	if s := cl.Socket(); s != nil {
		return s.ID
	}
	return ""
}

// Closes returns the codes with which the client's connections have ended or
// were refused; 0 for those that just broke.
func (cl *Client) Closes() []int {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	return slices.Clone(cl.closes)
}

// Changes returns what the client was told of the members of a channel since
// it subscribed on its present connection.
func (cl *Client) Changes(channel string) []string {
	if s := cl.Socket(); s != nil {
		return s.Changes(channel)
	}
	return nil
}

// AwaitChanges waits until the client was told exactly this of the members of
// a channel.
func (cl *Client) AwaitChanges(channel string, want ...string) {
	cl.c.t.Helper()
	cl.Await(fmt.Sprintf("told %q on %s", want, channel), func() bool {
		return cl.socket != nil && slices.Equal(cl.socket.Changes(channel), want)
	})
}

// socketID is the id that a node has given, or the zero one.
func socketID(text string) protocol.SocketID {
	id, _ := protocol.ParseSocketID(text)
	return id
}
