package httpapi

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/protocol"
)

func FuzzQuery(f *testing.F) {
	for _, v := range readVectors(f) {
		for _, query := range v.Query {
			f.Add(query)
		}
	}
	f.Add("b=2&a[]=2&B=1&a=1&&=x&a%5B%5D=3")
	f.Add("a=%zz+%4&%=%&c=%41%4;d")
	f.Fuzz(func(t *testing.T, query string) {
		got := appendParams(nil, query, true)
		if len(got) > maxParams+1 {
			t.Fatalf("%d params, want no more than %d", len(got), maxParams+1)
		}
		text := protocol.RequestText("GET", "/", got)
		values, err := url.ParseQuery(query)
		if err != nil || len(got) > maxParams {
			return // not well-formed: it is enough to come back
		}
		// net/url says what belongs to which key, so each key is looked at by itself.
		all := 0
		for key, want := range values {
			lower := strings.ToLower(key)
			for other, more := range values {
				if other != key && strings.ToLower(other) == lower {
					want = nil // mixed case; only the order tells
					_ = more
				}
			}
			all += len(values[key])
			if want != nil && !slices.Equal(valuesOf(got, lower), want) {
				t.Errorf("values of %q = %q, want %q", lower, valuesOf(got, lower), want)
			}
		}
		if all != len(got) {
			t.Errorf("%d params, want %d", len(got), all)
		}
		if want := signedText(t, query); text != want {
			t.Errorf("text = %q, want %q", text, want)
		}
	})
}

// valuesOf returns the values of one key.
func valuesOf(params []protocol.Param, key string) (values []string) {
	for _, p := range params {
		if p.Key == key {
			values = append(values, p.Value)
		}
	}
	return values
}

// signedText is what is signed of a well-formed query, from net/url alone.
func signedText(t *testing.T, query string) string {
	t.Helper()
	q := request{method: "GET", path: "/"}
	type pair struct{ base, text string }
	var pairs []pair
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			continue
		}
		key, value, _ := strings.Cut(part, "=")
		key, err := url.QueryUnescape(key)
		if err != nil {
			t.Fatal(err)
		}
		value, err = url.QueryUnescape(value)
		if err != nil {
			t.Fatal(err)
		}
		if key = strings.ToLower(key); key != "auth_signature" {
			pairs = append(pairs, pair{strings.TrimSuffix(key, "[]"), key + "=" + value})
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return strings.Compare(a.base, b.base) })
	texts := make([]string, len(pairs))
	for i, p := range pairs {
		texts[i] = p.text
	}
	return q.method + "\n" + q.path + "\n" + strings.Join(texts, "&")
}

// FuzzEventsBody sends signed bodies. Either all of an event is delivered and
// it is what encoding/json reads, or nothing is.
func FuzzEventsBody(f *testing.F) {
	for _, v := range readVectors(f) {
		if v.Path == "/apps/3/events" {
			f.Add([]byte(v.Body))
		}
	}
	f.Add([]byte(`{"name":"n","channels":["a","b","a"],"data":{"x":[1, 2]},"socket_id":"1.2","info":"user_count"}`))
	f.Add([]byte(`{"name":"n","channel":"#server-to-user-\u00e9","data":"\ud800\"","socket_id":null}`))
	f.Add([]byte(`{"name":"pusher:x","channels":null,"channel":"c","data":"","data":1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		api := newFixture()
		w := api.do(t, event(string(body)).build())
		switch {
		case w.Code >= 400 && w.Code < 500:
			checkHeard(t, api.hub)
		case w.Code == 200:
			checkHeard(t, api.hub, expected(t, body))
		default:
			t.Errorf("status = %d with %q", w.Code, w.Body)
		}
	})
}

// FuzzBatchBody is the same for batches.
func FuzzBatchBody(f *testing.F) {
	for _, v := range readVectors(f) {
		if v.Path == "/apps/3/batch_events" {
			f.Add([]byte(v.Body))
		}
	}
	f.Add([]byte(`{"batch":[{"name":"n","channel":"a","data":{"x":[1, 2]}},{"name":"n","channel":"b","data":"d","info":"user_count"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		api := newFixture()
		w := api.do(t, post("/apps/3/batch_events", string(body)).build())
		switch {
		case w.Code >= 400 && w.Code < 500:
			checkHeard(t, api.hub)
		case w.Code == 200:
			var parsed map[string]json.RawMessage
			var elements []json.RawMessage
			if err := json.Unmarshal(body, &parsed); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(parsed["batch"], &elements); err != nil {
				t.Fatal(err)
			}
			var want []triggered
			for _, element := range elements {
				want = append(want, expected(t, element))
			}
			checkHeard(t, api.hub, want...)
		default:
			t.Errorf("status = %d with %q", w.Code, w.Body)
		}
	})
}

// expected is the event that encoding/json reads.
func expected(t *testing.T, object []byte) triggered {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		t.Fatalf("accepted %q, which is no object: %v", object, err)
	}
	var name, channel, socketID string
	var channels []string
	for key, dst := range map[string]any{"name": &name, "channel": &channel, "channels": &channels, "socket_id": &socketID} {
		if raw, ok := members[key]; ok {
			if err := json.Unmarshal(raw, dst); err != nil && (key != "channel" || members["channels"] == nil) {
				t.Fatalf("accepted %q: %v", object, err)
			}
		}
	}
	e := triggered{App: "3", Name: name, Data: string(members["data"]), Except: "0.0"}
	if !strings.HasPrefix(e.Data, `"`) {
		var compact bytes.Buffer
		if err := json.Compact(&compact, members["data"]); err != nil {
			t.Fatalf("accepted %q: %v", object, err)
		}
		text, err := json.Marshal(compact.String())
		if err != nil {
			t.Fatal(err)
		}
		e.Data = string(text)
	}
	if channels == nil {
		channels = []string{channel}
	}
	for _, c := range channels {
		if !slices.Contains(e.Channels, c) {
			e.Channels = append(e.Channels, c)
		}
	}
	if id, ok := protocol.ParseSocketID(socketID); ok {
		e.Except = id.String()
	}
	return e
}
