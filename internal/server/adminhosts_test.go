package server

import "testing"

func TestNamesOfTheAdminPort(t *testing.T) {
	for name, tt := range map[string]struct {
		cfg     Config
		yes, no []string
	}{
		"loopback": {Config{AdminListen: "127.0.0.1:6002"},
			[]string{"127.0.0.1:6002", "127.0.0.1", "localhost:6002", "LOCALHOST.", "[::1]:6002", "[::1]", "x.localhost:1", "127.0.0.2:9", "[::ffff:127.0.0.1]:6002"},
			[]string{"evil.example:6002", "10.0.0.1:6002", "", ":6002", "localhost.evil.example", "127.0.0.1.evil.example", "notlocalhost", "127.0.0.1@evil.example"}},
		"IPv6 loopback": {Config{AdminListen: "[::1]:0"}, []string{"[::1]:6002", "localhost"}, []string{"evil.example", "[2001:db8::1]:6002"}},
		"localhost":     {Config{AdminListen: "localhost:6002"}, []string{"localhost:6002", "127.0.0.1:6002"}, []string{"10.0.0.1:6002", "evil.example"}},
		"everywhere": {Config{AdminListen: "0.0.0.0:6002"},
			[]string{"10.0.0.1:6002", "203.0.113.7", "[2001:db8::1]:6002", "localhost:7"}, []string{"evil.example", "belfry:6002", ""}},
		"one address": {Config{AdminListen: "10.1.2.3:6002"}, []string{"10.1.2.3:6002", "127.0.0.1:6002", "192.0.2.1"}, []string{"evil.example"}},
		"a name":      {Config{AdminListen: "Ops.example:6002"}, []string{"ops.example:6002", "10.0.0.1"}, []string{"evil.example", "x.ops.example"}},
		"the setting": {Config{AdminListen: "127.0.0.1:6002", AdminHosts: []string{"belfry.internal", "*.belfry.svc", "10.0.0.9"}},
			[]string{"belfry.internal:6002", "BELFRY.internal", "belfry-0.belfry.svc:6002", "10.0.0.9:6002", "localhost"}, []string{"belfry.svc", "evil.example", "10.0.0.1"}},
		"all": {Config{AdminListen: "127.0.0.1:6002", AdminHosts: []string{"*"}}, []string{"evil.example", "10.0.0.1", ""}, nil},
		"names of nodes": {Config{AdminListen: "0.0.0.0:6002", Cluster: ClusterConfig{Name: "n1", Join: []string{"n2.internal:6003"}, Advertise: "n1.outside:6003"}},
			[]string{"n1:6002", "n2.internal:6002", "n1.outside"}, []string{"n3.internal:6002"}},
	} {
		hosts := tt.cfg.adminHosts()
		for _, host := range tt.yes {
			if !hosts(host) {
				t.Errorf("%s: %q is refused", name, host)
			}
		}
		for _, host := range tt.no {
			if hosts(host) {
				t.Errorf("%s: %q is answered", name, host)
			}
		}
	}
}
