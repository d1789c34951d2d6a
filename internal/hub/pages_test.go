package hub

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/internal/history"
	"github.com/belfryhq/belfry/internal/history/recall"
)

// reading is a page, or why there is none.
type reading struct {
	history.Page
	reason history.Reason
	err    error
}

// readHistory reads a page by way of a node, while the nodes of the mesh answer.
func (m *mesh) readHistory(i int, q history.Query) (r reading) {
	n := m.nodes[i]
	done := make(chan struct{})
	go func() {
		r.Page, r.reason, r.err = n.hub.History(n.t.(*testing.T).Context(), n.app, "news", q)
		close(done)
	}()
	for {
		synctest.Wait()
		select {
		case <-done:
			return r
		default:
		}
		m.settle()
		select {
		case <-done:
			return r
		case <-time.After(recall.Wait):
		}
	}
}

// data are what the events of a page say.
func (r reading) data(t *testing.T) (list []string) {
	t.Helper()
	for _, e := range r.Events {
		var m struct{ Data string }
		if err := json.Unmarshal(e.Frame.Message(), &m); err != nil {
			t.Fatal(err)
		}
		list = append(list, m.Data)
	}
	return list
}

// Any node reads the history of a channel that others have published on, also one
// that has nobody on it.
func TestHistoryIsReadByWayOfAnyNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := keepingMesh(t, 3)
		m.nodes[0].triggerNumbers("news", 1, 3)
		m.nodes[1].triggerNumbers("news", 4, 6)
		m.settle()
		var got []string
		q := history.Query{Limit: 2}
		for range 3 {
			page := m.readHistory(2, q)
			if page.err != nil || page.reason != history.Complete || len(page.Events) != 2 || page.More != (len(got) < 4) {
				t.Fatalf("page = %+v after %q, want two events", page, got)
			}
			got = append(got, page.data(t)...)
			q.After, q.GoingOn = page.Position, true
		}
		slices.Sort(got)
		if want := numbers(1, 6); !slices.Equal(got, want) {
			t.Errorf("events = %q, want %q", got, want)
		}
		m.nodes[1].triggerNumbers("news", 7, 7)
		if page := m.readHistory(0, q); page.err != nil || !slices.Equal(page.data(t), numbers(7, 7)) {
			t.Errorf("page by way of another node = %q, %v, want 7", page.data(t), page.err)
		}
		if page := m.readHistory(2, history.Query{Limit: 10, Backwards: true}); page.err != nil || len(page.Events) != 7 || page.data(t)[0] != "7" {
			t.Errorf("backwards = %q, %v, want seven events and 7 first", page.data(t), page.err)
		}
		m.part(0, 1)
		m.part(0, 2)
		if page := m.readHistory(2, history.Query{Limit: 10}); page.err != nil || len(page.Events) != 7 {
			t.Errorf("when the node is gone: %q, %v, want what the others know", page.data(t), page.err)
		}
		m.silence(1)
		if page := m.readHistory(2, history.Query{Limit: 10}); !errors.Is(page.err, ErrSilentPeers) {
			t.Errorf("while a node is silent: %+v, want ErrSilentPeers", page)
		}
		m.nodes[1].app.History.Enabled = false
		if page := m.readHistory(1, q); !errors.Is(page.err, ErrNoHistory) {
			t.Errorf("without a history: %+v, want ErrNoHistory", page)
		}
	})
}
