package conformance

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// sign is the signature of every token and request: HMAC-SHA256 in lower-case
// hex.
func sign(secret, text string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

// token authorizes this connection for a channel.
func (c *conn) token(channel string) string {
	return c.app.key + ":" + sign(c.app.secret, c.id+":"+channel)
}

// tokenFor authorizes this connection for a channel with channel_data.
func (c *conn) tokenFor(channel, channelData string) string {
	return c.token(channel + ":" + channelData)
}

// userToken authenticates this connection as the user of user_data.
func (c *conn) userToken(userData string) string {
	return c.app.key + ":" + sign(c.app.secret, c.id+"::user::"+userData)
}

// sendSubscribe asks for a subscription with the members given; nil values
// are left out.
func (c *conn) sendSubscribe(channel, auth, channelData any) {
	c.t.Helper()
	data := map[string]any{"channel": channel, "auth": auth, "channel_data": channelData}
	c.send("pusher:subscribe", json.RawMessage(encode(data)))
}

// subscribe subscribes to a channel of any kind but presence, with the token
// that private kinds need.
func (c *conn) subscribe(channel string) {
	c.t.Helper()
	c.sendSubscribe(channel, c.token(channel), nil)
	c.expect("pusher_internal:subscription_succeeded", channel, "{}")
}

// unsubscribe leaves a channel; there is no answer.
func (c *conn) unsubscribe(channel string) {
	c.t.Helper()
	c.send("pusher:unsubscribe", map[string]any{"channel": channel})
}

// A snapshot is the decoded data of a successful join.
type snapshot struct {
	Presence struct {
		Count int
		IDs   []string
		Hash  map[string]json.RawMessage
	}
}

// sendJoin asks for a presence subscription with a right token.
func (c *conn) sendJoin(channel, channelData string) {
	c.t.Helper()
	c.sendSubscribe(channel, c.tokenFor(channel, channelData), channelData)
}

// join joins a presence channel and returns who is there.
func (c *conn) join(channel, channelData string) snapshot {
	c.t.Helper()
	c.sendJoin(channel, channelData)
	return c.expectSnapshot(channel)
}

// expectSnapshot requires the answer to an accepted join.
func (c *conn) expectSnapshot(channel string) snapshot {
	c.t.Helper()
	m := c.next()
	if m.Event != "pusher_internal:subscription_succeeded" || m.Channel != channel {
		c.t.Fatalf("next frame = %s, want the success of %s (after %s)", m, channel, short(c.last))
	}
	var s snapshot
	if err := json.Unmarshal([]byte(m.Data), &s); err != nil {
		c.t.Fatalf("data of %s: %v", m, err)
	}
	if s.Presence.Count != len(s.Presence.IDs) || s.Presence.Count != len(s.Presence.Hash) {
		c.t.Errorf("%s: count, ids and hash do not agree", m)
	}
	for _, id := range s.Presence.IDs {
		if _, ok := s.Presence.Hash[id]; !ok {
			c.t.Errorf("%s: no hash entry for id %q", m, id)
		}
	}
	return s
}

// sendSignin asks to be signed in with a right token.
func (c *conn) sendSignin(userData string) {
	c.t.Helper()
	c.send("pusher:signin", map[string]any{"auth": c.userToken(userData), "user_data": userData})
}

// signin signs the connection in.
func (c *conn) signin(userData string) {
	c.t.Helper()
	c.sendSignin(userData)
	c.expectSignedIn(userData)
}

// expectSignedIn requires the answer to an accepted sign-in: the very string
// that was sent, and nothing else.
func (c *conn) expectSignedIn(userData string) {
	c.t.Helper()
	m := c.next()
	if m.Event != "pusher:signin_success" || m.HasChannel {
		c.t.Fatalf("next frame = %s, want pusher:signin_success (after %s)", m, short(c.last))
	}
	members, err := strictObject([]byte(m.Data))
	if err != nil {
		c.t.Fatalf("data of %s: %v", m, err)
	}
	var got string
	if err := json.Unmarshal(members["user_data"], &got); err != nil || got != userData || len(members) != 1 {
		c.t.Errorf("data of %s, want only user_data %q", m, userData)
	}
}

// sendClientEvent triggers a client event; data is JSON text, and empty when
// the member is to be absent.
func (c *conn) sendClientEvent(event, channel, data string) {
	c.t.Helper()
	members := map[string]any{"event": event, "channel": channel}
	if data == "" {
		c.sendText(encode(members))
		return
	}
	text := encode(members)
	c.sendText(text[:len(text)-1] + `,"data":` + data + `}`)
}

// userData is the user_data of a user without anything but an id.
func userData(id string) string { return encode(map[string]any{"id": id}) }
