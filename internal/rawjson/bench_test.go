package rawjson_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/rawjson"
)

var message = []byte(`{"event":"client-typing","channel":"private-room-7","data":{"on":true,"text":"Zoë wrote: \"☕\""}}`)

func TestHotPathDoesNotAllocate(t *testing.T) {
	long := strings.Repeat(`say "hi" to Zoë `, 40)
	literal := rawjson.AppendString(nil, long)
	spaced := []byte(`{ "a" : [ 1 , 2 ] }`)
	array := []byte(`["a","b"]`)
	dst := make([]byte, 0, 4096)
	found := 0
	tests := map[string]func(){
		"Object": func() {
			rawjson.Object(message, func(key, value []byte) {
				switch string(key) {
				case "event", "channel", "data":
					found += len(value)
				}
			})
		},
		"Array":        func() { rawjson.Array(array, func(value []byte) { found += len(value) }) },
		"Valid":        func() { rawjson.Valid(message) },
		"StringLen":    func() { found += rawjson.StringLen(literal) },
		"AppendString": func() { dst = rawjson.AppendString(dst[:0], long) },
		"AppendQuoted": func() { dst = rawjson.AppendQuoted(dst[:0], message) },
		"Compact":      func() { dst = rawjson.Compact(dst[:0], spaced) },
	}
	for name, f := range tests {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times, want 0", name, n)
		}
	}
	if found == 0 {
		t.Error("found nothing in the message")
	}
}

func BenchmarkObject(b *testing.B) {
	for name, text := range map[string][]byte{
		"message": message,
		"10KB":    append(append([]byte(`{"data":`), rawjson.AppendQuoted(nil, bytes.Repeat([]byte("some long text, "), 640))...), '}'),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			n := 0
			for b.Loop() {
				if err := rawjson.Object(text, func(key, value []byte) { n += len(value) }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkString(b *testing.B) {
	literal := []byte(`"{\"user_id\":\"16\",\"user_info\":{\"name\":\"Ann\"}}"`)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := rawjson.String(literal); !ok {
			b.Fatal("no string")
		}
	}
}

func BenchmarkAppendString(b *testing.B) {
	s := `{"user_id":"16","user_info":{"name":"Ann"}}`
	dst := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		dst = rawjson.AppendString(dst[:0], s)
	}
}
