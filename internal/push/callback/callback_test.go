package callback

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/internal/engine"
	"github.com/belfryhq/belfry/internal/push/notification"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

func open(t *testing.T, networks []netip.Prefix) *Queue {
	t.Helper()
	e, err := engine.Open(t.Context(), engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	q, err := Open(t.Context(), Config{Engine: e, AllowedNetworks: networks, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = q.Stop(context.Background())
		_ = e.Close(context.Background())
	})
	return q
}

// TestVectorOfBeams is the published signature of a body.
func TestVectorOfBeams(t *testing.T) {
	at := time.Date(2019, 3, 11, 10, 42, 16, 0, time.UTC)
	body := `{"payload":{"instance_id":"i","publish_id":"pubid-1","user_id":"user-001"},"metadata":{"created_at":"2019-03-11T10:42:16+0000","event_type":"v1.UserNotificationOpen","event_id":"e1","product":"beams"},"custom_data":{}}`
	if got, want := BeamsSignature("webhook-secret", []byte(body)), "5cff1858049d13cd1358c3af425c9d324430fe82"; got != want {
		t.Errorf("BeamsSignature = %s, want %s", got, want)
	}
	c, err := Beams(notification.Webhook{ID: "w", URL: "http://x", Secret: "webhook-secret"}, BeamsEvent{
		App: "1", Type: UserNotificationOpen, ID: "e", At: at, Payload: struct {
			InstanceID string `json:"instance_id"`
			PublishID  string `json:"publish_id"`
			UserID     string `json:"user_id"`
		}{"i", "pubid-1", "user-001"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(c.Body), strings.Replace(body, `"e1"`, `"`+notification.StableID("e")+`"`, 1); got != want {
		t.Errorf("the body is %s, want %s", got, want)
	}
	if c.Header["Webhook-Signature"] != BeamsSignature("webhook-secret", c.Body) || c.Header["User-Agent"] != "pusher-webhooks" || c.Header["Webhook-ID-UUID"] != "w" {
		t.Errorf("the headers are %v", c.Header)
	}
}

func TestWanted(t *testing.T) {
	if !Wanted(notification.Webhook{}, PublishToUsersAttempt) || Wanted(notification.Webhook{Events: []string{UserNotificationOpen}}, PublishToUsersAttempt) {
		t.Error("a webhook is told of other events than it wants")
	}
}

func TestSchedules(t *testing.T) {
	if got := schedules[BeamsSchedule]; got.timeout != 3*time.Second || !slices.Equal(got.waits, seconds(10, 30, 120, 300)) {
		t.Errorf("Beams has %v", got)
	}
}

// A receiver that answers 500 is called again with the same request, and the user info of
// the URL is sent as Basic authentication.
func TestCallIsRepeatedUnchanged(t *testing.T) {
	type request struct{ body, id, user string }
	var mu sync.Mutex
	var got []request
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		user, password, _ := r.BasicAuth()
		mu.Lock()
		defer mu.Unlock()
		got = append(got, request{string(body), r.Header.Get("Webhook-Request-Id-Uuid"), user + ":" + password})
		if len(got) < 3 {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		close(done)
	}))
	defer server.Close()
	q := open(t, loopback)
	c := &Call{ID: "1", App: "1", URL: strings.Replace(server.URL, "http://", "http://ann:secret@", 1), Body: []byte("{}"),
		Header: map[string]string{"Webhook-Request-ID-UUID": "r1"}, Schedule: NativeSchedule}
	for range 2 {
		if err := q.Put(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	<-done
	mu.Lock()
	defer mu.Unlock()
	for _, r := range got {
		if want := (request{"{}", "r1", "ann:secret"}); r != want {
			t.Errorf("a call is %v, want %v", r, want)
		}
	}
	if len(got) != 3 {
		t.Errorf("%d calls, want 3", len(got))
	}
}

func TestPrivateAddressesAreNotCalled(t *testing.T) {
	reached := make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached <- struct{}{} }))
	defer server.Close()
	q := open(t, nil)
	if err := q.post(&Call{URL: server.URL}, time.Second); err == nil || !strings.Contains(err.Error(), "not public") || strings.Contains(err.Error(), "http://") {
		t.Errorf("post = %v", err)
	}
	select {
	case <-reached:
		t.Error("it was called")
	default:
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	server := httptest.NewServer(http.RedirectHandler("http://127.0.0.1:1/", http.StatusFound))
	defer server.Close()
	if err := open(t, loopback).post(&Call{URL: server.URL}, time.Second); err == nil || err.Error() != "status 302" {
		t.Errorf("post = %v", err)
	}
}

func TestURLsAreChecked(t *testing.T) {
	for text, want := range map[string]bool{"http://example.com/x": true, "https://a:b@example.com": true, "ftp://x": false, "x": false, "": false, "https://": false, "http://x/" + strings.Repeat("y", 2048): false} {
		if err := CheckURL(text); (err == nil) != want {
			t.Errorf("CheckURL(%.40q) = %v", text, err)
		}
	}
}
