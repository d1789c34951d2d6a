package devices

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/internal/push/notification"
)

// A model is what an index should say, as plainly as it can be written.
type model map[key]*record

func (m model) audience(of notification.Audience) (ids []string) {
	for k, r := range m {
		if slices.Contains(of.Users, r.User) && r.User != "" || slices.ContainsFunc(of.Interests, func(i string) bool { _, ok := r.has(i); return ok }) {
			ids = append(ids, k.String())
		}
	}
	slices.Sort(ids)
	return ids
}

// put is what index.putLocked does.
func (m model) put(k key, r *record) {
	for other, have := range m {
		if other == k || pack(have.Platform, have.Token) != pack(r.Platform, r.Token) {
			continue
		}
		if have.Confirmed > r.Confirmed || have.Confirmed == r.Confirmed && bytes.Compare(other[:], k[:]) > 0 {
			delete(m, k)
			return
		}
		delete(m, other)
	}
	m[k] = r
}

func TestIndexSaysWhatTheBucketSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, m := newIndex(app), model{}
		x.loading = rapid.Bool().Draw(t, "loading at first")
		keys := make([]key, 8)
		for i := range keys {
			keys[i] = nativeKey(app, fmt.Sprint(i))
		}
		names := []string{"a", "b", "c", "d"}
		some := rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, 4, rapid.ID[string])
		for revision := range uint64(rapid.IntRange(1, 60).Draw(t, "changes")) {
			revision++
			k := rapid.SampledFrom(keys).Draw(t, "device")
			if rapid.IntRange(0, 4).Draw(t, "removed") == 0 {
				x.endLocked(k, revision)
				delete(m, k)
				continue
			}
			r := &record{
				API: notification.Beams, Platform: notification.FCM, Token: rapid.SampledFrom(names).Draw(t, "token"),
				User: rapid.SampledFrom([]string{"", "jane", "joe"}).Draw(t, "user"), Interests: some.Draw(t, "interests"),
				Confirmed: rapid.Int64Range(0, 3).Draw(t, "confirmed"),
			}
			slices.Sort(r.Interests)
			x.putLocked(k, r, 100, revision, 1)
			m.put(k, r)
			if rapid.Bool().Draw(t, "told again") {
				x.putLocked(k, &record{Platform: notification.APNs, Token: "late"}, 1, revision, 1)
			}
		}
		x.sort()
		of := notification.Audience{Interests: some.Draw(t, "audience"), Users: rapid.SampledFrom([][]string{nil, {"jane"}, {"jane", "joe"}}).Draw(t, "users")}
		want, got := m.audience(of), []string(nil)
		limit := rapid.IntRange(1, 9).Draw(t, "page")
		for after := (*key)(nil); ; {
			page := x.page(of, after, limit)
			for _, d := range page {
				got = append(got, d.ID)
			}
			if len(page) < limit {
				break
			}
			k, _ := parseKey(page[len(page)-1].ID)
			after = &k
		}
		if !slices.Equal(got, want) || x.count(of) != len(want) {
			t.Fatalf("of %v: pages have %v, count is %d, want %v", of, got, x.count(of), want)
		}
		if len(x.byID) != len(m) || len(x.byToken) != len(m) || x.bytes != int64(100*len(m)) || len(x.slots)-len(x.free) != len(m) {
			t.Fatalf("there are %d devices, %d tokens, %d bytes, want %d devices", len(x.byID), len(x.byToken), x.bytes, len(m))
		}
		for _, g := range slices.Collect(maps.Values(x.interests)) {
			if len(g.members) == 0 {
				t.Fatalf("the interest %s has nobody and is there", g.name)
			}
		}
	})
}

func TestKeysAreOrderedAsTheirIDs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) key {
			k := key(rapid.SliceOfN(rapid.Byte(), 17, 17).Draw(t, name))
			k[0] %= byte(len(kinds))
			return k
		}
		a, b := draw("a"), draw("b")
		if got, want := bytes.Compare(a[:], b[:]), bytes.Compare([]byte(a.String()), []byte(b.String())); got != want {
			t.Fatalf("%s and %s compare as %d, want %d", a, b, got, want)
		}
		if back, ok := parseKey(a.String()); !ok || back != a {
			t.Fatalf("parseKey(%s) = %s, %v", a, back, ok)
		}
	})
}

// FuzzParseKey: what is read as an id is written like it.
func FuzzParseKey(f *testing.F) {
	f.Add(nativeKey(app, "x").String())
	f.Add("web-00000000-0000-0000-0000-00000000000")
	f.Fuzz(func(t *testing.T, id string) {
		if k, ok := parseKey(id); ok && k.String() != id {
			t.Errorf("%q is read as %s", id, k)
		}
	})
}

// FuzzDecode: what the bucket has does no harm, whatever it is.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"api":"native","platform":"apns","token":"00ff","interests":["a","b"],"created":1,"confirmed":2}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := decode(text)
		if err != nil {
			return
		}
		x := newIndex(app)
		x.putLocked(nativeKey(app, "x"), r, len(text), 1, 1)
		if d := x.list(nil, 1); len(d) != 1 || d[0].Token != r.Token {
			t.Errorf("%q becomes %v", text, d)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	r := someone(1).fresh(time.Unix(1e9, 0))
	r.Interests = []string{"donuts"}
	text, err := r.encode()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decode(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPage(b *testing.B) {
	x := newIndex(app)
	for i := range 20_000 {
		r := someone(i).fresh(time.Unix(1e9, 0))
		r.Interests = []string{"donuts", fmt.Sprint("topic-", i%10)}
		x.putLocked(newKey(byte(i%4), time.Unix(int64(i), 0)), r, 500, uint64(i+1), 1)
	}
	after := x.list(nil, 10_000)[9_999].ID
	k, _ := parseKey(after)
	of := notification.Audience{Interests: []string{"donuts", "topic-3", "topic-4", "nothing"}}
	b.ReportAllocs()
	for b.Loop() {
		x.page(of, &k, 500)
	}
}
