package belfrytest

import (
	"bytes"
	"io"
	"net/http"
	"time"
)

// relays are the WebSockets that are open.
func (s *Server) relays() []*relay {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*relay, 0, len(s.conns))
	for r := range s.conns {
		list = append(list, r)
	}
	return list
}

// Connections returns how many WebSockets are open.
func (s *Server) Connections() int { return len(s.relays()) }

// CloseConnections closes every WebSocket with a code, such as 4200, and
// returns how many there were. Clients may connect again.
func (s *Server) CloseConnections(code int, reason string) int {
	list := s.relays()
	for _, r := range list {
		r.close(code, reason)
	}
	return len(list)
}

// DropConnections breaks every WebSocket without a Close frame, as a network
// does, and returns how many there were.
func (s *Server) DropConnections() int {
	list := s.relays()
	for _, r := range list {
		r.drop()
	}
	return len(list)
}

// Freeze stops answering: WebSockets stay open, new ones too, but nothing
// passes in either direction until Thaw.
func (s *Server) Freeze() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.gate:
		s.gate = make(chan struct{})
	default: // frozen
	}
}

// Thaw lets everything pass again, what came since Freeze included.
func (s *Server) Thaw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.gate:
	default:
		close(s.gate)
	}
}

// Refuse makes the service refuse new WebSockets with a close code, such as
// 4100 or 4004, in the way that the protocol has for it. Code 0 accepts them
// again. Connections that are open stay.
func (s *Server) Refuse(code int, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusal = refusal{code: code, reason: reason}
}

// RefuseUpgrade makes the service answer requests for a WebSocket with an HTTP
// status, as a proxy does. Status 0 accepts them again.
func (s *Server) RefuseUpgrade(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusal = refusal{status: status, reason: http.StatusText(status)}
}

// An APIFault is what is wrong with the HTTP API. The zero APIFault is nothing.
type APIFault struct {
	Delay  time.Duration // before each answer
	Status int           // of each answer, instead of the service's; 0: that
	Body   string        // of each answer with Status
}

// SetAPI makes the HTTP API slow, or fail, until the next call.
func (s *Server) SetAPI(f APIFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.api = f
}

func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	f := s.api
	s.mu.Unlock()
	if f.Delay > 0 && !takeBody(r) || !delay(r, f.Delay) {
		return
	}
	if f.Status != 0 {
		http.Error(w, f.Body, f.Status)
		return
	}
	s.proxy.ServeHTTP(w, r)
}

// takeBody reads a request to its end, without which net/http does not notice
// that the client goes away.
func takeBody(r *http.Request) bool {
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	return err == nil
}

// delay waits, unless the client goes away before.
func delay(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}
