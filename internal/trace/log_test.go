package trace

import (
	"slices"
	"testing"
)

// A list keeps the records that it gets.
type list struct {
	got   []Kind
	tally *Tally
}

func (l *list) Trace(r Record) *Tally {
	l.got = append(l.got, r.Kind)
	return l.tally
}

func TestLogTellsThoseWhoWant(t *testing.T) {
	var logs Logs
	log := logs.App("1")
	if log.Wants(APIMessage) != Nothing {
		t.Error("somebody wants events, and nobody reads")
	}
	always, some := &list{tally: new(Tally)}, &list{}
	logs.Attach(always, Interest{Kinds: KindsOf(APIMessage, Connected)})
	logs.Watch("1", some, Interest{Kinds: KindsOf(APIMessage, CacheMiss), Data: true})
	for k, want := range map[Kind]Want{APIMessage: Data, Connected: Data, CacheMiss: Data, Error: Nothing} {
		if got := log.Wants(k); got != want {
			t.Errorf("Wants(%v) = %d, want %d", k, got, want)
		}
	}
	if log.Trace(Record{Kind: APIMessage}) != always.tally {
		t.Error("the tally of one of the sinks is not returned")
	}
	for _, k := range []Kind{Connected, CacheMiss, Error} {
		log.Trace(Record{Kind: k})
	}
	logs.App("2").Trace(Record{Kind: Connected})
	logs.Unwatch("1", some)
	log.Trace(Record{Kind: APIMessage})
	if want := []Kind{APIMessage, Connected, Connected, APIMessage}; !slices.Equal(always.got, want) {
		t.Errorf("who reads all apps got %v, want %v", always.got, want)
	}
	if want := []Kind{APIMessage, CacheMiss}; !slices.Equal(some.got, want) {
		t.Errorf("who watched one app got %v, want %v", some.got, want)
	}
}

func TestNobodyReadsANilLog(t *testing.T) {
	var logs *Logs
	log := logs.App("1")
	if log.Wants(APIMessage) != Nothing || log.Trace(Record{}) != nil {
		t.Error("a nil log is read")
	}
	new(Tally).Add(1)
	(*Tally)(nil).Add(1)
}

func TestKindsHaveNames(t *testing.T) {
	for k := range kindCount {
		if got, ok := ParseKind(k.String()); !ok || got != k {
			t.Errorf("ParseKind(%q) = %v, %t, want %d", k, got, ok, k)
		}
	}
	if n := len(AllKinds.Names()); n != 21 {
		t.Errorf("%d kinds are shown, want the 14 of the hosted service and 7 more", n)
	}
}

func TestEventIDsAreReadAsTheyAreWritten(t *testing.T) {
	id := ID{"ABCDEFGHIJKLMNOP", 42}
	if got, ok := ParseID(id.String()); !ok || got != id {
		t.Errorf("ParseID(%q) = %v, %t", id, got, ok)
	}
	for _, text := range []string{"", "-", "ABCDEFGHIJKLMNOP", "ABCDEFGHIJKLMNOP-", "ABCDEFGHIJKLMNOP-0", "ABCDEFGHIJKLMNOP-007", "abc-1", "ABCDEFGHIJKLMNOP-1-2"} {
		if id, ok := ParseID(text); ok {
			t.Errorf("ParseID(%q) = %v", text, id)
		}
	}
}
