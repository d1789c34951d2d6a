package service

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// given holds every port that FreePorts has returned, so that no two services
// of a run share one.
var given struct {
	sync.Mutex
	ports map[int]bool
}

func loopback(port int) string {
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// FreePorts returns n ports that nobody listens on. They are below those that
// systems give to outgoing connections, so that a port stays free while its
// service is being restarted.
func FreePorts(t testing.TB, n int) []int {
	t.Helper()
	given.Lock()
	defer given.Unlock()
	if given.ports == nil {
		given.ports = make(map[int]bool)
	}
	var ports []int
	for range 1000 {
		port := 20000 + rand.IntN(10000)
		if given.ports[port] || !free(port) {
			continue
		}
		given.ports[port] = true
		if ports = append(ports, port); len(ports) == n {
			return ports
		}
	}
	t.Fatalf("no %d free ports between 20000 and 30000", n)
	return nil
}

func free(port int) bool {
	l, err := net.Listen("tcp", loopback(port))
	if err != nil {
		return false
	}
	l.Close()
	return true
}
