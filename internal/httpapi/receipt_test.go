package httpapi

import (
	"net/http"
	"testing"

	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/trace"
)

// TestAnswersNameTheEvents: a backend can say later which event it asks about.
func TestAnswersNameTheEvents(t *testing.T) {
	h := make(http.Header)
	acknowledge(h, hub.Receipt{ID: trace.ID{Node: "ABCDEFGHIJKLMNOP", Number: 41}, Events: 2, Here: 3, Elsewhere: 1})
	if got, want := h.Get(headerEventID), "ABCDEFGHIJKLMNOP-41, ABCDEFGHIJKLMNOP-42"; got != want {
		t.Errorf("%s: %q, want %q", headerEventID, got, want)
	}
	if got, want := h.Get(headerReceivers), "here=3, elsewhere=1"; got != want {
		t.Errorf("%s: %q, want %q", headerReceivers, got, want)
	}
}
