package protocol_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/internal/rawjson"
	"github.com/belfryhq/belfry/protocol"
)

func TestFrames(t *testing.T) {
	id := socketID(t, "45481.3166671")
	tests := map[string]struct {
		got  []byte
		want string
	}{
		"established":            {protocol.AppendConnectionEstablished(nil, id, 120*time.Second), `{"event":"pusher:connection_established","data":"{\"socket_id\":\"45481.3166671\",\"activity_timeout\":120}"}`},
		"established, part of s": {protocol.AppendConnectionEstablished(nil, id, 1900*time.Millisecond), `{"event":"pusher:connection_established","data":"{\"socket_id\":\"45481.3166671\",\"activity_timeout\":1}"}`},
		"established, never 0":   {protocol.AppendConnectionEstablished(nil, id, 0), `{"event":"pusher:connection_established","data":"{\"socket_id\":\"45481.3166671\",\"activity_timeout\":1}"}`},
		"pong":                   {protocol.AppendPong(nil), `{"event":"pusher:pong","data":"{}"}`},
		"fatal error":            {protocol.AppendError(nil, protocol.ErrTerminated), `{"event":"pusher:error","data":{"code":4009,"message":"You got disconnected by the app."}}`},
		"rate limit":             {protocol.AppendError(nil, protocol.ErrClientEventRate), `{"event":"pusher:error","data":{"code":4301,"message":"Client event rejected due to rate limit"}}`},
		"error without code":     {protocol.AppendError(nil, protocol.InvalidChannel(`a"<b`)), `{"event":"pusher:error","data":{"code":null,"message":"Invalid channel name: a\"<b"}}`},
		"published":              {protocol.AppendEvent(nil, "order-paid", "private-orders-7", []byte(`"{\"total\":12.5}"`), ""), `{"event":"order-paid","channel":"private-orders-7","data":"{\"total\":12.5}"}`},
		"data is copied":         {protocol.AppendEvent(nil, "a", "c", []byte(`"\/\u00e9<é\ud800"`), ""), `{"event":"a","channel":"c","data":"\/\u00e9<é\ud800"}`},
		"class name":             {protocol.AppendEvent(nil, `App\Events\X`, "c", []byte(`""`), ""), `{"event":"App\\Events\\X","channel":"c","data":""}`},
		"on presence":            {protocol.AppendEvent(nil, "client-typing", "presence-room-1", []byte(`"{\"on\":true}"`), "16"), `{"event":"client-typing","channel":"presence-room-1","data":"{\"on\":true}","user_id":"16"}`},
		"subscribed":             {protocol.AppendSubscriptionSucceeded(nil, "news"), `{"event":"pusher_internal:subscription_succeeded","channel":"news","data":"{}"}`},
		"subscribed, user":       {protocol.AppendSubscriptionSucceeded(nil, "#server-to-user-16"), `{"event":"pusher_internal:subscription_succeeded","channel":"#server-to-user-16","data":"{}"}`},
		"count":                  {protocol.AppendSubscriptionCount(nil, "news", 3), `{"event":"pusher_internal:subscription_count","channel":"news","data":"{\"subscription_count\":3}"}`},
		"cache miss":             {protocol.AppendCacheMiss(nil, "cache-prices"), `{"event":"pusher:cache_miss","channel":"cache-prices","data":"{}"}`},
		"refused":                {protocol.AppendSubscriptionError(nil, "private-orders-7", protocol.SubscriptionUnauthorized), `{"event":"pusher:subscription_error","channel":"private-orders-7","data":{"type":"AuthError","error":"The connection is unauthorized.","status":401}}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if string(test.got) != test.want {
				t.Errorf("frame = %s, want %s", test.got, test.want)
			}
		})
	}
}

func TestSubscriptionErrors(t *testing.T) {
	tests := map[protocol.SubscriptionError]struct {
		kind   string
		status int
	}{
		protocol.SubscriptionUnauthorized:   {"AuthError", 401},
		protocol.SubscriptionInvalidChannel: {"InvalidChannel", 400},
		protocol.SubscriptionNameTooLong:    {"LimitReached", 4009},
		protocol.SubscriptionLimit:          {"LimitReached", 4004},
		protocol.SubscriptionFailed:         {"ServerError", 500},
	}
	for e, want := range tests {
		if e.Type != want.kind || e.Status != want.status || e.Error == "" {
			t.Errorf("subscription error = %+v, want type %s, status %d and a text", e, want.kind, want.status)
		}
	}
}

// TestFramesAreAppended: what is in dst already stays.
func TestFramesAreAppended(t *testing.T) {
	id := socketID(t, "1.2")
	frames := map[string]func(dst []byte) []byte{
		"event":       func(dst []byte) []byte { return protocol.AppendEvent(dst, "e", "c", []byte(`"d"`), "u") },
		"established": func(dst []byte) []byte { return protocol.AppendConnectionEstablished(dst, id, time.Minute) },
		"error":       func(dst []byte) []byte { return protocol.AppendError(dst, protocol.ErrOrigin) },
		"pong":        protocol.AppendPong,
		"added": func(dst []byte) []byte {
			return protocol.AppendMemberAdded(dst, "c", protocol.Member{UserID: "1", UserInfo: []byte(`{ }`)})
		},
		"removed":   func(dst []byte) []byte { return protocol.AppendMemberRemoved(dst, "c", "1") },
		"signin":    func(dst []byte) []byte { return protocol.AppendSigninSuccess(dst, `{"id":"1"}`) },
		"watchlist": func(dst []byte) []byte { return protocol.AppendWatchlistEvents(dst, []string{"1"}, []string{"2"}) },
		"count":     func(dst []byte) []byte { return protocol.AppendSubscriptionCount(dst, "c", 1) },
		"miss":      func(dst []byte) []byte { return protocol.AppendCacheMiss(dst, "c") },
		"refused": func(dst []byte) []byte {
			return protocol.AppendSubscriptionError(dst, "c", protocol.SubscriptionFailed)
		},
		"snapshot": func(dst []byte) []byte {
			return protocol.AppendPresenceSucceeded(dst, "c", slices.Values([]protocol.Member{{UserID: "1"}}), 1)
		},
	}
	for name, frame := range frames {
		t.Run(name, func(t *testing.T) {
			want := "before" + string(frame(nil))
			for _, room := range []int{0, 1000} {
				dst := append(make([]byte, 0, 6+room), "before"...)
				if got := string(frame(dst)); got != want {
					t.Errorf("with room for %d = %s, want %s", room, got, want)
				}
			}
		})
	}
}

func TestClientEventData(t *testing.T) {
	tests := map[string]struct {
		data    []byte
		literal string
		length  int
	}{
		"object":         {[]byte(`{"on": true, "n": 12345678901234567890.10}`), `"{\"on\": true, \"n\": 12345678901234567890.10}"`, 42},
		"string":         {[]byte(`"{\"on\":true}"`), `"{\"on\":true}"`, 11},
		"string escapes": {[]byte(`"\u00e9\/\ud83d\ude00"`), `"\u00e9\/\ud83d\ude00"`, 7},
		"empty string":   {[]byte(`""`), `""`, 0},
		"number":         {[]byte(`1.0`), `"1.0"`, 3},
		"array":          {[]byte(`["é"]`), `"[\"é\"]"`, 6},
		"true":           {[]byte(`true`), `"true"`, 4},
		"null":           {[]byte(`null`), `"null"`, 4},
		"absent":         {nil, `"null"`, 4},
		"line breaks":    {[]byte("[1,\n\t2]"), `"[1,\n\t2]"`, 7},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := string(protocol.AppendDataLiteral([]byte("x"), test.data)); got != "x"+test.literal {
				t.Errorf("AppendDataLiteral(%s) = %s, want x%s", test.data, got, test.literal)
			}
			if got := protocol.DataLen(test.data); got != test.length {
				t.Errorf("DataLen(%s) = %d, want %d", test.data, got, test.length)
			}
		})
	}
}

func TestEventNames(t *testing.T) {
	tests := map[string]struct{ client, reserved bool }{
		"client-typing":            {client: true},
		"client-":                  {client: true},
		"client":                   {},
		"Client-a":                 {},
		"xclient-a":                {},
		" client-a":                {},
		"pusher:ping":              {reserved: true},
		"pusher:":                  {reserved: true},
		"pusher_internal:whatever": {reserved: true},
		"pusher":                   {},
		"pusher-x":                 {},
		"Pusher:ping":              {},
		"":                         {},
	}
	for event, want := range tests {
		if got := protocol.IsClientEvent(event); got != want.client {
			t.Errorf("IsClientEvent(%q) = %t, want %t", event, got, want.client)
		}
		if got := protocol.IsReserved(event); got != want.reserved {
			t.Errorf("IsReserved(%q) = %t, want %t", event, got, want.reserved)
		}
	}
}

func TestPusherNamespace(t *testing.T) {
	for event, want := range map[string]bool{
		"pusher": true, "pusher:x": true, "pusher_internal:x": true, "pusher-notification": true, "pusher_x": true, "pusher.x": true, "pusher x": true,
		"pushers": false, "pusherNotification": false, "pusher2": false, "pusheré": false, "Pusher-x": false, "my-pusher-x": false, "push-er": false, "client-pusher": false, "": false,
	} {
		if got := protocol.InPusherNamespace(event); got != want {
			t.Errorf("InPusherNamespace(%q) = %t, want %t", event, got, want)
		}
	}
}

// TestEventsAreRead: what a client decodes is what was published.
func TestEventsAreRead(t *testing.T) {
	type event struct {
		Event, Channel, Data string
		UserID               string `json:"user_id"`
	}
	rapid.Check(t, func(t *rapid.T) {
		want := event{
			rapid.String().Draw(t, "event"), rapid.String().Draw(t, "channel"),
			rapid.String().Draw(t, "data"), rapid.String().Draw(t, "user"),
		}
		frame := protocol.AppendEvent(nil, want.Event, want.Channel, rawjson.AppendString(nil, want.Data), want.UserID)
		var got event
		if err := json.Unmarshal(frame, &got); err != nil || got != want {
			t.Fatalf("%s: %+v, %v, want %+v", frame, got, err, want)
		}
		for member, value := range map[string]string{`"channel":`: want.Channel, `,"user_id":`: want.UserID} {
			if value == "" && strings.Contains(strings.ReplaceAll(string(frame), `\"`, ""), member) {
				t.Fatalf("%s has an empty %s", frame, member)
			}
		}
		refusal := &protocol.Error{Code: protocol.CloseUnauthorized, Message: want.Data}
		for _, frame := range [][]byte{
			protocol.AppendError(nil, refusal),
			protocol.AppendSubscriptionError(nil, want.Channel, protocol.SubscriptionError{Type: want.Event, Error: want.Data, Status: 401}),
		} {
			if err := checkFrame(frame, false); err != nil {
				t.Fatal(err)
			}
		}
	})
}
