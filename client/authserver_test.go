package client_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry/client"
)

// An authServer is the authorization endpoint of an application, over
// connections in memory. Left alone, it authorizes everything.
type authServer struct {
	// answer answers the nth request, from 1, unless it returns false.
	answer func(n int, w http.ResponseWriter, r *http.Request) bool

	l *memListener

	mu       sync.Mutex
	requests []authRequest
	at       []time.Time
	running  int
	most     int // requests at a time
}

type authRequest struct {
	form   url.Values
	header http.Header
	ended  error // of the request's context, when the answer was given
}

// startAuth starts an endpoint that ends with the test.
func startAuth(t testing.TB, answer func(n int, w http.ResponseWriter, r *http.Request) bool) *authServer {
	a := &authServer{answer: answer, l: newMemListener()}
	s := &http.Server{Handler: a, ErrorLog: log.New(io.Discard, "", 0)}
	go s.Serve(a.l)
	t.Cleanup(func() { s.Close() })
	return a
}

func (a *authServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	publish()
	r.ParseForm()
	a.mu.Lock()
	a.requests = append(a.requests, authRequest{form: r.PostForm, header: r.Header})
	a.at = append(a.at, time.Now())
	n := len(a.requests)
	a.running++
	a.most = max(a.most, a.running)
	a.mu.Unlock()
	if a.answer == nil || !a.answer(n, w, r) {
		granted(w, r)
	}
	a.mu.Lock()
	a.running--
	a.requests[n-1].ended = r.Context().Err()
	a.mu.Unlock()
}

// granted is the usual answer.
func granted(w http.ResponseWriter, r *http.Request) {
	socket := r.PostForm.Get("socket_id")
	if !r.PostForm.Has("channel_name") {
		fmt.Fprintf(w, `{"auth":"key:%s","user_data":"{\"id\":\"ann\"}"}`, socket)
		return
	}
	fmt.Fprintf(w, `{"auth":"key:%s","channel_data":"{\"user_id\":\"ann\"}"}`, socket)
}

// auth is an HTTPAuth that asks this endpoint.
func (a *authServer) auth() *client.HTTPAuth {
	return &client.HTTPAuth{Endpoint: "http://app.test/pusher/auth?x=1", Client: a.http()}
}

func (a *authServer) http() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return a.l.dial(ctx) },
	}}
}

// count is how many requests there were.
func (a *authServer) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.requests)
}

// refuse answers with a status.
func refuse(status int) func(int, http.ResponseWriter, *http.Request) bool {
	return func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, "no", status)
		return true
	}
}

// withAuth makes a client whose private channels are authorized by a.
func withAuth(a *authServer, change ...func(*client.Config)) func(*client.Config) {
	return func(cfg *client.Config) {
		cfg.ChannelAuthorizer = a.auth()
		for _, c := range change {
			c(cfg)
		}
	}
}
