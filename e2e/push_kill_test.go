package e2e

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/e2e/service"
	"github.com/belfryhq/belfry/protocol"
)

// providers are the fakes of Apple, Google and a push service, in a process of their own.
type providers struct {
	t                           *testing.T
	Control, APNs, FCM, Web, CA string
	TeamID                      string `json:"team_id"`
	KeyID                       string `json:"key_id"`
	P8                          string `json:"p8"`
	ServiceAccount              string `json:"service_account"`
}

func startProviders(t *testing.T) *providers {
	t.Helper()
	program := filepath.Join(t.TempDir(), "providers")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../internal/push/pushtest/providers")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	cmd := exec.Command(program)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // which ends it
		_ = cmd.Wait()
	})
	p := &providers{t: t}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, p)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// apple tells how often each token was delivered to, and what was wrong with requests.
func (p *providers) apple() (counts map[string]int, wrong []string) {
	p.t.Helper()
	answer, err := http.Get(p.Control + "/apns")
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	var v struct {
		Counts map[string]int
		Errors []string
	}
	if err := json.NewDecoder(answer.Body).Decode(&v); err != nil {
		p.t.Fatal(err)
	}
	return v.Counts, v.Errors
}

// startWithPush starts a service whose app has push, and whose providers are the fakes.
func startWithPush(t *testing.T, p *providers) *service.Service {
	t.Helper()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, []byte(p.CA), 0o600); err != nil {
		t.Fatal(err)
	}
	quoted := func(text string) string {
		b, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	return service.Start(t, service.Config{
		Apps: fmt.Sprintf(`
  - id: "1"
    keys: [{key: app-key, secret: app-secret}]
    push:
      enabled: true
      apns_team_id: %s
      apns_key_id: %s
      apns_key: %s
      apns_topic: com.example
      apns_environment: production
`, p.TeamID, p.KeyID, quoted(p.P8)),
		Settings: fmt.Sprintf("push: {apns_url: %s, apns_sandbox_url: %s, ca_file: %s, allowed_networks: [127.0.0.0/8]}\n", p.APNs, p.APNs, quoted(ca)),
	})
}

// postJSON sends JSON to the client API of 2016, and returns the answer.
func postJSON(t *testing.T, method, url, body string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, text
}

// registerPhone registers a device of Apple, and subscribes it to an interest.
func registerPhone(t *testing.T, s *service.Service, token, interest string) {
	t.Helper()
	base := "http://" + s.Addr + "/client_api/v1/clients"
	var status int
	var text []byte
	for end := time.Now().Add(service.Patience); ; <-time.After(50 * time.Millisecond) {
		status, text = postJSON(t, http.MethodPost, base, `{"app_key":"app-key","platform_type":"apns","token":"`+token+`"}`)
		if status != http.StatusServiceUnavailable || time.Now().After(end) {
			break // or else the devices are not read yet
		}
	}
	var device struct{ ID string }
	if err := json.Unmarshal(text, &device); err != nil || status != http.StatusCreated {
		t.Fatalf("register: %d %s", status, text)
	}
	if status, text := postJSON(t, http.MethodPost, base+"/"+device.ID+"/interests/"+interest, `{"app_key":"app-key"}`); status != http.StatusNoContent {
		t.Fatalf("subscribe: %d %s", status, text)
	}
}

// TestKillLosesNoPublish: the process is killed as soon as a publish was answered. The next
// one delivers to every device.
func TestKillLosesNoPublish(t *testing.T) {
	t.Parallel()
	p := startProviders(t)
	s := startWithPush(t, p)
	const devices, publishes = 20, 5
	for i := range devices {
		registerPhone(t, s, fmt.Sprintf("%08x00", i), "donuts")
	}
	for i := range publishes {
		body := fmt.Sprintf(`{"interests":["donuts"],"apns":{"aps":{"alert":"%d"}}}`, i)
		status, text := publishSigned(t, s, body)
		if status != http.StatusAccepted || !bytes.Contains(text, []byte(fmt.Sprintf(`"number_of_subscribers":%d`, devices))) {
			t.Fatalf("publish: %d %s", status, text)
		}
		s.Kill()
		s.Restart()
	}
	least := func(counts map[string]int) int {
		n := publishes
		for i := range devices {
			n = min(n, counts[fmt.Sprintf("%08x00", i)])
		}
		return n
	}
	for end := time.Now().Add(2 * service.Patience); ; <-time.After(50 * time.Millisecond) {
		counts, wrong := p.apple()
		if len(wrong) > 0 {
			t.Fatalf("Apple finds fault with %q", wrong)
		}
		if least(counts) == publishes {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("delivered %v, want each token %d times at least", counts, publishes)
		}
	}
}

// publishSigned sends a publish of 2016, signed with the app's secret. The service may not
// be ready for it yet, after it was started again.
func publishSigned(t *testing.T, s *service.Service, body string) (status int, text []byte) {
	t.Helper()
	for end := time.Now().Add(service.Patience); ; <-time.After(50 * time.Millisecond) {
		const path = "/server_api/v1/apps/1/notifications"
		query := fmt.Sprintf("auth_key=%s&auth_timestamp=%d&auth_version=1.0&body_md5=%x", service.Key, time.Now().Unix(), md5.Sum([]byte(body)))
		query += "&auth_signature=" + protocol.Sign(service.Secret, "POST\n"+path+"\n"+query)
		status, text = postJSON(t, http.MethodPost, "http://"+s.Addr+path+"?"+query, body)
		full := !bytes.Contains(text, []byte(`"number_of_subscribers":0`))
		if status == http.StatusAccepted && full || time.Now().After(end) {
			return status, text
		}
	}
}
