package apps

import (
	"encoding/json"
	"testing"
)

// Whatever is set is written so that it is read back, and nothing makes Set
// panic.
func FuzzSet(f *testing.F) {
	for _, text := range []string{
		`{"id":"1","name":"x","limits":{"connections":5,"cache_ttl":"1h"},"allowed_origins":["a.test"]}`,
		`{"limits":null,"disabled":true,"activity_timeout":"30s"}`, `{"limits":{"event_data":"10KiB"}}`, `[]`, `{"limits":[]}`, `{"name":5}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		a := New()
		if a.Set(text, func(string, []byte) bool { return true }) != nil {
			return
		}
		if !json.Valid(text) {
			t.Fatalf("Set takes %q, which is not JSON", text)
		}
		written := append(a.AppendSettings([]byte{'{'}, a.ID != ""), '}')
		b := New()
		if err := b.Set(written, nil); err != nil && a.ID != "" {
			t.Fatalf("Set(%s) = %v, and it was written for %q", written, err, text)
		}
		b.Webhooks = a.Webhooks
		if a.ID != "" && !a.Same(b) {
			t.Fatalf("%q is written as %s, which is something else", text, written)
		}
	})
}
