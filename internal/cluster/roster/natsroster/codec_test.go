package natsroster

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/cluster/roster"
)

var anyIDs = []node.ID{"AAAAAAAAAAAAAAAA", "BBBBBBBBBBBBBBBB", "CCCCCCCCCCCCCCCC"}

// anyBatch returns a batch that makes some sense or none.
func anyBatch(t *rapid.T) *batch {
	b := &batch{
		number: rapid.Uint64Range(1, 9).Draw(t, "number"), told: rapid.Uint64Range(0, 1<<30).Draw(t, "told"),
		beat: rapid.Bool().Draw(t, "beat"), hello: rapid.Bool().Draw(t, "hello"), entries: []entry{},
	}
	if b.hello {
		b.name = rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "name")
		b.begin = founding(rapid.SampledFrom([]uint8{0, 1, 1, 1, 2}).Draw(t, "begin"))
	}
	keys := simKeys()
	for range rapid.IntRange(0, 5).Draw(t, "entries") {
		e := entry{kind: entryKind(rapid.Uint8Range(1, 7).Draw(t, "kind"))}
		switch e.kind {
		case entryDrop:
			e.id, e.seen = rapid.SampledFrom(anyIDs).Draw(t, "id"), rapid.Uint64Range(0, 30).Draw(t, "seen")
		case entryLeave:
		default:
			e.key = rapid.SampledFrom(keys).Draw(t, "key")
		}
		b.entries = append(b.entries, e)
	}
	return b
}

// anyLedger returns what any batches lead to. Most of them follow each other.
func anyLedger(t *rapid.T) *ledger {
	l := newLedger()
	l.maxUntold = rapid.IntRange(1, 20).Draw(t, "untold")
	for seq := range rapid.Uint64Range(0, 30).Draw(t, "batches") {
		id, b := rapid.SampledFrom(anyIDs).Draw(t, "author"), anyBatch(t)
		if x := l.byID[id]; rapid.IntRange(0, 9).Draw(t, "follows") > 0 {
			b.hello = x == nil
			if x != nil {
				b.number = x.number + 1
			}
		}
		l.apply(seq+1, id, b)
	}
	l.maxUntold = defaultUntold
	return l
}

func TestBatchRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := anyBatch(t)
		got, err := parseBatch(b.append(nil))
		if err != nil || !reflect.DeepEqual(got, b) {
			t.Fatalf("parseBatch() = %+v, %v, want %+v", got, err, b)
		}
	})
}

func TestKeyRoundTrip(t *testing.T) {
	long := strings.Repeat("ü", 1000)
	seen := make(map[key]roster.Subject)
	for _, app := range []string{"", "1", long} {
		for _, channel := range []string{"", "a", "\x00\x01", long} {
			for _, s := range []roster.Subject{
				{App: app, Channel: channel},
				{App: app, Channel: channel, Member: true},
				{App: app, Channel: channel, Member: true, User: "1"},
				{App: app, Channel: channel, Member: true, User: long},
			} {
				k := makeKey(s)
				if got, err := parse(k); err != nil || got != s {
					t.Errorf("parse(makeKey(%v)) = %v, %v", s, got, err)
				}
				if other, twice := seen[k]; twice {
					t.Errorf("%v and %v have one key", s, other)
				}
				seen[k] = s
				prefix, member := place(k)
				if channel, _ := place(makeKey(roster.Subject{App: s.App, Channel: s.Channel})); channel != prefix || member != s.Member {
					t.Errorf("place of %v = %q, %v", s, prefix, member)
				}
			}
		}
	}
}

func subject(user, channel string) roster.Subject {
	return roster.Subject{App: "1", Channel: channel, User: user, Member: user != ""}
}

// FuzzBatch: nothing that is in the log can harm who reads it.
func FuzzBatch(f *testing.F) {
	f.Add((&batch{hello: true, name: "a", number: 1, begin: foundAnew}).append(nil))
	f.Add((&batch{number: 2, beat: true, entries: []entry{
		{kind: entryAdd, key: makeKey(subject("", "a"))}, {kind: entryRemove, key: makeKey(subject("1", "a"))},
		{kind: entryDrop, id: anyIDs[0], seen: 5}, {kind: entryLeave},
	}}).append(nil))
	f.Add([]byte{1, 0, 1, 1, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := parseBatch(data)
		if err != nil {
			return
		}
		again, err := parseBatch(b.append(nil))
		if err != nil || !reflect.DeepEqual(b, again) {
			t.Fatalf("parseBatch(append(%+v)) = %+v, %v", b, again, err)
		}
		l := newLedger()
		l.apply(1, anyIDs[0], &batch{hello: true, number: 1, begin: foundEmpty})
		l.apply(2, anyIDs[1], &batch{hello: true, number: 1})
		l.apply(3, anyIDs[0], b)
		if _, err := parseSnapshot(l.snapshot(false)); err != nil {
			t.Fatalf("parseSnapshot() = %v", err)
		}
	})
}

// FuzzSnapshot: nothing that was kept can harm who reads it.
func FuzzSnapshot(f *testing.F) {
	l := newLedger()
	k := makeKey(subject("", "a"))
	l.apply(1, anyIDs[0], &batch{hello: true, name: "a", number: 1, begin: foundEmpty})
	l.apply(2, anyIDs[1], &batch{hello: true, name: "b", number: 1, entries: []entry{{kind: entryAdd, key: k}, {kind: entryRemove, key: k}}})
	l.apply(3, anyIDs[1], &batch{number: 2, entries: []entry{{kind: entryLeave}}})
	f.Add(l.snapshot(true))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := parseSnapshot(data)
		if err != nil {
			return
		}
		again, err := parseSnapshot(l.snapshot(true))
		if err != nil || !bytes.Equal(again.snapshot(true), l.snapshot(true)) {
			t.Fatalf("parseSnapshot(snapshot()) = %v", err)
		}
		for id := range l.byID {
			l.apply(l.seq+1, id, &batch{number: l.byID[id].number + 1, entries: []entry{{kind: entryLeave}}})
		}
	})
}

func TestMalformedKeys(t *testing.T) {
	for _, k := range []string{
		"", "\x00", "\x01a", "\x00\x00", "\x00\x00\x02", "\x00\x00\x00x", "\x05a\x00\x00", "\x80\x00\x00\x00",
		"\xff\xff\xff\xff\xff\xff", "\x00\x00\x01" + strings.Repeat("x", maxKey),
	} {
		if s, err := parse(k); err == nil {
			t.Errorf("parse(%q) = %v", k[:min(len(k), 20)], s)
		}
	}
}
