package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pusher/pusher-http-go/v5"

	"github.com/belfryhq/belfry/e2e/service"
	"github.com/belfryhq/belfry/protocol"
)

// The statements of the webhook checklist, by their numbers, against the real
// binary. Those about time, retries and faults (3, 33 to 43, 45, 50) are in
// internal/webhook, where a clock can be turned; 44 needs two nodes.

const checklistApps = `
  - id: "1"
    keys: [{key: app-key, secret: app-secret}, {key: newer-key, secret: other-secret}]
    client_events: true
    subscription_count: true
    limits: {client_events_per_second: %d, cache_ttl: 1s}
    webhooks:
      - url: %s
        events: [channel_existence, presence, client_events, cache_channels%s]
        batch: %t
  - id: "2"
    keys: [{key: silent-key, secret: silent-secret}]
    client_events: true
`

const checklistGrace = time.Second

// A checklist is a service, its receiver and a backend.
type checklist struct {
	*hookReceiver
	service *service.Service
}

// startChecklist starts a service whose endpoint wants everything; more are
// further events.
func startChecklist(t *testing.T, batch bool, rate int, more string) *checklist {
	t.Helper()
	r := newHookReceiver(t).withNode()
	return &checklist{r, service.Start(t, service.Config{
		Apps:     fmt.Sprintf(checklistApps, rate, r.url, more, batch),
		Settings: fmt.Sprintf(webhookSettings, checklistGrace),
	})}
}

func (c *checklist) dial(t *testing.T) *wire {
	t.Helper()
	return dialWire(t, c.service)
}

// trigger sends an event as a backend.
func (c *checklist) trigger(t *testing.T, channel string) {
	t.Helper()
	backend := pusher.Client{AppID: service.AppID, Key: service.Key, Secret: service.Secret, Host: c.service.Addr,
		HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: service.Patience}}
	if err := backend.Trigger(channel, "e", "d"); err != nil {
		t.Fatal(err)
	}
}

// leave ends a subscription and waits until the service has done it.
func (w *wire) leave(channel string) {
	w.t.Helper()
	w.send(`{"event":"pusher:unsubscribe","data":{"channel":%q}}`, channel)
	w.sync()
}

// send sends one message.
func (w *wire) send(format string, args ...any) {
	w.t.Helper()
	if err := w.write(fmt.Sprintf(format, args...)); err != nil {
		w.t.Fatal(err)
	}
}

// sync waits until everything that was sent is done.
func (w *wire) sync() {
	w.t.Helper()
	w.send(`{"event":"pusher:ping","data":{}}`)
	w.until("pusher:pong")
}

// until reads until a message has a text in it.
func (w *wire) until(text string) {
	w.t.Helper()
	for !strings.Contains(string(w.read()), text) {
		continue
	}
}

// hangUp ends the connection.
func (w *wire) hangUp() { w.conn.Close() }

// client sends a client event.
func (w *wire) client(channel, data string) {
	w.t.Helper()
	w.send(`{"event":"client-e","channel":%q,"data":%s}`, channel, data)
}

func member(id string) string {
	return fmt.Sprintf(`{"user_id":%s,"user_info":{"name":"secret"}}`, id)
}

const (
	occupied = "channel_occupied"
	vacated  = "channel_vacated"
)

func added(id string) string   { return fmt.Sprintf("member_added user_id=%q", id) }
func removed(id string) string { return fmt.Sprintf("member_removed user_id=%q", id) }

func TestWebhookChecklist(t *testing.T) {
	t.Parallel()
	c := startChecklist(t, false, 0, "")
	t.Run("09-14 channels", c.channels)
	t.Run("13 a different client takes the place", c.otherClient)
	t.Run("15-20 members", c.members)
	t.Run("18 two users leave", c.twoUsersLeave)
	t.Run("21-26 client events", c.clientEvents)
	t.Run("27-28 cache misses", c.cacheMisses)
	t.Run("47 channels of users", c.usersChannel)
	t.Run("48 an app without webhooks", c.silentApp)
	t.Run("06 one event in each request", func(t *testing.T) {
		for _, h := range c.all() {
			if len(h.events) != 1 {
				t.Errorf("a request has %d events, want 1: %s", len(h.events), h.body)
			}
		}
	})
	t.Run("32 no counts unless asked for", func(t *testing.T) {
		for _, h := range c.all() {
			if strings.Contains(string(h.body), "subscription_count") {
				t.Errorf("there is a count: %s", h.body)
			}
		}
	})
	t.Run("46 libraries accept everything", func(t *testing.T) {
		if n := len(c.all()); n < 30 || c.judge == nil {
			t.Errorf("%d requests were judged, want at least 30", n)
		}
		t.Log("each request was judged by pusher-http-go and npm pusher; the Ruby and Python libraries are not part of these tests")
	})
}

func (c *checklist) channels(t *testing.T) {
	const ch = "news"
	ann, bob := c.dial(t), c.dial(t)
	ann.subscribe(ch, "")
	c.expect(t, ch, occupied)
	bob.subscribe(ch, "") // 10: no news
	ann.leave(ch)
	begin := time.Now()
	bob.leave(ch)
	c.expect(t, ch, occupied, vacated)
	if took := time.Since(begin); took < checklistGrace {
		t.Errorf("the channel was vacated after %v, want at least %v", took, checklistGrace)
	}
	ann.subscribe(ch, "") // 14: after the grace it is occupied again
	c.expect(t, ch, occupied, vacated, occupied)
	ann.leave(ch) // 12: a return within the grace is no news
	ann.subscribe(ch, "")
	ann.hangUp()
	c.expect(t, ch, occupied, vacated, occupied, vacated)
}

func (c *checklist) otherClient(t *testing.T) {
	const ch = "place"
	ann, bob := c.dial(t), c.dial(t)
	ann.subscribe(ch, "")
	ann.hangUp()
	bob.subscribe(ch, "")
	c.expect(t, ch, occupied)
	bob.hangUp()
	c.expect(t, ch, occupied, vacated)
}

func (c *checklist) members(t *testing.T) {
	const ch = "presence-room"
	ann, tab := c.dial(t), c.dial(t)
	ann.subscribe(ch, member("7")) // 19: a number
	tab.subscribe(ch, member(`"7"`))
	c.expect(t, ch, occupied, added("7"))
	ann.hangUp() // 16: one of two tabs
	again := c.dial(t)
	again.subscribe(ch, member("7"))
	tab.hangUp()
	again.leave(ch) // 17: a reload
	again.subscribe(ch, member("7"))
	other := c.dial(t)
	other.subscribe(ch, member(`"8"`))
	c.expect(t, ch, occupied, added("7"), added("8"))
	again.hangUp()
	c.expect(t, ch, occupied, added("7"), added("8"), removed("7"))
	other.hangUp()
	c.expect(t, ch, occupied, added("7"), added("8"), removed("7"), removed("8"), vacated)
}

func (c *checklist) twoUsersLeave(t *testing.T) {
	const ch = "presence-two"
	ann, bob := c.dial(t), c.dial(t)
	ann.subscribe(ch, member(`"a"`))
	bob.subscribe(ch, member(`"b"`))
	ann.leave(ch)
	bob.leave(ch)
	c.expect(t, ch, occupied, added("a"), added("b"), removed("a"), removed("b"), vacated)
}

func (c *checklist) clientEvents(t *testing.T) {
	const private, presence = "private-talk", "presence-talk"
	ann := c.dial(t)
	ann.client(private, `"refused: not subscribed"`) // 24
	ann.subscribe(private, "")
	ann.subscribe(presence, member(`"u"`))
	c.trigger(t, private) // 25: not an event of a client
	want := []string{occupied}
	for payload, data := range map[string]string{ // 23
		`{"a":[1, 2]}`: `{\"a\":[1, 2]}`,
		`[1,"x"]`:      `[1,\"x\"]`,
		`3.10`:         `3.10`,
		`"text"`:       `text`,
		`"{\"b\":1}"`:  `{\"b\":1}`,
		`"zażółć €"`:   `zażółć €`,
		`null`:         `null`,
	} {
		ann.client(private, payload)
		want = append(want, fmt.Sprintf(`client_event data="%s" event="client-e"`, data))
	}
	c.expect(t, private, want...)
	ann.client(presence, `{}`)
	c.expect(t, presence, occupied, added("u"), `client_event data="{}" event="client-e" user_id="u"`)
	for _, h := range c.all() {
		if strings.Contains(string(h.body), "client_event") && !strings.Contains(string(h.body), `"socket_id":"`+ann.id+`"`) {
			t.Errorf("a client event names another socket than %s: %s", ann.id, h.body)
		}
	}
	const sealed = "private-encrypted-foobar" // 26
	envelope := `{\"nonce\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"ciphertext\":\"GBYp1MB6bh0byfszpeaA+urPZkXUBA==\"}`
	ann.subscribe(sealed, "")
	ann.client(sealed, `"`+envelope+`"`)
	c.expect(t, sealed, occupied, `client_event data="`+envelope+`" event="client-e"`)
}

func (c *checklist) cacheMisses(t *testing.T) {
	const ch = "cache-prices"
	for range 50 {
		c.dial(t).subscribe(ch, "")
	}
	c.expect(t, ch, occupied, "cache_miss")
	c.trigger(t, ch)
	w := c.dial(t)
	w.subscribe(ch, "")
	w.until(`"event":"e"`)
	for miss := false; !miss; { // it expires after a second
		w.leave(ch)
		w.subscribe(ch, "")
		miss = strings.Contains(string(w.read()), "pusher:cache_miss")
	}
	c.expect(t, ch, occupied, "cache_miss", "cache_miss")
}

func (c *checklist) usersChannel(t *testing.T) {
	w := c.dial(t)
	data := `{"id":"ann"}`
	w.send(`{"event":"pusher:signin","data":{"auth":%q,"user_data":%q}}`,
		service.Key+":"+protocol.Sign(service.Secret, w.id+"::user::"+data), data)
	w.until("pusher:signin_success")
	w.subscribe("after-signin", "")
	w.hangUp()
	c.expect(t, "after-signin", occupied, vacated) // and each request is looked at for others
}

func (c *checklist) silentApp(t *testing.T) {
	silent := dialWireAs(t, c.service, "silent-key")
	silent.subscribe("of-the-silent-app", "")
	loud := c.dial(t)
	loud.subscribe("of-the-other-app", "")
	c.expect(t, "of-the-other-app", occupied)
	if got, _ := c.of("of-the-silent-app"); len(got) != 0 {
		t.Errorf("an app without webhooks sent %q", got)
	}
}

// TestWebhookChecklistLimits is statement 24: what is over the limit is no
// news.
func TestWebhookChecklistLimits(t *testing.T) {
	t.Parallel()
	c := startChecklist(t, false, 10, "")
	t.Run("24 over the rate", func(t *testing.T) {
		const ch, many = "private-busy", 200
		w := c.dial(t)
		w.subscribe(ch, "")
		for range many {
			w.client(ch, `"x"`)
		}
		w.sync()
		w.leave(ch)
		deadline := time.Now().Add(service.Patience)
		for {
			got, _ := c.of(ch)
			if n := len(got); n > 0 && got[n-1] == vacated {
				if n-2 >= many || n-2 < 10 {
					t.Errorf("%d of %d client events were told, want those within the rate of 10 a second", n-2, many)
				}
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("the channel is not vacated: %q", got)
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
}

// TestWebhookChecklistBatches are the statements about batches and counts.
func TestWebhookChecklistBatches(t *testing.T) {
	t.Parallel()
	c := startChecklist(t, true, 0, ", subscription_count")
	t.Run("29-31 counts", c.counts)
	t.Run("07 events share requests in order", func(t *testing.T) {
		w := c.dial(t)
		w.subscribe("private-batch", "")
		want := []string{occupied, "subscription_count subscription_count=1"}
		for i := range 300 {
			w.client("private-batch", fmt.Sprintf(`"%d"`, i))
			want = append(want, fmt.Sprintf(`client_event data="%d" event="client-e"`, i))
		}
		c.expect(t, "private-batch", want...)
		most := 0
		for _, h := range c.all() {
			most = max(most, len(h.events))
		}
		if most < 2 || most > 100 {
			t.Errorf("the largest request has %d events, want 2 to 100", most)
		}
	})
}

func (c *checklist) counts(t *testing.T) {
	count := func(n int) string { return fmt.Sprintf("subscription_count subscription_count=%d", n) }
	const ch, room = "crowd", "presence-crowd"
	want := []string{occupied}
	for i := range 100 {
		c.dial(t).subscribe(ch, "")
		want = append(want, count(i+1))
	}
	for range 10 { // 30: above 100, one for all of them
		c.dial(t).subscribe(ch, "")
	}
	c.expect(t, ch, append(want, count(110))...)
	w := c.dial(t)
	w.subscribe(room, member(`"u"`)) // 31
	w.hangUp()
	c.expect(t, room, occupied, added("u"), removed("u"), vacated)
	w = c.dial(t)
	w.subscribe("small", "")
	w.leave("small") // 29: also the last one, at once
	c.expect(t, "small", occupied, count(1), count(0), vacated)
}
