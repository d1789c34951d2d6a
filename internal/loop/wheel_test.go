package loop

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// An alarm is an entry of a wheel in a test.
type alarm struct {
	deadline
	fire  func()
	fired int
}

func (a *alarm) expired() {
	a.fired++
	if a.fire != nil {
		a.fire()
	}
}

func newAlarms(many int) []*alarm {
	alarms := make([]*alarm, many)
	for i := range alarms {
		alarms[i] = new(alarm)
		alarms[i].owner = alarms[i]
	}
	return alarms
}

// A naive wheel is what a wheel promises: each alarm and its time, in a map.
type naive map[*alarm]time.Time

// check holds a wheel that was just advanced to now against the model, and
// takes from the model what has fired.
func (m naive) check(t *rapid.T, w *wheel, alarms []*alarm, now time.Time) {
	for i, a := range alarms {
		due, set := m[a]
		switch {
		case a.fired > 1:
			t.Fatalf("alarm %d fired %d times", i, a.fired)
		case a.fired == 1 && !set:
			t.Fatalf("alarm %d fired without being set", i)
		case a.fired == 1 && due.After(now):
			t.Fatalf("alarm %d fired %v early", i, due.Sub(now))
		case a.fired == 0 && set && now.After(due.Add(tick)):
			t.Fatalf("alarm %d has not fired %v after its time", i, now.Sub(due))
		}
		if a.fired > 0 {
			delete(m, a)
			a.fired = 0
		}
	}
	m.checkNext(t, w, now)
}

// checkNext checks that a loop which sleeps until w.next misses nothing.
func (m naive) checkNext(t *rapid.T, w *wheel, now time.Time) {
	next := w.next()
	if next.IsZero() != (len(m) == 0) {
		t.Fatalf("next() = %v with %d alarms set", next, len(m))
	}
	for _, due := range m {
		if latest := due.Add(tick); next.After(latest) && next.After(now.Add(tick)) {
			t.Fatalf("next() = %v, after the alarm at %v", next, due)
		}
	}
}

// farthest is more than two turns of the wheel.
const farthest = 5 * slots * tick / 2

func TestWheelFiresInTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := time.Unix(1e9, 0).Add(time.Duration(rapid.IntRange(0, 1e9).Draw(t, "start")))
		w := new(wheel)
		w.start(start)
		now, model, alarms := start, naive{}, newAlarms(8)
		pick := func(t *rapid.T) *alarm { return rapid.SampledFrom(alarms).Draw(t, "alarm") }
		in := func(t *rapid.T, most time.Duration) time.Duration {
			return time.Duration(rapid.Int64Range(-int64(tick), int64(most)).Draw(t, "in"))
		}
		set := func(a *alarm, at time.Time) {
			w.set(&a.deadline, at)
			if at.Before(now) {
				at = now // it can not fire before it is set
			}
			model[a] = at
		}
		advance := func(t *rapid.T, by time.Duration) {
			now = now.Add(max(by, 0))
			w.advance(now)
			model.check(t, w, alarms, now)
		}
		t.Repeat(map[string]func(*rapid.T){
			"set near": func(t *rapid.T) { set(pick(t), now.Add(in(t, 3*tick))) },
			"set":      func(t *rapid.T) { set(pick(t), now.Add(in(t, slots*tick))) },
			"set far":  func(t *rapid.T) { set(pick(t), now.Add(in(t, farthest))) },
			"set on a tick": func(t *rapid.T) {
				set(pick(t), start.Add(now.Sub(start).Truncate(tick)+in(t, slots*tick).Truncate(tick)))
			},
			"set together": func(t *rapid.T) {
				at := now.Add(in(t, farthest))
				for _, a := range alarms[:4] {
					set(a, at)
				}
			},
			"clear": func(t *rapid.T) {
				a := pick(t)
				w.clear(&a.deadline)
				delete(model, a)
			},
			"advance a little": func(t *rapid.T) { advance(t, in(t, 2*tick)) },
			"advance":          func(t *rapid.T) { advance(t, in(t, slots*tick/2)) },
			"advance far":      func(t *rapid.T) { advance(t, in(t, farthest)) },
			"advance to next": func(t *rapid.T) {
				if next := w.next(); !next.IsZero() {
					advance(t, next.Sub(now))
				}
			},
		})
	})
}

// A loop that sleeps until next fires everything in time, and an alarm that
// sets itself again while it fires is one of many.
func TestWheelOfAlarmsThatSetThemselves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := time.Unix(1e9, 0)
		w := new(wheel)
		w.start(start)
		now, alarms := start, newAlarms(rapid.IntRange(1, 5).Draw(t, "alarms"))
		due := make([]time.Time, len(alarms))
		for i, a := range alarms {
			every := time.Duration(rapid.Int64Range(1, int64(2*slots*tick)).Draw(t, "every"))
			other := rapid.IntRange(0, len(alarms)-1).Draw(t, "other")
			moves := rapid.Bool().Draw(t, "moves the other")
			again := func(i int, at time.Time) {
				due[i] = at
				w.set(&alarms[i].deadline, at)
			}
			a.fire = func() {
				if now.Before(due[i]) || now.After(due[i].Add(tick)) {
					t.Fatalf("alarm %d fired at %v, want %v", i, now.Sub(start), due[i].Sub(start))
				}
				again(i, now.Add(every))
				if moves && due[other].After(now) {
					again(other, now.Add(every/2))
				}
			}
			again(i, now.Add(every))
		}
		for range 200 {
			next := w.next()
			if next.IsZero() {
				t.Fatal("next() = 0 though alarms are set")
			}
			if next.After(now) {
				now = next
			}
			w.advance(now)
		}
	})
}

func TestWheelForgetsWhatIsCleared(t *testing.T) {
	w := new(wheel)
	now := time.Unix(1e9, 0)
	w.start(now)
	if next := w.next(); !next.IsZero() {
		t.Errorf("next() of an empty wheel = %v, want none", next)
	}
	a := newAlarms(3)
	at := now.Add(time.Second)
	for i := range a {
		w.set(&a[i].deadline, at)
	}
	a[2].fire = func() { w.clear(&a[0].deadline); w.clear(&a[1].deadline); w.clear(&a[2].deadline) }
	a[0].fire = func() { w.clear(&a[1].deadline); w.clear(&a[2].deadline) }
	w.advance(at.Add(tick))
	if got := a[0].fired + a[1].fired + a[2].fired; got != 1 {
		t.Errorf("%d alarms fired though the first cleared the others, want 1", got)
	}
	if next := w.next(); !next.IsZero() {
		t.Errorf("next() = %v, want none", next)
	}
	w.clear(&a[0].deadline) // clearing again is nothing
	w.advance(at.Add(time.Hour))
}

// After a sleep of the machine all that is due fires at once, and the wheel
// does not run through every tick of the sleep.
func TestWheelAfterALongPause(t *testing.T) {
	const year = 365 * 24 * time.Hour
	w := new(wheel)
	now := time.Unix(1e9, 0)
	w.start(now)
	a := newAlarms(2)
	w.set(&a[0].deadline, now.Add(time.Second))
	w.set(&a[1].deadline, now.Add(290*year))
	now = now.Add(250 * year)
	w.advance(now)
	if a[0].fired != 1 || a[1].fired != 0 {
		t.Errorf("after 250 years the alarms fired %d and %d times, want 1 and 0", a[0].fired, a[1].fired)
	}
	w.advance(now.Add(-time.Hour)) // a clock that goes back fires nothing
	w.set(&a[0].deadline, now.Add(tick))
	w.advance(now.Add(2 * tick))
	if a[0].fired != 2 {
		t.Errorf("an alarm after the pause fired %d times, want 1", a[0].fired-1)
	}
}

func BenchmarkWheelSet(b *testing.B) {
	b.ReportAllocs()
	w := new(wheel)
	now := time.Unix(1e9, 0)
	w.start(now)
	alarms := newAlarms(10_000)
	for i := 0; b.Loop(); i++ {
		w.set(&alarms[i%len(alarms)].deadline, now.Add(time.Duration(i%2400)*tick))
	}
}

// counter counts how often its deadline has passed.
type counter struct {
	deadline
	n int
}

func (c *counter) expired() { c.n++ }

// However many wait in a slot for a later turn of the wheel, those that are
// due are told, each once.
func TestSlotWithManyOfSeveralTurns(t *testing.T) {
	var w wheel
	zero := time.Now()
	w.start(zero)
	const each = 2000
	var all [3][each]counter
	for turn := range all {
		for i := range all[turn] {
			c := &all[turn][i]
			c.owner = c
			w.set(&c.deadline, zero.Add(time.Duration(7+turn*slots)*tick))
		}
	}
	for turn := range all {
		w.advance(zero.Add(time.Duration(7+turn*slots) * tick))
		for later := range all {
			want := 0
			if later <= turn {
				want = 1
			}
			for i := range all[later] {
				if got := all[later][i].n; got != want {
					t.Fatalf("after turn %d, a deadline of turn %d has fired %d times, want %d", turn, later, got, want)
				}
			}
		}
	}
	if next := w.next(); !next.IsZero() {
		t.Errorf("next() of the empty wheel = %v, want zero", next)
	}
}
