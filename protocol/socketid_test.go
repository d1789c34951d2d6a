package protocol_test

import (
	"encoding/json"
	"math/big"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/protocol"
)

// socketID parses an id that must be one.
func socketID(t testing.TB, s string) protocol.SocketID {
	t.Helper()
	id, ok := protocol.ParseSocketID(s)
	if !ok {
		t.Fatalf("ParseSocketID(%q) is not ok", s)
	}
	return id
}

// drawnID is the documented form of an id, with what Belfry adds: one to eleven
// digits each and no leading zero.
var drawnID = regexp.MustCompile(`\A[1-9][0-9]{0,10}\.[1-9][0-9]{0,10}\z`)

func TestNewSocketID(t *testing.T) {
	seen := make(map[protocol.SocketID]bool)
	for range 1000 {
		id := protocol.NewSocketID()
		if !drawnID.MatchString(id.String()) {
			t.Fatalf("NewSocketID() = %v, want it to match %v", id, drawnID)
		}
		for part := range strings.SplitSeq(id.String(), ".") {
			if len(part) == 11 && part != "10000000000" {
				t.Fatalf("NewSocketID() = %v, want both numbers up to 10^10", id)
			}
		}
		if back := socketID(t, id.String()); back != id {
			t.Fatalf("ParseSocketID(%q) = %v, want the same", id.String(), back)
		}
		if seen[id] || id.IsZero() {
			t.Fatalf("NewSocketID() = %v, want a new one", id)
		}
		seen[id] = true
	}
}

func TestParseSocketID(t *testing.T) {
	tests := map[string]bool{
		"45481.3166671":                  true,
		"1.1":                            true,
		"0.1":                            true,
		"10000000000.10000000000":        true,
		"18446744073709551615.1":         true,
		"18446744073709551616.1":         false,
		"1.99999999999999999999999999":   false,
		"01.1":                           false,
		"1.00":                           false,
		"0.0":                            false,
		"":                               false,
		".":                              false,
		"1":                              false,
		"1.":                             false,
		".1":                             false,
		"1.1.1":                          false,
		"1..1":                           false,
		"1,1":                            false,
		"1.1\n":                          false,
		" 1.1":                           false,
		"+1.1":                           false,
		"-1.1":                           false,
		"1.-1":                           false,
		"1_0.1":                          false,
		"0x1.1":                          false,
		"1.1e5":                          false,
		"a.b":                            false,
		"１.１":                            false,
		"1.1:private-x":                  false,
		strings.Repeat("1", 1000) + ".1": false,
	}
	for s, want := range tests {
		id, ok := protocol.ParseSocketID(s)
		if ok != want {
			t.Errorf("ParseSocketID(%q) = %v, %t, want %t", s, id, ok, want)
		}
		if ok && id.String() != s {
			t.Errorf("ParseSocketID(%q) = %v, want the same text", s, id)
		}
		if !ok && !id.IsZero() {
			t.Errorf("ParseSocketID(%q) = %v, want zero", s, id)
		}
	}
}

func TestSocketIDAsText(t *testing.T) {
	type message struct{ ID protocol.SocketID }
	for _, text := range []string{`{"ID":"45481.3166671"}`, `{"ID":"0.0"}`} {
		var m message
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatalf("Unmarshal(%s) = %v", text, err)
		}
		if got, err := json.Marshal(m); err != nil || string(got) != text {
			t.Errorf("Marshal(%v) = %s, %v, want %s", m, got, err, text)
		}
	}
	var m message
	err := json.Unmarshal([]byte(`{"ID":"1.x"}`), &m)
	if err == nil || !strings.Contains(err.Error(), `"1.x"`) {
		t.Errorf("Unmarshal of a bad id = %v, want an error that names it", err)
	}
	if got, err := socketID(t, "12.34").AppendText([]byte("id ")); err != nil || string(got) != "id 12.34" {
		t.Errorf("AppendText = %q, %v, want id 12.34", got, err)
	}
}

func TestSocketIDSurvivesTheRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`(0|[1-9][0-9]{0,18})\.[1-9][0-9]{0,18}`).Draw(t, "text")
		id, ok := protocol.ParseSocketID(text)
		if !ok || id.String() != text {
			t.Fatalf("ParseSocketID(%q) = %v, %t", text, id, ok)
		}
	})
}

var canonicalID = regexp.MustCompile(`\A(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\z`)

func FuzzParseSocketID(f *testing.F) {
	for _, seed := range []string{"45481.3166671", "0.0", "1.", "01.1", "18446744073709551616.1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := s != "0.0" && canonicalID.MatchString(s)
		for part := range strings.SplitSeq(s, ".") {
			n, isNumber := new(big.Int).SetString(part, 10)
			want = want && isNumber && n.IsUint64()
		}
		id, ok := protocol.ParseSocketID(s)
		if ok != want || ok && id.String() != s {
			t.Fatalf("ParseSocketID(%q) = %v, %t, want %t", s, id, ok, want)
		}
	})
}
