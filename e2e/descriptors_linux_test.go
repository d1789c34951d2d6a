package e2e

import (
	"net"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

// A node that has no descriptors left goes on serving those it has, says what
// is wrong, and takes new clients when there is room again.
func TestRunsOutOfDescriptors(t *testing.T) {
	s := service.Start(t, service.Config{})
	first := dialWire(t, s)
	s.LimitDescriptors(10)
	var crowd []net.Conn
	for range 50 { // the kernel takes them all; the service can not accept the last
		c, err := net.Dial("tcp", s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		crowd = append(crowd, c)
	}
	for _, channel := range []string{"a", "b", "c"} {
		first.subscribe(channel, "")
	}
	for _, c := range crowd {
		c.Close()
	}
	second := dialWire(t, s)
	second.subscribe("a", "")
	s.Stop()
	if log := s.Log(); !strings.Contains(log, "too many open files") {
		t.Errorf("the log does not say what was wrong:\n%s", log)
	}
}
