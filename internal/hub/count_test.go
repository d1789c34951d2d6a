package hub

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/protocol"
)

func counting(a *apps.App) { a.SubscriptionCount = true }

func TestCountIsToldToAllAfterEachChange(t *testing.T) {
	n := newTestNode(t, counting)
	a, b := n.connect(), n.connect()
	a.subscribe("news")
	a.expect(succeeded("news"), count("news", 1))
	b.subscribe("news")
	a.expect(count("news", 2))
	b.expect(succeeded("news"), count("news", 2))
	b.unsubscribe("news")
	a.expect(count("news", 1))
	b.expect()
	b.subscribe("cache-x")
	b.expect(succeeded("cache-x"), miss("cache-x"), count("cache-x", 1))
	b.session.End(Ending{})
	a.session.End(Ending{})
	n.expectNothing()
}

func TestCountIsNotToldWhereItDoesNotBelong(t *testing.T) {
	n := newTestNode(t, counting)
	a, b := n.connect(), n.connect()
	a.join("presence-r", `{"user_id":"1"}`)
	a.join("presence-cache-r", `{"user_id":"1"}`)
	b.join("presence-r", `{"user_id":"1"}`)
	b.session.End(Ending{})
	a.signIn(`{"id":"1"}`)
	a.subscribe("#server-to-user-1")
	a.expect(snapshot("presence-r", "1"), snapshot("presence-cache-r", "1"), miss("presence-cache-r"),
		`pusher:signin_success {"user_data":"{\"id\":\"1\"}"}`, succeeded("#server-to-user-1"))
	off := newNode(t)
	c := off.connect()
	c.subscribe("news")
	c.expect(succeeded("news"))
}

// crowd is a channel with some early subscribers, of which one is returned.
func crowd(n *testNode, size int) (early *client, others []*client) {
	early = n.connect()
	early.subscribe("news")
	for range size - 1 {
		c := n.connect()
		c.subscribe("news")
		others = append(others, c)
	}
	early.read()
	return early, others
}

func TestCountIsThrottledAboveOneHundred(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNode(t, counting)
		early, _ := crowd(n, 100)
		step := func(wait time.Duration, subscribe int, want ...string) {
			t.Helper()
			time.Sleep(wait)
			synctest.Wait()
			for range subscribe {
				n.connect().subscribe("news")
			}
			early.expect(want...)
		}
		step(0, 1) // at once, but the last was told in this instant
		step(protocol.CountInterval-1, 19)
		step(1, 0, count("news", 120))
		step(protocol.CountInterval-1, 1)
		step(1, 1, count("news", 121))
		step(2*protocol.CountInterval, 0, count("news", 122)) // the last value is told, and only once
		step(time.Minute, 1, count("news", 123))              // nothing was told for long
		step(protocol.CountInterval, 0)                       // and nothing changed since
	})
}

func TestCountThrottleEndsAtOneHundred(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNode(t, counting)
		early, others := crowd(n, 102)
		time.Sleep(protocol.CountInterval)
		synctest.Wait()
		early.expect(count("news", 102))
		others[0].session.End(Ending{}) // 101: waits
		early.expect()
		others[1].session.End(Ending{}) // 100: at once, and the one that was owed is not
		early.expect(count("news", 100))
		time.Sleep(2 * protocol.CountInterval)
		synctest.Wait()
		early.expect()
	})
}

// The count that is owed does not come when all have left, nor to those who
// come later to a channel of the same name.
func TestCountIsNotToldWhenAllHaveLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, channel := range []string{"news", "cache-x"} {
			n := newTestNode(t, counting)
			n.trigger("cache-x", "e", "")
			var all []*client
			for range 110 {
				c := n.connect()
				c.subscribe(channel)
				all = append(all, c)
			}
			for _, c := range all {
				c.session.End(Ending{})
			}
			n.loops.run()
			late := n.connect()
			late.subscribe(channel)
			if got := late.read(); got[len(got)-1] != count(channel, 1) {
				t.Errorf("%s: the first of the next got %q, want count 1", channel, got)
			}
			time.Sleep(2 * protocol.CountInterval)
			synctest.Wait()
			late.expect()
			late.session.End(Ending{})
			n.expectNothing()
		}
	})
}

func TestCountIsOwedAtTheCloseOfTheHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNode(t, counting)
		early, _ := crowd(n, 150)
		n.hub.stopTimers() // as Close does
		time.Sleep(2 * protocol.CountInterval)
		synctest.Wait()
		early.expect()
	})
}

func (h *Hub) stopTimers() { h.eachTenant(func(t *tenant) { t.stopTimers() }) }

// What an early subscriber of a busy channel is told never comes faster than
// it may, and ends with the truth.
func TestCountIsRightInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNode(t, counting)
		early, others := crowd(n, 130)
		time.Sleep(protocol.CountInterval)
		synctest.Wait()
		early.read()
		size, told := 130, 0
		for i := range 200 {
			if i%3 == 0 {
				n.connect().subscribe("news")
				size++
			} else if len(others) > 101 {
				others[0].session.End(Ending{})
				others = others[1:]
				size--
			}
			time.Sleep(137 * time.Millisecond)
			synctest.Wait()
			told += len(early.read())
		}
		if most := int(200*137*time.Millisecond/protocol.CountInterval) + 1; told == 0 || told > most {
			t.Errorf("the count was told %d times, want 1 to %d", told, most)
		}
		n.connect().subscribe("news")
		time.Sleep(protocol.CountInterval)
		synctest.Wait()
		if got := early.read(); len(got) == 0 || got[len(got)-1] != count("news", size+1) {
			t.Errorf("the early subscriber was told %q at last, want %d", fmt.Sprint(got), size+1)
		}
	})
}

// A timer that has fired, but is overtaken by a change that tells the count
// itself, must not take the place of the timer after it.
func TestCountTimerThatComesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNode(t, counting)
		early, _ := crowd(n, 110)
		tn := n.hub.tenant(n.app)
		sh := tn.shard("news")
		sh.mu.Lock()
		ch := sh.channels["news"]
		time.Sleep(time.Until(ch.count.last.Add(protocol.CountInterval))) // the timer has fired, and waits for the lock
		tn.countChangedLocked(sh, ch, true)                               // tells
		tn.countChangedLocked(sh, ch, true)                               // owes the next
		sh.mu.Unlock()
		synctest.Wait()
		early.expect(count("news", 110))
		time.Sleep(protocol.CountInterval)
		synctest.Wait()
		early.expect(count("news", 110))
	})
}

// TestJavaClientIsNotSentWhatItDecrypts has the official Java client on an
// encrypted channel, where it takes every event for ciphertext.
func TestJavaClientIsNotSentWhatItDecrypts(t *testing.T) {
	n := newTestNode(t, counting)
	r := request("key")
	r.Query = url.Values{"client": {"java-client"}, "protocol": {"5"}, "version": {"2.4.4"}}
	java, refused := n.dial(r)
	if refused != nil {
		t.Fatal(refused)
	}
	java.read()
	other := n.connect()
	for _, channel := range []string{"private-encrypted-x", "private-encrypted-cache-x", "private-x", "news"} {
		java.subscribe(channel)
		other.subscribe(channel)
		want := []string{succeeded(channel)}
		if protocol.KindOf(channel).Cache() {
			want = append(want, miss(channel))
		}
		others := append(slices.Clone(want), count(channel, 2))
		if !protocol.KindOf(channel).Encrypted() {
			want = append(want, count(channel, 1), count(channel, 2))
		}
		java.expect(want...)
		other.expect(others...)
	}
	n.trigger("private-encrypted-x", "e", "ciphertext")
	java.expect(`e @private-encrypted-x ciphertext`)
	other.read()

	for channel, shown := range map[string]bool{"private-encrypted-y": false, "private-y": true, "private-encrypted-ä": false} {
		for c, listens := range map[*client]bool{java: shown, other: true} {
			c.receive(`{"event":"pusher:subscribe","data":{"channel":%s,"auth":"key:bad"}}`, quote(channel))
			got := c.read()
			if listens := map[bool]int{false: 1, true: 2}[listens]; len(got) != listens || !strings.HasPrefix(got[0], "pusher:error ") {
				t.Errorf("refused on %s: %q, want %d frames, the first an error", channel, got, listens)
			}
		}
	}
}
