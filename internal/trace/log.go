package trace

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Sink reads records. It is called under locks of whoever writes them, so it
// must not block, and not call them. It may keep the record.
type Sink interface {
	// Trace takes a record. For an event it may return where to count the
	// sockets that it is handed to; nil is nowhere.
	Trace(r Record) *Tally
}

// A Tally counts the sockets that an event was handed to. A nil Tally counts
// nothing.
type Tally struct{ n atomic.Uint32 }

// Add counts n more.
func (t *Tally) Add(n int) {
	if t != nil {
		t.n.Add(uint32(n))
	}
}

// Count is how many there are so far.
func (t *Tally) Count() int {
	if t == nil {
		return 0
	}
	return int(t.n.Load())
}

// A Want says how much somebody wants to know.
type Want uint8

// How much somebody may want to know.
const (
	Nothing Want = iota
	Facts        // records
	Data         // records, and the frames of events although nobody gets them
)

// Interest is what a sink wants to be told.
type Interest struct {
	Kinds Kinds
	Data  bool // also the frames of events that nobody gets
}

// A Log is where what happens to one app is written. Its methods are safe for
// concurrent use; a nil Log is one that nobody reads.
type Log struct {
	app     string
	readers atomic.Pointer[readers] // replaced as a whole; nil: nobody reads
}

// readers are the sinks of a log, and what all of them want together.
type readers struct {
	all  Interest
	list []reader
}

type reader struct {
	sink  Sink
	wants Interest
}

// Wants returns whether anybody wants records of that kind.
func (l *Log) Wants(k Kind) Want {
	if l == nil {
		return Nothing
	}
	rs := l.readers.Load()
	switch {
	case rs == nil || !rs.all.Kinds.Has(k):
		return Nothing
	case rs.all.Data:
		return Data
	}
	return Facts
}

// Trace hands a record to those who want it.
func (l *Log) Trace(r Record) (tally *Tally) {
	if l == nil {
		return nil
	}
	rs := l.readers.Load()
	if rs == nil || !rs.all.Kinds.Has(r.Kind) {
		return nil
	}
	r.App, r.At = l.app, time.Now().UnixNano()
	r.shorten()
	for i := range rs.list {
		if !rs.list[i].wants.Kinds.Has(r.Kind) {
			continue
		}
		if t := rs.list[i].sink.Trace(r); t != nil {
			tally = t
		}
	}
	return tally
}

// Logs are those of all apps of a node.
type Logs struct {
	apps sync.Map // id → *Log; as many as there are apps

	mu     sync.Mutex
	always []reader // of every log
}

// App returns the log of the app with that id, which there must be.
func (ls *Logs) App(id string) *Log {
	if ls == nil {
		return nil
	}
	if l, ok := ls.apps.Load(id); ok {
		return l.(*Log)
	}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	fresh := &Log{app: id}
	fresh.set(ls.always)
	l, _ := ls.apps.LoadOrStore(id, fresh)
	return l.(*Log)
}

// Forget lets go of the log of an app that is gone. Who reads it is told nothing
// more.
func (ls *Logs) Forget(id string) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.apps.Delete(id)
}

// Attach makes a sink read the log of every app, also of those to come.
func (ls *Logs) Attach(s Sink, wants Interest) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.always = append(ls.always, reader{s, wants})
	ls.apps.Range(func(_, l any) bool {
		l.(*Log).add(s, wants)
		return true
	})
}

// Watch makes a sink read the log of one app. Who reads it already wants from
// now on what is said here.
func (ls *Logs) Watch(app string, s Sink, wants Interest) {
	l := ls.App(app)
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l.remove(s)
	l.add(s, wants)
}

// Unwatch makes a sink read the log of one app no more. A record that is being
// written may still reach it.
func (ls *Logs) Unwatch(app string, s Sink) {
	l := ls.App(app)
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l.remove(s)
}

// add is called with the lock of the logs held.
func (l *Log) add(s Sink, wants Interest) {
	l.set(append(l.list(), reader{s, wants}))
}

// remove is the opposite of add.
func (l *Log) remove(s Sink) {
	l.set(slices.DeleteFunc(l.list(), func(r reader) bool { return r.sink == s }))
}

// list is a copy of those who read.
func (l *Log) list() []reader {
	if rs := l.readers.Load(); rs != nil {
		return slices.Clone(rs.list)
	}
	return nil
}

func (l *Log) set(list []reader) {
	rs := &readers{list: slices.Clone(list)}
	for _, r := range list {
		rs.all.Kinds |= r.wants.Kinds
		rs.all.Data = rs.all.Data || r.wants.Data
	}
	if rs.all.Kinds == 0 {
		rs = nil
	}
	l.readers.Store(rs)
}
