package webhook

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/rawjson"
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
		var items []item
		for _, n := range tt.news {
			e := newEvent(n, at)
			items = append(items, item{event: &e, of: &stored{}})
		}
		r := request{items: items, body: body(at, items)}
		if want := `{"time_ms":1327078148132,"events":[` + tt.want + `]}`; string(r.body) != want {
			t.Errorf("%s: body = %s, want %s", name, r.body, want)
		}
		r.sign(newApp("1"))
		if r.signature != tt.signature || r.key != testKey {
			t.Errorf("%s: signed %s by %s, want %s by %s", name, r.signature, r.key, tt.signature, testKey)
		}
	}
}

// What an event says survives the queue, whatever is in it.
func TestRecordsAreReadBackAsTheyWereWritten(t *testing.T) {
	texts := []string{"plain", `"quoted" \ back`, "zażółć €", "line\nbreak\x00", "\u2028"}
	r := &record{}
	for i, text := range texts {
		e := newEvent(hub.News{Kind: apps.ClientEvent, Channel: "private-" + text, UserID: text, Event: "client-" + text,
			Data: rawjson.AppendString(nil, text), Socket: protocol.NewSocketID()}, time.UnixMilli(int64(i)))
		e.id = eventID{"0a1b", uint64(i)}
		r.events = append(r.events, e)
		if !json.Valid(e.body) {
			t.Errorf("%q makes %s, which is not JSON", text, e.body)
		}
	}
	back, err := decodeRecord(encodeRecord(r))
	if err != nil {
		t.Fatal(err)
	}
	grave, err := decodeBurial(encodeBurial(&burial{to: address{"a", "b"}, host: "h", reason: buryDown, status: 7, err: `"x"`, attempts: 3, at: 9, events: r.events}))
	if err != nil {
		t.Fatal(err)
	}
	if grave.to != (address{"a", "b"}) || grave.host != "h" || grave.reason != buryDown || grave.status != 7 || grave.err != `"x"` || grave.attempts != 3 || grave.at != 9 {
		t.Errorf("a burial became %+v", grave)
	}
	for _, events := range [][]event{back.events, grave.events} {
		if len(events) != len(texts) {
			t.Fatalf("%d events came back, want %d", len(events), len(texts))
		}
		for i, e := range events {
			was := r.events[i]
			if e.id != was.id || e.at.UnixMilli() != was.at.UnixMilli() || e.channel != was.channel || string(e.body) != string(was.body) {
				t.Errorf("%+v became %+v", was, e)
			}
		}
	}
}

func TestDamagedRecordsAreErrors(t *testing.T) {
	for _, text := range []string{``, `{}`, `[]`, `{"events":[]}`, `{"events":[{}]}`, `{"events":[{"id":"x","at":1,"channel":"c","event":{}}]}`,
		`{"events":[{"id":"x-1","at":"1","channel":"c","event":{}}]}`, `{"events":[{"id":"x-1","at":1,"channel":2,"event":{}}]}`,
		`{"events":[{"id":"x-1","at":1,"channel":"c","event":3}]}`, `{"events":[{"id":"x-1","at":1,"channel":"c","event":{}}`} {
		if r, err := decodeRecord([]byte(text)); err == nil {
			t.Errorf("decodeRecord(%s) = %+v, want an error", text, r)
		}
		if b, err := decodeBurial([]byte(text)); err == nil {
			t.Errorf("decodeBurial(%s) = %+v, want an error", text, b)
		}
	}
}

func TestSubjectsAreReversible(t *testing.T) {
	for _, a := range []address{{"1", "main"}, {"a.b", "*"}, {"", ">"}, {"ż %2e", " "}, {"A-_9", "."}} {
		if got, ok := parseSubject(queueSubjects+a.subject(), queueSubjects); !ok || got != a {
			t.Errorf("%+v has the subject %s, which is %+v", a, a.subject(), got)
		}
	}
}
