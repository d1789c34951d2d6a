package belfrytest

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/belfryhq/belfry/backend"
)

// authPath is where the authorization endpoints are.
const authPath = "/belfrytest/"

// ChannelAuthURL returns an endpoint that authorizes every subscription. On
// presence channels the member is the parameter "user" of the request, or
// "anonymous".
func (s *Server) ChannelAuthURL() string { return s.URL() + authPath + "channel" }

// UserAuthURL returns an endpoint that authenticates every connection as the
// parameter "user" of the request, or as "anonymous".
func (s *Server) UserAuthURL() string { return s.URL() + authPath + "user" }

// An AuthFault is what is wrong with the authorization endpoints. The zero
// AuthFault is nothing.
type AuthFault struct {
	Delay  time.Duration // before each answer; a negative one never answers
	Status int           // of each answer, instead of 200 and a token; 0: that
	Body   string        // of each answer with Status, which may be 200
}

// SetAuth makes the authorization endpoints slow, or fail, until the next call.
func (s *Server) SetAuth(f AuthFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.authing = f
}

// serveAuth prepares the endpoints.
func (s *Server) serveAuth(t testing.TB) {
	t.Helper()
	b, err := backend.New(s.BackendConfig())
	if err != nil {
		t.Fatalf("belfrytest: %v", err)
	}
	s.auth = http.NewServeMux()
	origins := backend.AllowOrigins("*")
	s.auth.Handle(authPath+"channel", s.faulty(b.ChannelAuthHandler(func(r *http.Request, _, _ string) (*backend.Member, error) {
		return &backend.Member{UserID: user(r), UserInfo: map[string]string{"name": user(r)}}, nil
	}, origins)))
	s.auth.Handle(authPath+"user", s.faulty(b.UserAuthHandler(func(r *http.Request, _ string) (*backend.UserData, error) {
		return &backend.UserData{ID: user(r), UserInfo: map[string]string{"name": user(r)}, Watchlist: r.Form["watch"]}, nil
	}, origins)))
}

// user is who the request is for.
func user(r *http.Request) string {
	if id := r.Form.Get("user"); id != "" {
		return id
	}
	return "anonymous"
}

// faulty has h answer unless there is a fault.
func (s *Server) faulty(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		f := s.authing
		s.mu.Unlock()
		if f.Delay != 0 && !takeBody(r) {
			return
		}
		if f.Delay < 0 {
			<-r.Context().Done()
			return
		}
		if !delay(r, f.Delay) {
			return
		}
		if f.Status != 0 {
			w.WriteHeader(f.Status)
			io.WriteString(w, f.Body)
			return
		}
		h.ServeHTTP(w, r)
	})
}
