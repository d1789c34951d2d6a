package broker

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/protocol"
)

var sameIDs = cmp.Comparer(func(a, b protocol.SocketID) bool { return a == b })

func drawID(t *rapid.T) (id protocol.SocketID) {
	text := rapid.SampledFrom([]string{"", "1.2", "0.1", "45481.3166671", "18446744073709551615.18446744073709551615"}).Draw(t, "except")
	id, _ = protocol.ParseSocketID(text)
	return id
}

// drawBytes draws nil as well.
func drawBytes(t *rapid.T, label string) []byte {
	if rapid.Bool().Draw(t, label+" is nil") {
		return nil
	}
	return append([]byte{}, rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, label)...)
}

// drawMessage draws a message that has only fields of its kind.
func drawMessage(t *rapid.T) *Message {
	m := &Message{Kind: Kind(rapid.IntRange(int(Event), int(endOfKinds)-1).Draw(t, "kind")), On: rapid.Bool().Draw(t, "on")}
	f := schema[m.Kind]
	name := rapid.StringN(0, 200, 300)
	if f&hasApp != 0 {
		m.App = name.Draw(t, "app")
	}
	if f&hasName != 0 {
		m.Name = name.Draw(t, "name")
	}
	if f&hasUser != 0 {
		m.User = name.Draw(t, "user")
	}
	if f&hasInfo != 0 && m.On {
		m.Info = drawBytes(t, "info")
	}
	if f&hasText != 0 {
		m.Text = append([]byte{}, drawBytes(t, "text")...)
		m.Except = drawID(t)
		m.Number = rapid.Uint64().Draw(t, "number")
		m.Serial, m.Before = rapid.Uint64().Draw(t, "serial"), rapid.Uint64().Draw(t, "before")
	}
	if f&hasData != 0 {
		m.Data = drawData(t, m.Text)
		m.Stamp, m.TTL = rapid.Uint64().Draw(t, "stamp"), rapid.Uint64().Draw(t, "ttl")
	}
	if f&hasCount != 0 {
		m.Count = rapid.Uint64().Draw(t, "count")
	}
	if f&hasUse != 0 {
		for i := range m.Used {
			m.Used[i] = rapid.Uint64().Draw(t, "used")
		}
	}
	return m
}

// drawData draws a part of text that shares its memory, one that does not,
// and something else.
func drawData(t *rapid.T, text []byte) []byte {
	from := rapid.IntRange(0, len(text)).Draw(t, "from")
	to := rapid.IntRange(from, len(text)).Draw(t, "to")
	switch rapid.SampledFrom([]string{"part", "capped", "copy", "other"}).Draw(t, "data") {
	case "part":
		return text[from:to]
	case "capped":
		return text[from:to:to]
	case "copy":
		return append([]byte{}, text[from:to]...)
	}
	return drawBytes(t, "other")
}

func TestMessageSurvivesTheRoundTrip(t *testing.T) {
	var got Message // one for all, as receivers have it
	rapid.Check(t, func(t *rapid.T) {
		want := drawMessage(t)
		b := want.Append([]byte("before"))
		if !bytes.HasPrefix(b, []byte("before")) {
			t.Fatalf("Append(%q) = %q", "before", b)
		}
		if err := got.Parse(b[len("before"):]); err != nil {
			t.Fatalf("Parse(Append(%+v)) = %v", want, err)
		}
		if diff := cmp.Diff(want, &got, sameIDs); diff != "" {
			t.Fatalf("Parse(Append(m)) is not m (-want +got):\n%s", diff)
		}
	})
}

func TestDataArePartOfText(t *testing.T) {
	text := []byte(`{"event":"e","channel":"c","data":"d"}`)
	data := text[34:37]
	for name, data := range map[string][]byte{"shared": data, "copied": slices.Clone(data)} {
		m := Message{Kind: Cached, App: "a", Name: "c", Text: text, Data: data}
		with := len(m.Append(nil))
		m.Data = nil
		if grown := with - len(m.Append(nil)); grown != 2 {
			t.Errorf("%s data take %d bytes more, want two: a place and a length", name, grown)
		}
	}
}

func TestMalformedMessagesAreRefused(t *testing.T) {
	cached := Message{Kind: Cached, On: true, App: "a", Name: "c", Text: []byte(`{"data":"d"}`), Data: []byte(`"d"`), Stamp: 7, TTL: 8}
	cached.Except, _ = protocol.ParseSocketID("1.2")
	whole := cached.Append(nil)
	for n := range whole {
		if err := new(Message).Parse(whole[:n]); err == nil {
			t.Errorf("Parse of the first %d of %d bytes is no error", n, len(whole))
		}
	}
	long := strings.Repeat("x", MaxName+1)
	tests := map[string][]byte{
		"a byte too many":              append(slices.Clone(whole), 0),
		"no kind":                      {0, 0},
		"unknown kind":                 {byte(endOfKinds), 0},
		"unknown mark":                 {byte(Resync), allMarks + 1},
		"info of one who is gone":      {byte(Member), markInfo, 1, 'a', 1, 'c', 1, 'u', 2, '{', '}'},
		"info of an event":             {byte(Event), markOn | markInfo, 1, 'a', 1, 'c', 0, 0},
		"number without a text":        {byte(Load), markNumber, 1, 'a', 1, 1, 1},
		"serial without a text":        {byte(Load), markSerial, 1, 'a', 1, 1, 1},
		"serial zero, marked":          {byte(Event), markSerial, 1, 'a', 1, 'c', 0, 0, 0},
		"number zero, marked":          {byte(Event), markNumber, 1, 'a', 1, 'c', 0, 0},
		"except without a text":        {byte(Load), markExcept, 1, 'a', 1, 1, 1},
		"data of an event":             {byte(Event), markData, 1, 'a', 1, 'c', 0, 0, 0},
		"data apart that are not":      {byte(Cached), markApart, 1, 'a', 1, 'c', 0, 0, 0, 0},
		"length beyond the end":        {byte(Terminate), 0, 1, 'a', 2, 'c'},
		"length of 2^64-1":             {byte(Terminate), 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 'a'},
		"length beyond 64 bits":        {byte(Terminate), 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1},
		"data beyond the text":         {byte(Cached), markData, 1, 'a', 1, 'c', 2, 'x', 'y', 1, 2, 0, 0},
		"data after the text":          {byte(Cached), markData, 1, 'a', 1, 'c', 2, 'x', 'y', 3, 0, 0, 0},
		"socket id that is none":       {byte(Event), markExcept, 1, 'a', 1, 'c', 0, 3, '1', '.', 'x'},
		"socket id beyond the end":     {byte(Event), markExcept, 1, 'a', 1, 'c', 0, 4, '1', '.', '1'},
		"socket id zero, marked":       {byte(Event), markExcept, 1, 'a', 1, 'c', 0, 3, '0', '.', '0'},
		"name that is too long":        (&Message{Kind: Terminate, App: "a", Name: long}).Append(nil),
		"info that is too long":        (&Message{Kind: Member, On: true, Info: make([]byte, MaxInfo+1)}).Append(nil),
		"text that is too long":        (&Message{Kind: Event, Text: make([]byte, MaxText+1)}).Append(nil),
		"data apart that are too long": (&Message{Kind: Cached, Text: []byte{}, Data: make([]byte, MaxText+1)}).Append(nil),
	}
	for name, b := range tests {
		if err := new(Message).Parse(b); err == nil {
			t.Errorf("Parse of a message with %s is no error", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	id, _ := protocol.ParseSocketID("45481.3166671")
	text := []byte(`{"event":"e","channel":"c","data":"d"}`)
	for _, m := range []Message{
		{Kind: Event, App: "1", Name: "c", Text: text, Except: id},
		{Kind: Event, App: "1", Name: "c", Text: text, Except: id, Number: 300},
		{Kind: Event, App: "1", Name: "c", Text: text, Serial: 7, Before: 3},
		{Kind: Recall, App: "1", Name: "c", User: "ABC", Text: []byte("ABC-000000000001"), Count: 9},
		{Kind: Recalled, On: true, App: "1", Name: "c", User: "ABC", Text: []byte{}, Serial: 7, Before: 3, Count: 9},
		{Kind: Cached, On: true, App: "1", Name: "cache-c", Text: text, Data: text[34:37], Stamp: 1 << 60, TTL: 1000},
		{Kind: Cached, App: "1", Name: "cache-c", Text: text, Data: []byte(`"other"`)},
		{Kind: Member, On: true, App: "1", Name: "presence-c", User: "u", Info: []byte(`{"a":1}`)},
		{Kind: Subscribers, On: true, App: "1", Name: "c", Count: 300},
		{Kind: Load, App: "1", Count: 1, Used: [apps.Rates]uint64{2, 3}},
		{Kind: Resync},
		{Kind: Relay, On: true, Name: "d", Count: 3, Text: []byte("PRI * HTTP/2.0")},
	} {
		f.Add(m.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var m, again Message
		if m.Parse(b) != nil {
			return
		}
		if err := again.Parse(m.Append(nil)); err != nil {
			t.Fatalf("Parse(Append(%+v)) = %v", m, err)
		}
		if diff := cmp.Diff(m, again, sameIDs); diff != "" {
			t.Fatalf("what is read again is not the same (-first +second):\n%s", diff)
		}
	})
}

func event() *Message {
	id, _ := protocol.ParseSocketID("4548123456.3166671890")
	return &Message{
		Kind: Event, App: "app-id", Name: "private-room-4711", Except: id, Number: 1 << 20,
		Text: []byte(`{"event":"client-moved","channel":"private-room-4711","data":"` + strings.Repeat("x", 130) + `"}`),
	}
}

func BenchmarkAppend(b *testing.B) {
	m := event()
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = m.Append(buf[:0])
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkParse(b *testing.B) {
	first, second := event(), event()
	second.Name = "private-room-4712"
	texts := [][]byte{first.Append(nil), second.Append(nil)}
	var m Message
	b.SetBytes(int64(len(texts[0])))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := m.Parse(texts[i%2]); err != nil {
			b.Fatal(err)
		}
	}
}
