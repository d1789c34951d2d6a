package delivery

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

func TestPermit(t *testing.T) {
	forbidden := []string{
		"0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.255",
		"192.0.0.8", "192.0.2.1", "192.168.0.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255",
		"240.0.0.1", "255.255.255.255", "168.63.129.16",
		"::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::7f00:1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1",
		"64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::1", "2002:c0a8:1::", "2001:db8::1", "2001::1", "100::1",
		"::ffff:0:127.0.0.1",
	}
	for _, text := range forbidden {
		if err := permit(netip.MustParseAddr(text), nil); !errors.Is(err, errForbidden) {
			t.Errorf("permit(%s) = %v, want it forbidden", text, err)
		}
	}
	allowed := []string{"8.8.8.8", "1.1.1.1", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.1", "169.253.0.1", "192.167.0.1",
		"2606:4700::1111", "2a00:1450::1", "64:ff9b::808:808", "2002:808:808::1", "::ffff:8.8.8.8"}
	for _, text := range allowed {
		if err := permit(netip.MustParseAddr(text), nil); err != nil {
			t.Errorf("permit(%s) = %v, want it allowed", text, err)
		}
	}
	ours := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for text, want := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "64:ff9b::a01:203": true, "192.168.0.1": false, "127.0.0.1": false} {
		if got := permit(netip.MustParseAddr(text), ours) == nil; got != want {
			t.Errorf("permit(%s) with %v = %t, want %t", text, ours, got, want)
		}
	}
}

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
		if o.err == nil || o.cause != causeForbidden && o.cause != causeDNS {
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

func TestProxiesOfTheEnvironmentAreNotUsed(t *testing.T) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, "http://127.0.0.1:1")
	}
	if proxy := newTransport(Policy{}.withDefaults()).Proxy; proxy != nil {
		t.Error("there is a proxy")
	}
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
		want cause
	}{
		"a body without an end":  {endless, causeNone}, // it was said to be taken
		"a body that never ends": {trickle, causeNone},
		"no answer":              {silent, causeTimeout},
		"a header of a megabyte": {header, causeConnection},
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
