package durable

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/history"
	"github.com/belfryhq/belfry/internal/natstest"
	"github.com/belfryhq/belfry/protocol"
)

// A place is where stores of several nodes write.
type place struct {
	t      testing.TB
	js     jetstream.JetStream
	refuse atomic.Bool // the engine takes nothing
}

func newPlace(t testing.TB) *place {
	return &place{t: t, js: natstest.JetStream(t)}
}

// store is that of a new node.
func (p *place) store() *Store {
	s := New(Config{Node: node.NewID(), JetStream: p.js, Open: func(ctx context.Context) (jetstream.Stream, error) {
		if p.refuse.Load() {
			return nil, errors.New("refused")
		}
		cfg := StreamConfig(jetstream.MemoryStorage)
		cfg.Storage = jetstream.MemoryStorage
		return p.js.CreateOrUpdateStream(ctx, cfg)
	}})
	p.t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

// event is the event of a publisher with that number; before is that of the one
// before it on the channel.
func event(channel string, number, before uint64) history.Record {
	return history.Record{Channel: channel, Event: history.Event{
		Mark: history.Mark{Number: number}, Before: before, At: time.Now(), Frame: textFrame(fmt.Appendf(nil, "event %d", number)),
	}}
}

// add adds an event and waits until it is written.
func (p *place) add(s *Store, app string, r history.Record) {
	p.t.Helper()
	if err := s.Await(context.Background(), app, s.Add(app, r, time.Minute)); err != nil {
		p.t.Fatal(err)
	}
}

// read is what a new node reads.
func (p *place) read(app string) []history.Former {
	p.t.Helper()
	list, err := p.store().Read(context.Background(), app, time.Minute, func(node.ID) bool { return false })
	if err != nil {
		p.t.Fatal(err)
	}
	return list
}

// one is what a new node reads if one has written.
func (p *place) one(app string) history.Former {
	p.t.Helper()
	list := p.read(app)
	if len(list) != 1 {
		p.t.Fatalf("%d publishers were read, want 1", len(list))
	}
	return list[0]
}

func numbersOf(past history.Past) (list []uint64) {
	for _, e := range past.Events {
		list = append(list, e.Number)
	}
	return list
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	p := newPlace(t)
	s := p.store()
	s.Begin("an app/1", 0)
	r := event("news", 1, 0)
	r.Except, _ = protocol.ParseSocketID("12.34")
	p.add(s, "an app/1", r)
	p.add(s, "an app/1", event("chat", 2, 0))
	p.add(s, "an app/1", event("news", 3, 1))
	p.add(s, "2", event("news", 1, 0))
	f := p.one("an app/1")
	news := f.Channels["news"]
	if !f.Whole || f.Base != 0 || f.Highest != 3 || f.Publisher != s.cfg.Node || news.Floor != 0 || news.Last != 3 || !slices.Equal(numbersOf(news), []uint64{1, 3}) {
		t.Errorf("Read = %+v", f)
	}
	got := news.Events[0]
	if string(got.Frame.Message()) != "event 1" || got.Except != r.Except || got.Publisher != s.cfg.Node || got.At.UnixMilli() != r.At.UnixMilli() {
		t.Errorf("the event is %+v", got)
	}
	if list := p.read("3"); list != nil {
		t.Errorf("Read of an app that has written nothing = %v", list)
	}
	if f := p.one("2"); f.Whole {
		t.Error("what never began is whole")
	}
	skipped, err := p.store().Read(context.Background(), "2", time.Minute, func(id node.ID) bool { return id == s.cfg.Node })
	if err != nil || skipped != nil {
		t.Errorf("Read of nobody = %v, %v", skipped, err)
	}
}

// While the engine takes nothing, whoever publishes is told so before, and what was
// published is written later.
func TestEngineThatTakesNothing(t *testing.T) {
	p := newPlace(t)
	p.refuse.Store(true)
	s := p.store()
	s.Begin("1", 0)
	ticket := s.Add("1", event("news", 1, 0), time.Minute)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Await(ctx, "1", ticket); !errors.Is(err, ErrNotKept) {
		t.Errorf("Await = %v, want %v", err, ErrNotKept)
	}
	for s.Ready("1") == nil {
		select {
		case <-t.Context().Done():
		case <-time.After(time.Millisecond):
		}
	}
	p.refuse.Store(false)
	if err := s.Await(context.Background(), "1", ticket); err != nil {
		t.Error(err)
	}
	if f := p.one("1"); !f.Whole || len(f.Channels["news"].Events) != 1 {
		t.Errorf("Read = %+v", f)
	}
}

// Events for which there is no room are not there, and what is before them is not
// believed.
func TestMissedEventsShow(t *testing.T) {
	p := newPlace(t)
	p.refuse.Store(true)
	s := p.store()
	s.Begin("1", 0)
	s.Add("1", event("quiet", 1, 0), time.Minute)
	n := uint64(2)
	for s.Add("1", event("news", n, n-1), time.Minute) != lost {
		n++
	}
	if s.Ready("1") == nil {
		t.Error("the store is ready although it is full")
	}
	if err := s.Await(context.Background(), "1", lost); !errors.Is(err, ErrNotKept) {
		t.Errorf("Await of an event that was not taken = %v", err)
	}
	p.refuse.Store(false)
	if err := s.drain(context.Background()); err != nil {
		t.Fatal(err)
	}
	p.add(s, "1", event("news", n+1, n))
	f := p.one("1")
	if f.Whole || len(f.Channels) != 1 || f.Channels["news"].Floor != n || !slices.Equal(numbersOf(f.Channels["news"]), []uint64{n + 1}) {
		t.Errorf("Read = whole %t, %d channels, %+v, want what came behind the gap", f.Whole, len(f.Channels), f.Channels["news"])
	}
}

func TestMarksSayHowFarAChannelIs(t *testing.T) {
	p := newPlace(t)
	s := p.store()
	p.add(s, "1", event("chat", 7, 5))
	s.Mark("1", "news", 4, time.Minute)
	s.Mark("1", "chat", 7, time.Minute)
	if err := s.drain(context.Background()); err != nil {
		t.Fatal(err)
	}
	f := p.one("1")
	if news := f.Channels["news"]; news.Floor != 4 || news.Last != 4 {
		t.Errorf("a channel with a mark is %+v", news)
	}
	if chat := f.Channels["chat"]; chat.Floor != 5 || len(chat.Events) != 1 {
		t.Errorf("a channel with an event and its mark is %+v", chat)
	}
}

// What was before another beginning, or was forgotten, does not count any more.
func TestBeginAndForget(t *testing.T) {
	p := newPlace(t)
	s := p.store()
	s.Begin("1", 0)
	p.add(s, "1", event("news", 5, 0))
	s.Begin("1", 3) // five is more
	p.add(s, "1", event("chat", 7, 0))
	f := p.one("1")
	if _, there := f.Channels["news"]; there || !f.Whole || f.Base != 5 {
		t.Errorf("Read after another beginning = %+v", f)
	}
	s.Forget("1")
	p.add(s, "1", event("news", 8, 5))
	if f := p.one("1"); f.Whole || f.Channels["news"].Floor != 5 || len(f.Channels) != 1 {
		t.Errorf("Read of what was forgotten = %+v", f)
	}
}

func TestOldAndLongEventsLeaveMarks(t *testing.T) {
	p := newPlace(t)
	s := p.store()
	old := event("news", 1, 0)
	old.At = time.Now().Add(-time.Hour)
	p.add(s, "1", old)
	p.add(s, "1", event("news", 2, 1))
	long := event("news", 3, 2)
	long.Frame = textFrame(make([]byte, maxEvent+1))
	p.add(s, "1", long)
	p.add(s, "1", event("news", 4, 3))
	if news := p.one("1").Channels["news"]; news.Floor != 3 || !slices.Equal(numbersOf(news), []uint64{4}) {
		t.Errorf("Read = %+v", news)
	}
}

// Messages that are written twice, as after an answer that was lost, count once.
func TestReaderTakesMessagesOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := reader{publisher: "P"}
		at := uint64(0)
		for i := range uint64(rapid.IntRange(1, 20).Draw(t, "messages")) {
			rec := event("news", at+1, at)
			at++
			m := appendRecord(header{life: 3, index: i + 1, begun: true}.append(nil), &rec)
			for range rapid.IntRange(1, 3).Draw(t, "times") {
				r.read(m)
			}
		}
		if f := r.former(); !f.Whole || f.Channels["news"].Floor != 0 || len(f.Channels["news"].Events) != int(at) {
			t.Errorf("%d events became %+v", at, f)
		}
	})
}

func FuzzDecode(f *testing.F) {
	r := event("news", 4, 3)
	r.Except, _ = protocol.ParseSocketID("1.2")
	mark := history.Record{Channel: strconv.Itoa(1), Event: history.Event{Mark: history.Mark{Number: 9}}}
	f.Add(appendRecord(appendRecord(header{1, 2, true, 3}.append(nil), &r), &mark))
	f.Add([]byte{})
	f.Add([]byte{version, 1, 1, 0, 0, kindEvent, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, data []byte) {
		h, list, err := decode(data)
		if err != nil {
			return
		}
		again := h.append(nil)
		for i := range list {
			again = appendRecord(again, &list[i])
		}
		h2, list2, err := decode(again)
		if err != nil || h2 != h || len(list2) != len(list) {
			t.Errorf("%x became %x, which reads as %+v, %d records, %v", data, again, h2, len(list2), err)
		}
	})
}
