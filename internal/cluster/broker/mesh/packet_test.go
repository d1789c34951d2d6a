package mesh

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/node"
)

func TestBeatSurvivesTheRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[ -~äöü]{0,20}`)
		want := beat{
			id: node.NewID(), leaving: rapid.Bool().Draw(t, "leaving"),
			name: rapid.StringMatching(`[a-z0-9.-]{1,30}`).Draw(t, "name"),
			info: rapid.MapOfN(text, text, 0, 10).Draw(t, "info"),
		}
		typ, from, rest, ok := parsePrefix(appendBeat(nil, &want))
		got := beat{id: from}
		if !ok || typ != typeBeat || !got.parse(rest) {
			t.Fatalf("%+v can not be read", want)
		}
		if got.id != want.id || got.leaving != want.leaving || got.name != want.name || !maps.Equal(got.info, want.info) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

func TestHeaderSurvivesTheRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64Min(1)
		want := header{epoch: n.Draw(t, "epoch"), number: n.Draw(t, "number"), ackEpoch: n.Draw(t, "ackEpoch"), ack: n.Draw(t, "ack"),
			ask: rapid.Bool().Draw(t, "ask"), lost: rapid.Bool().Draw(t, "lost"), again: rapid.Bool().Draw(t, "again")}
		want.base = rapid.Uint64Range(1, want.number).Draw(t, "base")
		id, b := node.NewID(), make([]byte, headerLen+3)
		want.put(b, typeBatch, id)
		typ, from, rest, ok := parsePrefix(b)
		var got header
		if rest, ok2 := got.parse(rest, typ); !ok || !ok2 || typ != typeBatch || from != id || got != want || len(rest) != 3 {
			t.Fatalf("got %+v of %s, want %+v of %s", got, from, want, id)
		}
	})
}

func TestConfigIsChecked(t *testing.T) {
	id := node.NewID()
	tests := map[string]struct {
		cfg  Config
		want string // in the error; empty: none
	}{
		"good":               {Config{ID: id, Name: "a", Info: map[string]string{"version": "1.2"}}, ""},
		"no id":              {Config{Name: "a"}, "id of a node"},
		"no name":            {Config{ID: id}, "short text"},
		"long name":          {Config{ID: id, Name: strings.Repeat("a", 256)}, "short text"},
		"name of two lines":  {Config{ID: id, Name: "a\nb"}, "short text"},
		"name without UTF-8": {Config{ID: id, Name: "\xff"}, "short text"},
		"much info":          {Config{ID: id, Name: "a", Info: map[string]string{"k": strings.Repeat("v", 5000)}}, "too much info"},
		"negative lease":     {Config{ID: id, Name: "a", Lease: -1}, "negative"},
	}
	for name, test := range tests {
		_, err := New(test.cfg, new(nowhere))
		switch {
		case test.want == "" && err != nil, test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: New = %v, want an error with %q", name, err, test.want)
		}
	}
}

// TestWhateverComesIsRefused: what no node sends changes nothing.
func TestWhateverComesIsRefused(t *testing.T) {
	m, w := newUnstarted(t, Config{})
	there := node.NewID()
	m.handleAll(beatOf(there), batchOf(there, 1, 1, 1))
	good, next := beatOf(node.NewID()), batchOf(there, 1, 2, 2)
	change := func(b []byte, at int, to byte) []byte {
		b = slices.Clone(b)
		b[at] = to
		return b
	}
	packets := map[string][]byte{
		"nothing":              {},
		"text":                 []byte("hello"),
		"another magic number": change(good, 0, 0),
		"another version":      change(good, 1, version+1),
		"another type":         change(good, 2, 9),
		"an id that is none":   change(good, 3, 'a'),
		"unknown flags":        change(good, prefixLen, 2),
		"no name":              change(good, prefixLen+1, 0),
		"a long name":          change(good, prefixLen+1, 250),
		"a name with control":  change(good, prefixLen+2, '\n'),
		"a name without UTF-8": change(good, prefixLen+2, 0xff),
		"too many pairs":       change(good, len(good)-1, 200),
		"missing pairs":        change(good, len(good)-1, 1),
		"a tail":               append(slices.Clone(good), 0),
		"half a header":        next[:headerLen-1],
		"unknown batch flags":  change(next, prefixLen, 8),
		"a base beyond it":     batchFrom(there, 3, 1, 2, 2),
		"base zero":            batchFrom(there, 0, 1, 2, 2),
		"number zero":          batchOf(there, 1, 0, 2),
		"epoch zero":           batchOf(there, 0, 2, 2),
		"a short pulse":        change(next, 2, byte(typePulse))[:headerLen+20],
	}
	for name, p := range packets {
		before := valueOf(t, m.counts.refused)
		m.handleAll(p)
		if got := valueOf(t, m.counts.refused) - before; got != 1 {
			t.Errorf("%s: refused %v times, want once", name, got)
		}
	}
	if len(w.joined) != 1 || len(w.got) != 1 || w.lost != 0 {
		t.Errorf("joined %d, got %d, lost %d; want 1, 1, 0", len(w.joined), len(w.got), w.lost)
	}
	m.handleAll(next)
	if !slices.Equal(w.got, []uint64{1, 2}) || w.lost != 0 {
		t.Errorf("then got %v and %d losses, want 1, 2 and none", w.got, w.lost)
	}
}

// TestMalformedMessageIsALoss: it cost a message, so the receiver hears of it.
func TestMalformedMessageIsALoss(t *testing.T) {
	for name, spoil := range map[string]func(b []byte) []byte{
		"kind":   func(b []byte) []byte { b[headerLen+lengthLen] = 99; return b },
		"length": func(b []byte) []byte { b[headerLen] = 0xff; return b },
		"cut":    func(b []byte) []byte { return b[:len(b)-1] },
		"tail":   func(b []byte) []byte { return append(b, 1) },
	} {
		m, w := newUnstarted(t, Config{})
		there := node.NewID()
		m.handleAll(beatOf(there), spoil(batchOf(there, 1, 1, 1)), batchOf(there, 1, 2, 2))
		if w.lost != 1 || len(w.got) == 0 || w.got[len(w.got)-1] != 2 {
			t.Errorf("%s: got %v and %d losses, want one and then 2", name, w.got, w.lost)
		}
	}
}

func TestThereIsALimitToPeers(t *testing.T) {
	m, w := newUnstarted(t, Config{})
	for range 3 * broker.MaxPeers {
		m.handleAll(beatOf(node.NewID()))
	}
	if len(w.joined) != broker.MaxPeers || len(m.Peers()) != broker.MaxPeers {
		t.Errorf("%d have joined and %d are there, want %d", len(w.joined), len(m.Peers()), broker.MaxPeers)
	}
}

func TestOwnBeatsAreNoPeer(t *testing.T) {
	m, w := newUnstarted(t, Config{})
	m.handleAll(m.beat, batchOf(m.cfg.ID, 1, 1, 1))
	if len(w.joined) != 0 || len(w.got) != 0 {
		t.Error("a node is its own peer")
	}
}

// FuzzHandle: whatever comes, nothing breaks, and the next good packet is
// understood.
func FuzzHandle(f *testing.F) {
	there := node.ID("AAAAAAAAAAAAAAAA")
	for _, p := range [][]byte{beatOf(there), batchOf(there, 1, 1, 1, 2, 3), batchOf(there, 2, 9)} {
		f.Add(p)
	}
	p := make([]byte, headerLen, pulseLen)
	(&header{epoch: 1, number: 1, base: 1, ask: true, again: true}).put(p, typePulse, there)
	f.Add((&pulse{1, 2, 3}).append(p))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, w := newUnstarted(t, Config{})
		m.handleAll(beatOf(there), b, slices.Clone(b))
		for range 2 {
			m.handleAll(batchFrom(there, ^uint64(0)-1, ^uint64(0), ^uint64(0)-1, 7), batchFrom(there, ^uint64(0)-1, ^uint64(0), ^uint64(0), 8))
		}
		if n := len(w.got); n < 2 && !bytes.Contains(b, []byte(there)) {
			t.Fatalf("got %v after it, want 7 and 8", w.got)
		}
		for _, p := range m.Peers() {
			if !p.ID.Valid() || !validText(p.Name, maxName) || p.Name == "" {
				t.Fatalf("peer %q named %q", p.ID, p.Name)
			}
		}
		for m.pass(false) {
			continue
		}
	})
}
