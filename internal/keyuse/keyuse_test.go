package keyuse

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestUsesOfTheLastHourAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := New(nil)
		for range 5 {
			table.Note(time.Now(), "1", "old", Request, "pusher-http-go 5")
			table.Note(time.Now(), "1", "new", Request, "pusher-http-go 5")
			time.Sleep(30 * time.Minute)
		}
		table.Note(time.Now(), "1", "old", Connection, "js 8.4")
		uses := table.Uses("1", "old")
		if len(uses) != 2 || uses[0].Kind != Connection || uses[0].Hour != 1 || uses[1].Hour != 1 || time.Since(uses[1].Last) != 30*time.Minute {
			t.Errorf("uses = %+v", uses)
		}
		time.Sleep(20 * time.Minute)
		for range 3 {
			table.Note(time.Now(), "1", "new", Request, "pusher-http-go 5")
		}
		if got := table.Uses("1", "new")[0].Hour; got != 4 { // one of them 50 minutes ago
			t.Errorf("%d uses within the hour, want 4", got)
		}
		time.Sleep(24 * time.Hour)
		if u := table.Uses("1", "new")[0]; u.Hour != 0 || time.Since(u.Last) != 24*time.Hour {
			t.Errorf("after a day: %+v, want the last use and none in the last hour", u)
		}
		if got := table.Uses("1", "none"); got != nil {
			t.Errorf("uses of an unknown key: %v", got)
		}
	})
}

func TestManyUsersOfAKeyAreOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := New(nil)
		for i := range 100 {
			table.Note(time.Now(), "1", "k", Request, fmt.Sprint("agent ", i))
		}
		table.Note(time.Now(), "1", "k", Connection, "js")
		var other, all uint64
		for _, u := range table.Uses("1", "k") {
			if all += u.Hour; u.By == Other {
				other = u.Hour
			}
		}
		if other != 100-MaxUsers || all != 101 {
			t.Errorf("%d uses of others and %d in all, want %d and 101", other, all, 100-MaxUsers)
		}
		time.Sleep(2 * time.Hour)
		table.Note(time.Now(), "1", "k", Request, "agent new")
		if u := table.Uses("1", "k")[0]; u.By != "agent new" || u.Hour != 1 {
			t.Errorf("after those of before have gone: %+v, want the new one by its name", u)
		}
	})
}

func TestKeysThatAreForgottenLoseNoRequest(t *testing.T) {
	table := New(nil)
	const keys = MaxKeys + 500
	for i := range keys {
		table.Note(time.Now(), "1", fmt.Sprint("k", i), Request, fmt.Sprint("agent ", i))
	}
	if n := len(table.keys); n != MaxKeys {
		t.Errorf("%d keys are remembered, want %d", n, MaxKeys)
	}
	if n := table.rows.Load(); n > MaxRows {
		t.Errorf("%d users are remembered, want %d at most", n, MaxRows)
	}
	sum := uint64(0)
	for range 2 {
		table.TakeRequests(func(_ string, n uint64) { sum += n })
	}
	if sum != keys {
		t.Errorf("%d requests were told, want %d", sum, keys)
	}
}

func BenchmarkNote(b *testing.B) {
	table := New(nil)
	b.ReportAllocs()
	for b.Loop() {
		table.Note(time.Now(), "1", "key", Request, "pusher-http-go 5.1.1")
	}
}
