package apps

import (
	"math/bits"
	"testing"
)

// Every event has one row, and both ways from it to its name agree.
func TestEveryWebhookEventHasARow(t *testing.T) {
	if got, want := len(webhookEvents), bits.OnesCount16(uint16(EveryEvent)); got != want {
		t.Errorf("%d rows, want one for each of %d events", got, want)
	}
	for i, row := range webhookEvents {
		if row.event != 1<<i || WebhookEvent(row.name) != row.event || row.event.Name() != row.name {
			t.Errorf("row %d is of %b, named %q and %q", i, row.event, row.name, row.event.Name())
		}
	}
	for _, none := range []string{"", "presence", "subscription_counts"} {
		if got := WebhookEvent(none); got != 0 {
			t.Errorf("WebhookEvent(%q) = %b, want none", none, got)
		}
	}
	if got := (ChannelOccupied | ChannelVacated).Name(); got != "" {
		t.Errorf("the name of two events = %q, want none", got)
	}
	if got := eventsNamed("presence"); got != MemberStates {
		t.Errorf("presence is %b, want %b", got, MemberStates)
	}
}
