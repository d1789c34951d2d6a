package queue

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/rawjson"
)

// What an event says survives the queue, whatever is in it.
func TestRecordsAreReadBackAsTheyWereWritten(t *testing.T) {
	r := &Record{}
	for i, text := range []string{"plain", `"quoted" \ back`, "zażółć €", "line\nbreak\x00", "\u2028"} {
		e := Event{ID: EventID{"0a1b", uint64(i)}, Type: apps.ClientEvent, At: time.UnixMilli(int64(i)), Channel: "private-" + text,
			Body: append(rawjson.AppendString([]byte(`{"name":"client_event","data":`), text), '}')}
		if !json.Valid(e.Body) {
			t.Fatalf("%q makes %s, which is not JSON", text, e.Body)
		}
		r.Events = append(r.Events, e)
		r.Bytes += e.Size()
	}
	back, err := DecodeRecord(EncodeRecord(r))
	if err != nil {
		t.Fatal(err)
	}
	letter := &DeadLetter{To: Address{"a", "b"}, Host: "h", Reason: Down, Status: 7, Err: `"x"`, Attempts: 3, At: 9, Events: r.Events}
	again, err := DecodeDeadLetter(EncodeDeadLetter(letter))
	if err != nil {
		t.Fatal(err)
	}
	for _, events := range [][]Event{back.Events, again.Events} {
		for i := range events { // as far as clocks know
			events[i].At = time.UnixMilli(events[i].At.UnixMilli())
		}
	}
	if !reflect.DeepEqual(back, r) {
		t.Errorf("a record became %+v, want %+v", back, r)
	}
	if !reflect.DeepEqual(again, letter) {
		t.Errorf("a dead letter became %+v, want %+v", again, letter)
	}
}

// Earlier revisions wrote no types. A decision that such a node has left is
// still known as one, or it would be told twice.
func TestRecordsOfEarlierRevisionsHaveTypes(t *testing.T) {
	for name, want := range map[string]apps.WebhookEvents{"member_added": apps.MemberAdded, "client_event": apps.ClientEvent, "later": 0} {
		r, err := DecodeRecord([]byte(`{"events":[{"id":"a1b2-7","at":1700000000000,"channel":"presence-a","event":{"name":"` + name + `","channel":"presence-a"}}]}`))
		if err != nil || r.Events[0].Type != want {
			t.Errorf("%s is of type %+v (%v), want %v", name, r, err, want)
		}
	}
	if r, err := DecodeRecord([]byte(`{"events":[{"id":"a-7","type":"cache_miss","channel":"c","event":{"name":"member_added"}}]}`)); err != nil || r.Events[0].Type != apps.CacheMiss {
		t.Errorf("what says its type is %+v (%v)", r, err)
	}
}

func TestDamagedRecordsAreErrors(t *testing.T) {
	for _, text := range []string{``, `{}`, `[]`, `{"events":[]}`, `{"events":[{}]}`, `{"events":[{"id":"x","at":1,"channel":"c","event":{}}]}`,
		`{"events":[{"id":"x-1","at":"1","channel":"c","event":{}}]}`, `{"events":[{"id":"x-1","at":1,"channel":2,"event":{}}]}`,
		`{"events":[{"id":"x-1","type":1,"at":1,"channel":"c","event":{}}]}`,
		`{"events":[{"id":"x-1","at":1,"channel":"c","event":3}]}`, `{"events":[{"id":"x-1","at":1,"channel":"c","event":{}}`} {
		if r, err := DecodeRecord([]byte(text)); err == nil {
			t.Errorf("DecodeRecord(%s) = %+v, want an error", text, r)
		}
		if d, err := DecodeDeadLetter([]byte(text)); err == nil {
			t.Errorf("DecodeDeadLetter(%s) = %+v, want an error", text, d)
		}
	}
}

func TestSubjectsAreReversible(t *testing.T) {
	for _, a := range []Address{{"1", "main"}, {"a.b", "*"}, {"", ">"}, {"ż %2e", " "}, {"A-_9", "."}} {
		if got, ok := parseSubject(queueSubjects+a.subject(), queueSubjects); !ok || got != a {
			t.Errorf("%+v has the subject %s, which is %+v", a, a.subject(), got)
		}
		if strings.ContainsAny(key(Owner(a.Endpoint)), "%>* ") {
			t.Errorf("the key of %q is %s, which no bucket takes", a.Endpoint, key(Owner(a.Endpoint)))
		}
	}
}

// What the queue returns is either refused, or written as it was read.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"events":[{"id":"0a1b-7","type":"channel_occupied","at":1700000000000,"channel":"news","event":{"name":"channel_occupied","channel":"news"}}]}`))
	f.Add([]byte(`{"events":[{"id":"-0","at":-1,"channel":"\ud800","event":{}},{"id":"a-b-1","at":1,"channel":"","event":{"a":[]}}]}`))
	f.Add([]byte(`{"events":[{"event":{}},{"at":9223372036854775807,"event":{"name":"member_added"}},{"at":-9223372036854775808,"event":{}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := DecodeRecord(text)
		if err != nil {
			return
		}
		written := EncodeRecord(r)
		again, err := DecodeRecord(written)
		if err != nil {
			t.Fatalf("%q was read, and written as %q, which can not be read", text, written)
		}
		if twice := EncodeRecord(again); !bytes.Equal(written, twice) {
			t.Errorf("%q was written as %q and then as %q", text, written, twice)
		}
	})
}
