package webhook

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pusher/pusher-http-go/v5"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/hub"
)

// envelope is a client event on private-encrypted-foobar as the published example
// has it, and sealedKey the key that opens it.
func envelope() hub.News {
	n := clientEvent("private-encrypted-foobar", "")
	n.Data, _ = json.Marshal(`{"nonce":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","ciphertext":"GBYp1MB6bh0byfszpeaA+urPZkXUBA=="}`)
	return n
}

const sealedKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

// goReceiver answers as a backend does that uses pusher-http-go, with a key for
// encrypted channels or without: what the library refuses is a 400.
func goReceiver(masterKey string) func(int, arrival) int {
	return func(_ int, d arrival) int {
		client := pusher.Client{AppID: "1", Key: testKey, Secret: testSecret, EncryptionMasterKeyBase64: masterKey} // not for several goroutines
		if _, err := client.Webhook(d.header, d.body); err != nil {
			return http.StatusBadRequest
		}
		return http.StatusOK
	}
}

// taken are the events that a receiver has taken.
func (r *receiver) taken(answer func(int, arrival) int) []string {
	var list []string
	for _, d := range r.all() {
		if answer(0, d) == http.StatusOK {
			for _, e := range d.events {
				list = append(list, e.Name+" "+e.Channel)
			}
		}
	}
	return list
}

// Events of encrypted channels that have no data, which the official Go
// receiver can not read, take no others with them, whether it has a key or not.
func TestGoReceiverGetsAllThatItCanRead(t *testing.T) {
	for name, key := range map[string]string{"with a key": sealedKey, "without": ""} {
		t.Run(name, func(t *testing.T) {
			answer := goReceiver(key)
			onBench(t, Config{}, apps.Webhook{Batch: true}, func(b *bench) {
				r := b.receiver("a", answer)
				want := []string{}
				b.tell(apps.ChannelOccupied, "private-encrypted-foobar")
				for i := range 120 { // more than a batch
					channel := fmt.Sprint("private-", i)
					b.tell(apps.ChannelOccupied, channel)
					b.tell(apps.ChannelOccupied, fmt.Sprint("private-encrypted-", i))
					want = append(want, "channel_occupied "+channel)
				}
				b.Observe(b.app, envelope())
				pass(time.Second)
				got := r.taken(answer)
				slices.Sort(got)
				slices.Sort(want)
				if !slices.Equal(got, want) {
					b.Errorf("within a second it took %d events, want %d: %q", len(got), len(want), got)
				}
				pass(6 * time.Minute) // until the one before it is given up
				if got := slices.Contains(r.taken(answer), "client_event private-encrypted-foobar"); got != (key != "") {
					b.Errorf("it took the encrypted event: %v, want that with a key", got)
				}
			})
		})
	}
}

// Who can read everything gets the encrypted channels apart from the others,
// and those of their events that have no data one by one.
func TestEncryptedChannelsShareNoRequestWithOthers(t *testing.T) {
	onBench(t, Config{}, apps.Webhook{Batch: true}, func(b *bench) {
		r := b.receiver("a", nil)
		for i := range 3 {
			b.tell(apps.ChannelOccupied, fmt.Sprint("news-", i))
			b.tell(apps.SubscriptionCount, fmt.Sprint("private-encrypted-", i))
			b.Observe(b.app, clientEvent(fmt.Sprint("private-encrypted-a-", i), "x"))
			b.Observe(b.app, clientEvent(fmt.Sprint("private-encrypted-cache-a-", i), "x"))
		}
		pass(time.Second)
		var sizes []int
		for _, d := range r.all() {
			sizes = append(sizes, len(d.events))
			for _, e := range d.events {
				if e.Name != d.events[0].Name {
					b.Errorf("%q shares a request with %q", e, d.events[0])
				}
			}
		}
		slices.Sort(sizes)
		if want := []int{1, 1, 1, 3, 6}; !slices.Equal(sizes, want) {
			b.Errorf("requests have %v events, want %v", sizes, want)
		}
	})
}

// An event that is refused whatever comes with it holds up its own channel, and
// what happened at the same time comes within seconds.
func TestRefusedEventHoldsUpItsOwnChannelOnly(t *testing.T) {
	for name, status := range map[string]int{"bad request": 400, "internal error": 500} {
		t.Run(name, func(t *testing.T) {
			onBench(t, Config{}, apps.Webhook{Batch: true}, func(b *bench) {
				answer := func(_ int, d arrival) int {
					for _, e := range d.events {
						if e.Data == "poison" {
							return status
						}
					}
					return 200
				}
				r := b.receiver("a", answer)
				b.Observe(b.app, clientEvent("private-0", "poison"))
				for i := range 50 {
					b.Observe(b.app, clientEvent(fmt.Sprint("private-", i%10), fmt.Sprint(i)))
				}
				pass(10 * time.Second)
				if got := r.taken(answer); len(got) != 45 || slices.Contains(got, "client_event private-0") {
					b.Errorf("after ten seconds %d events were taken, want the 45 of the other channels: %q", len(got), got)
				}
				pass(6 * time.Minute)
				var own []any
				for _, d := range r.all() {
					if answer(0, d) == 200 && d.events[0].Channel == "private-0" {
						own = append(own, d.events[0].Data)
					}
				}
				if want := []any{"0", "10", "20", "30", "40"}; !slices.Equal(own, want) {
					b.Errorf("its own channel got %v afterwards, want %v", own, want)
				}
				if records, letters := b.memory.Left(); records != 0 || letters != 1 {
					b.Errorf("%d records are left and %d letters, want the one event put aside", records, letters)
				}
			})
		})
	}
}

// An endpoint that is down because of such events, and takes all others, gets
// those soon.
func TestRefusedEventsDoNotKeepAnEndpointDown(t *testing.T) {
	onBench(t, Config{}, apps.Webhook{}, func(b *bench) {
		r := b.receiver("a", func(_ int, d arrival) int {
			if d.events[0].Data == "poison" {
				return 400
			}
			return 200
		})
		for i := range 100 {
			b.Observe(b.app, clientEvent(fmt.Sprint("private-poison-", i), "poison"))
		}
		pass(20 * time.Second)
		fine := func() (n int) {
			for _, e := range r.events() {
				if e == "channel_occupied news" || e == "channel_occupied more" {
					n++
				}
			}
			return n
		}
		for i, channel := range []string{"news", "more"} {
			b.tell(apps.ChannelOccupied, channel)
			pass(time.Second)
			if fine() != i+1 {
				b.Errorf("%s was not told of within a second", channel)
			}
		}
	})
}

// An endpoint that is away gets what it gets in as few requests as before: a
// status of something in front of it says nothing of what is in the request.
func TestBatchesStayTogetherWhileAnEndpointIsAway(t *testing.T) {
	for _, status := range []int{408, 429, 502, 503, 504} {
		onBench(t, Config{}, apps.Webhook{Batch: true}, func(b *bench) {
			r := b.receiver("a", func(n int, _ arrival) int {
				if n <= 7 { // one more, and the waits may be longer than an event is kept for
					return status
				}
				return 200
			})
			for i := range 100 {
				b.tell(apps.CacheMiss, fmt.Sprint("cache-", i))
			}
			pass(10 * time.Minute)
			if all := r.all(); len(all) != 8 || len(all[7].events) != 100 {
				t.Errorf("after %d there were %d requests, want 8 with all events", status, len(all))
			}
			synctest.Wait()
		})
	}
}
