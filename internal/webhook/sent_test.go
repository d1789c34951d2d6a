package webhook

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/webhook/sent"
	"github.com/belfryhq/belfry/protocol"
)

// remembered are the requests of the app, the oldest first.
func remembered(b *bench) []sent.Request {
	list, _ := b.History().List(sent.Filter{App: "1"}, 1000)
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
	return list
}

func testRequestsAreRemembered(t *testing.T) {
	hook := apps.Webhook{Headers: []apps.Header{{Name: "Authorization", Value: "Bearer hush"}}}
	onBench(t, Config{}, hook, func(b *bench) {
		r := b.receiver("a", failFirst(2))
		b.tell(apps.ChannelOccupied, "news")
		pass(time.Minute)
		all := remembered(b)
		if len(all) != 1 || all[0].State != sent.Delivered || all[0].Attempts != 3 {
			b.Fatalf("remembered: %+v, want one that was delivered at the third attempt", all)
		}
		got := all[0]
		if e := got.Events[0]; e.Name != "channel_occupied" || e.Channel != "news" || e.ID != r.all()[0].ids[0] {
			b.Errorf("its event is %+v", e)
		}
		if string(got.Body) != string(r.all()[0].body) {
			b.Errorf("its body is %s, and %s was sent", got.Body, r.all()[0].body)
		}
		first, last := got.Tries[0], got.Tries[2]
		if first.Status != 500 || first.Error != "status 500" || first.Cause != "status" || last.Status != 200 || last.Error != "" || last.Number != 3 {
			b.Errorf("its attempts are %+v", got.Tries)
		}
		for _, f := range got.Header {
			if f.Name == "Authorization" && (f.Value != "" || !f.Hidden) || strings.Contains(f.Value, "hush") {
				b.Errorf("a header that may be secret is told: %+v", f)
			}
			if f.Name == "X-Pusher-Signature" && !protocol.VerifyWebhook(testSecret, got.Body, f.Value) {
				b.Errorf("the signature that is told is not that of the body")
			}
		}
	})
}

func testWhatWasGivenUpIsRememberedSo(t *testing.T) {
	onBench(t, Config{}, apps.Webhook{}, func(b *bench) {
		b.receiver("a", always(500))
		b.tell(apps.ChannelOccupied, "news")
		pass(10 * time.Minute)
		if all := remembered(b); len(all) != 1 || all[0].State != sent.GivenUp || len(all[0].Tries) != all[0].Attempts {
			b.Errorf("remembered: %+v, want one that was given up", all)
		}
	})
}

func testRedeliveryHasTheIDsOfItsEvents(t *testing.T) {
	onBench(t, Config{}, apps.Webhook{}, func(b *bench) {
		r := b.receiver("a", nil)
		b.tell(apps.ChannelOccupied, "news")
		pass(10 * time.Minute)
		id := remembered(b)[0].ID
		trial, known := b.Redeliver(b.Context(), id)
		if !known || trial.Status != http.StatusOK || trial.Err != nil {
			b.Fatalf("redelivered: %+v, known %v", trial, known)
		}
		all := r.all()
		if len(all) != 2 || all[1].ids[0] != all[0].ids[0] || all[1].header.Get(headerAttempt) != "2" || all[1].events[0] != all[0].events[0] {
			b.Fatalf("the receiver got %+v", all)
		}
		if age := all[1].at.UnixMilli() - all[1].time; age != 0 {
			b.Errorf("what was sent again says that it is %d ms old, so receivers would refuse it", age)
		}
		if got := remembered(b)[0]; got.Attempts != 2 || !got.Tries[1].Manual || got.State != sent.Delivered {
			b.Errorf("remembered: %+v", got)
		}
		if _, known := b.Redeliver(b.Context(), "none"); known {
			b.Error("something that is not remembered was sent again")
		}
	})
}

func TestHistory(t *testing.T) {
	t.Run("requests are remembered", testRequestsAreRemembered)
	t.Run("what was given up is remembered so", testWhatWasGivenUpIsRememberedSo)
	t.Run("a redelivery has the ids of its events", testRedeliveryHasTheIDsOfItsEvents)
}
