package webhook

import (
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/webhook/delivery"
	"github.com/belfryhq/belfry/protocol"
)

// The published examples and what their signatures are; sources in the notes
// of docs/webhooks.md.
func testBodiesAndSignatures(t *testing.T) {
	id, ok := protocol.ParseSocketID("1234.1234")
	if !ok {
		t.Fatal("1234.1234 is no socket id")
	}
	occupied := hub.News{Kind: apps.ChannelOccupied, Channel: "my-channel"}
	added := hub.News{Kind: apps.MemberAdded, Channel: "presence-foobar", UserID: "12345"}
	removed := hub.News{Kind: apps.MemberRemoved, Channel: "presence-foobar", UserID: "12345"}
	client := func(channel, event, data, user string) hub.News {
		return hub.News{Kind: apps.ClientEvent, Channel: channel, Event: event, Data: protocol.AppendDataLiteral(nil, []byte(data)), Socket: id, UserID: user}
	}
	tests := map[string]struct {
		news      []hub.News
		want      string // the elements of events
		signature string
	}{
		"W1": {[]hub.News{occupied}, `{"name":"channel_occupied","channel":"my-channel"}`,
			"c19001ae3963ccb13bf618e5b16ba9848e7e74df0993aa0689168e341c6833cf"},
		"W2": {[]hub.News{{Kind: apps.ChannelVacated, Channel: "my-channel"}}, `{"name":"channel_vacated","channel":"my-channel"}`,
			"977e904304ad3104e7d0ee32f280598c74a1171aadd4721564611c4aca72b3b6"},
		"W3": {[]hub.News{added}, `{"name":"member_added","channel":"presence-foobar","user_id":"12345"}`,
			"485c5a22157985d1c68740f6a95895af86754677e3f7bc2aff8d9bdbcad759cd"},
		"W4": {[]hub.News{removed}, `{"name":"member_removed","channel":"presence-foobar","user_id":"12345"}`,
			"cf84871accf1bd3821916b47f012887a25017164f7874445b60ba0cc65d5fde4"},
		"W5": {[]hub.News{client("presence-foobar", "client-typing", `{"on":true}`, "12345")},
			`{"name":"client_event","channel":"presence-foobar","event":"client-typing","data":"{\"on\":true}","socket_id":"1234.1234","user_id":"12345"}`,
			"15b748cf025ed4d1b567d86f349812a373fd4db5a5ddc70ea62b218398ce30f5"},
		"W6": {[]hub.News{{Kind: apps.CacheMiss, Channel: "private-cache-foobar"}}, `{"name":"cache_miss","channel":"private-cache-foobar"}`,
			"b566ef85942b663f5fa3bb9b31574fe59e6fb9d51e0c7d9c9122753ee7ecbb64"},
		"W7": {[]hub.News{{Kind: apps.SubscriptionCount, Channel: "my-channel", Subscriptions: 3}},
			`{"name":"subscription_count","channel":"my-channel","subscription_count":3}`,
			"0e560897a86a9a1bf35624396eb077e8516a80de72376b1e177d8eda5fd656ba"},
		"W8": {[]hub.News{{Kind: apps.ChannelOccupied, Channel: "presence-foobar"}, added},
			`{"name":"channel_occupied","channel":"presence-foobar"},{"name":"member_added","channel":"presence-foobar","user_id":"12345"}`,
			"3b7556168a29f71db9ff48989871d620c77901b7a4b897faacc19565d388d8ca"},
		"W9": {[]hub.News{removed, {Kind: apps.ChannelVacated, Channel: "presence-foobar"}},
			`{"name":"member_removed","channel":"presence-foobar","user_id":"12345"},{"name":"channel_vacated","channel":"presence-foobar"}`,
			"4557bc240b7b29bfe710421a532d9a2c9b39297c5b5cbec058d50e54b00104c1"},
		"W10": {[]hub.News{client("private-foobar", "client-greet", `{"msg":"zażółć €"}`, "")},
			`{"name":"client_event","channel":"private-foobar","event":"client-greet","data":"{\"msg\":\"zażółć €\"}","socket_id":"1234.1234"}`,
			"f6cba82baa0c7a5010bfb7b69d365ffbf0392564ffe299e18a2d00ee62f3156e"},
		"W11": {[]hub.News{client("private-encrypted-foobar", "client-secret",
			`{"nonce":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","ciphertext":"GBYp1MB6bh0byfszpeaA+urPZkXUBA=="}`, "")},
			`{"name":"client_event","channel":"private-encrypted-foobar","event":"client-secret","data":"{\"nonce\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"ciphertext\":\"GBYp1MB6bh0byfszpeaA+urPZkXUBA==\"}","socket_id":"1234.1234"}`,
			"10e80a6e8a3ca24f3cc93d4cb55f10edd57cff4930163a35e6171bd21b8f0593"},
	}
	at := time.UnixMilli(1327078148132)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			onBench(t, Config{Roster: alone{}}, apps.Webhook{Batch: true}, func(b *bench) {
				r := b.receiver("a", nil)
				time.Sleep(time.Until(at) - delivery.DefaultBatchInterval)
				for _, n := range tt.news {
					b.Observe(b.app, n)
				}
				d := r.await(1)[0]
				if want := `{"time_ms":1327078148132,"events":[` + tt.want + `]}`; string(d.body) != want {
					t.Errorf("body = %s, want %s", d.body, want)
				}
				if got := d.header.Get("X-Pusher-Signature"); got != tt.signature || d.header.Get("X-Pusher-Key") != testKey {
					t.Errorf("signed %s by %s, want %s by %s", got, d.header.Get("X-Pusher-Key"), tt.signature, testKey)
				}
			})
		})
	}
}
