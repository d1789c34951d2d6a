package conformance

import (
	"net/http"
	"testing"
)

// TestDraining checks what a node does for others while it sends its clients
// away: there are enough of them for that to take its time.
func TestDraining(t *testing.T) {
	t.Parallel()
	s := target.private(t, draining)
	a := s.app(draining)
	var conns []*conn
	for range 300 {
		conns = append(conns, a.connect(t))
	}
	if err := s.terminate(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "readiness is 503", func() bool {
		status, _ := get(t, "http://"+s.adminAddr+"/readyz")
		return status == http.StatusServiceUnavailable
	})
	a.refused(t, dialing{}, 4200)
	for _, c := range conns {
		if got, want := c.ended(4200), "Please reconnect immediately"; got != want {
			t.Errorf("message = %q, want %q", got, want)
		}
	}
	if err := s.awaitExit(); err != nil {
		t.Error(err)
	}
}
