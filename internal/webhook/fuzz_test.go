package webhook

import (
	"bytes"
	"testing"
)

// What the queue returns is either refused, or written as it was read.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"events":[{"id":"0a1b-7","at":1700000000000,"channel":"news","event":{"name":"channel_occupied","channel":"news"}}]}`))
	f.Add([]byte(`{"events":[{"id":"-0","at":-1,"channel":"\ud800","event":{}},{"id":"a-b-1","at":1,"channel":"","event":{"a":[]}}]}`))
	f.Add([]byte(`{"events":[{"event":{}},{"at":9223372036854775807,"event":{}},{"at":-9223372036854775808,"event":{}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := decodeRecord(text)
		if err != nil {
			return
		}
		written := encodeRecord(r)
		again, err := decodeRecord(written)
		if err != nil {
			t.Fatalf("%q was read, and written as %q, which can not be read", text, written)
		}
		if twice := encodeRecord(again); !bytes.Equal(written, twice) {
			t.Errorf("%q was written as %q and then as %q", text, written, twice)
		}
	})
}
