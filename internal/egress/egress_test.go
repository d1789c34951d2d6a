package egress

import (
	"errors"
	"net/netip"
	"testing"
)

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
		if err := Permit(netip.MustParseAddr(text), nil); !errors.Is(err, ErrForbidden) {
			t.Errorf("Permit(%s) = %v, want it forbidden", text, err)
		}
	}
	allowed := []string{"8.8.8.8", "1.1.1.1", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.1", "169.253.0.1", "192.167.0.1",
		"2606:4700::1111", "2a00:1450::1", "64:ff9b::808:808", "2002:808:808::1", "::ffff:8.8.8.8"}
	for _, text := range allowed {
		if err := Permit(netip.MustParseAddr(text), nil); err != nil {
			t.Errorf("Permit(%s) = %v, want it allowed", text, err)
		}
	}
	ours := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for text, want := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "64:ff9b::a01:203": true, "192.168.0.1": false, "127.0.0.1": false} {
		if got := Permit(netip.MustParseAddr(text), ours) == nil; got != want {
			t.Errorf("Permit(%s) with %v = %t, want %t", text, ours, got, want)
		}
	}
}

func TestProxiesOfTheEnvironmentAreNotUsed(t *testing.T) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, "http://127.0.0.1:1")
	}
	if proxy := NewTransport(Config{}).Proxy; proxy != nil {
		t.Error("there is a proxy")
	}
}
