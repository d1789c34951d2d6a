package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/protocol"
)

// The request is what the protocol's own functions make of it.
func TestRequestIsSigned(t *testing.T) {
	e := &endpoint{host: "h:1", prefix: "/p", appID: "a b", key: "k&1", secret: "s"}
	b := newBackend(e)
	for _, body := range []string{"", `{"x":1}`} { // twice, because the signer is kept
		b.build("/events", []byte(body), time.Unix(1700000000, 0))
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b.request)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r.Body)
		if err != nil || string(got) != body || r.Method != "POST" || r.Host != "h:1" || r.URL.EscapedPath() != "/p/apps/a%20b/events" {
			t.Errorf("request = %s %s to %s with %q, %v", r.Method, r.URL.EscapedPath(), r.Host, got, err)
		}
		var params []protocol.Param
		for key, values := range r.URL.Query() {
			params = append(params, protocol.Param{Key: key, Value: values[0]})
		}
		text := protocol.RequestText(r.Method, r.URL.EscapedPath(), params)
		if q := r.URL.Query(); !protocol.VerifySignature("s", text, q.Get("auth_signature")) || q.Get("auth_key") != "k&1" || q.Get("auth_timestamp") != "1700000000" {
			t.Errorf("the query %v is not signed as\n%s", q, text)
		}
		if sum := md5.Sum([]byte(body)); r.URL.Query().Get("body_md5") != hex.EncodeToString(sum[:]) {
			t.Errorf("body_md5 = %s", r.URL.Query().Get("body_md5"))
		}
	}
}

// A backend keeps its connection while it can, and makes a new one when it
// can not.
func TestBackendReconnects(t *testing.T) {
	var connections []string
	answers := []func(w http.ResponseWriter){
		func(w http.ResponseWriter) { io.WriteString(w, "{}") },
		func(w http.ResponseWriter) { io.WriteString(w, "{}") },
		func(w http.ResponseWriter) {
			http.Error(w, strings.Repeat("busy ", 100), http.StatusServiceUnavailable)
		},
		func(w http.ResponseWriter) { panic(http.ErrAbortHandler) },
		func(w http.ResponseWriter) { w.Header().Set("Connection", "close"); io.WriteString(w, "{}") },
		func(w http.ResponseWriter) { io.WriteString(w, "{}") },
	}
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		connections = append(connections, r.RemoteAddr)
		answers[len(connections)-1](w)
	}))
	defer site.Close()
	b := newBackend(&endpoint{addr: netip.MustParseAddrPort(site.Listener.Addr().String()), host: "h"})
	defer b.close()
	var got []string
	for range answers {
		err := b.post(t.Context(), "/events", nil)
		switch _, status := err.(*statusError); {
		case err == nil:
			got = append(got, "ok")
		case status:
			got = append(got, err.Error()[:len("the service answered 503")])
		default:
			got = append(got, "broken")
		}
	}
	if want := "ok, ok, the service answered 503, broken, ok, ok"; strings.Join(got, ", ") != want {
		t.Errorf("answers = %s, want %s", strings.Join(got, ", "), want)
	}
	var fresh []int // requests on a connection of their own
	for i := 1; i < len(connections); i++ {
		if connections[i] != connections[i-1] {
			fresh = append(fresh, i)
		}
	}
	if len(fresh) != 3 || fresh[0] != 3 || fresh[1] != 4 || fresh[2] != 5 {
		t.Errorf("new connections for the requests %v, want 3, 4 and 5", fresh)
	}
}

// A request that is not answered ends with its context.
func TestBackendGivesUp(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	site := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-release
	}))
	defer site.Close()
	defer close(release)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { <-arrived; cancel() }()
	b := newBackend(&endpoint{addr: netip.MustParseAddrPort(site.Listener.Addr().String()), host: "h"})
	defer b.close()
	if err := b.post(ctx, "/events", nil); err == nil {
		t.Error("post = nil, want an error")
	}
}
