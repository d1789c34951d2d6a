package delivery

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/egress"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// A name that leads to a forbidden address is refused when it is dialed, so
// that it does not help to change where it leads.
func TestForbiddenAddressIsNotDialed(t *testing.T) {
	reached := false
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	p := Policy{}.withDefaults()
	for _, host := range []string{"127.0.0.1", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "127.1"} {
		o := post(context.Background(), &p, &apps.Webhook{URL: "http://" + host + ":" + port}, []byte("{}"), http.Header{})
		if o.err == nil || o.cause != egress.Forbidden && o.cause != egress.DNS {
			t.Errorf("post to %s = %d, %v (%s), want it forbidden", host, o.status, o.err, o.cause)
		}
	}
	if reached {
		t.Error("a request went out")
	}
	p = Policy{AllowedNetworks: loopback}.withDefaults()
	if o := post(context.Background(), &p, &apps.Webhook{URL: server.URL}, []byte("{}"), http.Header{}); o.err != nil || !reached {
		t.Errorf("post with the network allowed = %v", o.err)
	}
	p.Transport.(*http.Transport).CloseIdleConnections()
}

func TestAnswersAreBounded(t *testing.T) {
	endless := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	}
	trickle := func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	silent := func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // else the server does not notice that the client has gone
		<-r.Context().Done()
	}
	header := func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", string(make([]byte, 1<<20))) }
	tests := map[string]struct {
		h    http.HandlerFunc
		want egress.Cause
	}{
		"a body without an end":  {endless, causeNone}, // it was said to be taken
		"a body that never ends": {trickle, causeNone},
		"no answer":              {silent, egress.Timeout},
		"a header of a megabyte": {header, egress.Connection},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(tt.h)
			defer server.Close()
			p := Policy{AllowedNetworks: loopback, Timeout: 200 * time.Millisecond}.withDefaults()
			defer p.Transport.(*http.Transport).CloseIdleConnections()
			o := post(context.Background(), &p, &apps.Webhook{URL: server.URL}, []byte("{}"), http.Header{})
			if o.cause != tt.want {
				t.Errorf("post = %v (%q), want %q", o.err, o.cause, tt.want)
			}
			if o.took > 30*time.Second {
				t.Errorf("it took %v", o.took)
			}
		})
	}
}
