package rawjson_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/internal/rawjson"
)

var seeds = []string{
	`{"event":"pusher:subscribe","data":{"channel":"presence-room-1","auth":"k:d","channel_data":"{\"user_id\":\"16\"}"}}`,
	`{"a":[1,-2.5e+10,true,false,null,{"b":""}],"a":{}}`,
	`[ "x" , "\ud83d\ude00\ud800\n\/" ]`,
	`{"\u0065":"Zoë ☕"} `,
	"\"\xff\"",
	`{"a":1,}`,
	`"12345678\u12`,
}

// expected is what the package should say of a text, by encoding/json: valid
// except for UTF-8 and depth.
func expected(text []byte) bool {
	return json.Valid(text) && utf8.Valid(text) && depth(text) <= rawjson.MaxDepth
}

// depth measures valid JSON.
func depth(text []byte) int {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // a number may be beyond every float
	deepest, now := 0, 0
	for {
		token, err := decoder.Token()
		if err != nil {
			return deepest
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			now++
			deepest = max(deepest, now)
		case json.Delim('}'), json.Delim(']'):
			now--
		}
	}
}

// decoded lists what encoding/json finds in a valid object or array: keys and
// raw values in order.
func decoded(t interface{ Fatal(...any) }, text []byte) (keys []string, values []json.RawMessage) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	open, err := decoder.Token()
	if err != nil {
		t.Fatal(err)
	}
	for decoder.More() {
		if open == json.Delim('{') {
			key, err := decoder.Token()
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, key.(string))
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			t.Fatal(err)
		}
		values = append(values, value)
	}
	return keys, values
}

func FuzzObject(f *testing.F) {
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		valid := expected(text)
		if got := rawjson.Valid(text); got != valid {
			t.Fatalf("Valid(%q) = %t, want %t", text, got, valid)
		}
		first := byte(0)
		if trimmed := bytes.TrimLeft(text, " \t\r\n"); len(trimmed) > 0 {
			first = trimmed[0]
		}

		var keys []string
		var values [][]byte
		err := rawjson.Object(text, func(key, value []byte) {
			keys = append(keys, string(key))
			values = append(values, value)
		})
		if want := valid && first == '{'; (err == nil) != want {
			t.Fatalf("Object(%q) = %v, want it valid: %t", text, err, want)
		}
		if err == nil {
			compareMembers(t, text, keys, values)
		}

		values = nil
		err = rawjson.Array(text, func(value []byte) { values = append(values, value) })
		if want := valid && first == '['; (err == nil) != want {
			t.Fatalf("Array(%q) = %v, want it valid: %t", text, err, want)
		}
		if err == nil {
			compareMembers(t, text, nil, values)
		}
	})
}

func compareMembers(t *testing.T, text []byte, keys []string, values [][]byte) {
	t.Helper()
	wantKeys, wantValues := decoded(t, text)
	if !slices.Equal(keys, wantKeys) {
		t.Fatalf("keys of %q = %q, want %q", text, keys, wantKeys)
	}
	if len(values) != len(wantValues) {
		t.Fatalf("%q has %d values, want %d", text, len(values), len(wantValues))
	}
	for i, value := range values {
		if !bytes.Equal(value, wantValues[i]) {
			t.Fatalf("value %d of %q = %q, want %q", i, text, value, wantValues[i])
		}
		if rawjson.IsString(value) {
			compareString(t, value)
		}
	}
}

// compareString checks a valid literal against encoding/json.
func compareString(t *testing.T, literal []byte) {
	t.Helper()
	var want string
	if err := json.Unmarshal(literal, &want); err != nil {
		t.Fatal(err)
	}
	got, ok := rawjson.String(literal)
	if !ok || got != want {
		t.Fatalf("String(%s) = %q, %t, want %q, true", literal, got, ok, want)
	}
	if n := rawjson.StringLen(literal); n != len(want) {
		t.Fatalf("StringLen(%s) = %d, want %d", literal, n, len(want))
	}
}

func FuzzString(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Add("\x00\x1f\x7f\u2028\uFFFD<&>")
	f.Fuzz(func(t *testing.T, s string) {
		// As a literal.
		literal := []byte(s)
		var want string
		valid := json.Unmarshal(literal, &want) == nil && utf8.Valid(literal) && s[0] == '"' && s[len(s)-1] == '"'
		if _, ok := rawjson.String(literal); ok != valid {
			t.Fatalf("String(%q) is ok: %t, want %t", s, ok, valid)
		}
		if valid {
			compareString(t, literal)
		}
		// As a string.
		roundTrip(t, s)
	})
}

func TestStringsSurviveTheRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		roundTrip(t, string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")))
		roundTrip(t, rapid.String().Draw(t, "string"))
	})
}

func roundTrip(t interface {
	Helper()
	Fatalf(string, ...any)
}, s string) {
	t.Helper()
	literal := rawjson.AppendString(nil, s)
	want := string([]rune(s)) // each invalid byte becomes U+FFFD
	if got, ok := rawjson.String(literal); !ok || got != want {
		t.Fatalf("String(AppendString(%q)) = %q, %t, want %q, true", s, got, ok, want)
	}
	if got := rawjson.StringLen(literal); got != len(want) {
		t.Fatalf("StringLen(%s) = %d, want %d", literal, got, len(want))
	}
	var byJSON string
	if err := json.Unmarshal(literal, &byJSON); err != nil || byJSON != want {
		t.Fatalf("json.Unmarshal(%s) = %q, %v, want %q", literal, byJSON, err, want)
	}
}

func FuzzCompact(f *testing.F) {
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		got := rawjson.Compact(nil, value) // whatever it is, no panic
		if !expected(value) {
			return
		}
		var want bytes.Buffer
		if err := json.Compact(&want, value); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want.Bytes()) {
			t.Fatalf("Compact(%q) = %q, want %q", value, got, want.Bytes())
		}
	})
}
