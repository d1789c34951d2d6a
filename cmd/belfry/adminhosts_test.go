package main

import (
	"net/http"
	"testing"
)

// hostStatus asks an administration port under a name.
func hostStatus(t *testing.T, admin, path, host string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+admin+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host, request.Close = host, true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

// A page elsewhere can make its own name point to this machine.
func TestAdminPortOfServeAnswersToItsNamesOnly(t *testing.T) {
	_, _, admin := startServe(t, t.TempDir(), "--admin-hosts=belfry.internal,*.svc")
	expectHosts(t, admin, map[string]bool{"belfry.internal:6002": true, "a.svc": true, "svc": false})
}

// expectHosts asks under names that are always told apart, and under more.
func expectHosts(t *testing.T, admin string, more map[string]bool) {
	t.Helper()
	hosts := map[string]bool{admin: true, "localhost:6002": true, "127.0.0.1": true, "[::1]:6002": true, "evil.example": false, "evil.example:6002": false}
	for host, known := range more {
		hosts[host] = known
	}
	for host, known := range hosts {
		for path, status := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 200} {
			if got := hostStatus(t, admin, path, host); got != status {
				t.Errorf("GET %s with Host: %s = %d, want %d", path, host, got, status)
			}
		}
		for path, status := range map[string]int{"/": 200, "/openapi.yaml": 200, "/api/v1/cluster": 401, "/api/v1/apps": 401} {
			if !known {
				status = http.StatusForbidden
			}
			if got := hostStatus(t, admin, path, host); got != status {
				t.Errorf("GET %s with Host: %s = %d, want %d", path, host, got, status)
			}
		}
	}
}
