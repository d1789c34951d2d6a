package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/pusher/pusher-http-go/v5"

	"github.com/belfryhq/belfry/e2e/service"
)

// In testdata/old is what revision ebd05c4 had written when it was killed: an
// app that was made at run time, and six events of webhooks that nobody had
// taken. Six further events were given up, and an hour of usage was counted.
// The engine drops those after a week and a month, so they stand in a file of
// their own and are put back as if they were new.
const oldData = "testdata/old"

// oldHour is the hour of the usage, in hours since 1970.
const oldHour = "498865"

// TestDataOfAnEarlierRevisionIsAllThere: whoever upgrades loses no app, no
// usage, no webhook that waits, and none that was given up.
func TestDataOfAnEarlierRevisionIsAllThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	unpack(t, filepath.Join(oldData, "data.tar.gz"), dir)
	dir = filepath.Join(dir, "data")
	putBack(t, filepath.Join(dir, "engine"), filepath.Join(oldData, "messages.jsonl"))

	var got arrivals
	receiver := httptest.NewServer(&got)
	defer receiver.Close()
	s := service.Start(t, service.Config{DataDir: dir, Settings: fmt.Sprintf(webhookSettings, "1s")})
	admin := operator{t, s, s.Token()}

	admin.must(http.MethodPatch, "/apps/4711", `{"webhooks":[{"id":"hooks","url":"`+receiver.URL+`","events":["channel_occupied","channel_vacated"],"batch":true}]}`)
	got.await(t, "occupied waiting-a", "occupied waiting-b", "occupied waiting-c", "vacated waiting-a", "vacated waiting-b", "vacated waiting-c")

	if list := admin.must(http.MethodGet, "/webhooks/dead-letters?app=4711", ""); strings.Count(list, `"channel":"dead-`) != 6 {
		t.Errorf("what was given up is %s, want six events", list)
	}
	admin.must(http.MethodPost, "/webhooks/replay", `{"app":"4711","endpoint":"hooks"}`)
	got.await(t, "occupied dead-a", "occupied dead-b", "occupied dead-c", "vacated dead-a", "vacated dead-b", "vacated dead-c")

	if usage := admin.must(http.MethodGet, "/apps/4711/usage", ""); !strings.Contains(usage, `"peak_connections":3,"backend_events":1`) {
		t.Errorf("the usage is %s, want three connections and one event", usage)
	}
	backend := pusher.Client{AppID: "4711", Key: "shop-key", Secret: "shop-secret", Host: s.Addr}
	if err := backend.Trigger("news", "hello", "world"); err != nil {
		t.Errorf("the app's key does not work any more: %v", err)
	}
}

// unpack writes the files of an archive below dir.
func unpack(t *testing.T, archive, dir string) {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.FromSlash(h.Name))
		if h.FileInfo().IsDir() {
			err = os.MkdirAll(path, 0o700)
		} else {
			var text []byte
			text, err = io.ReadAll(r)
			err = errors.Join(err, os.WriteFile(path, text, 0o600))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// putBack publishes messages to the streams of an engine's directory.
func putBack(t *testing.T, dir, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := natsserver.NewServer(&natsserver.Options{JetStream: true, StoreDir: dir, DontListen: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	defer s.WaitForShutdown()
	defer s.Shutdown()
	conn, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"belfry-webhooks-buried", "KV_belfry_usage"} {
		stream, err := js.Stream(t.Context(), name)
		if err == nil {
			err = stream.Purge(t.Context())
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	now := strconv.FormatInt(time.Now().Unix()/3600, 10)
	for line := range bytes.Lines(text) {
		var m struct{ Subject, ID, Data string }
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatal(err)
		}
		msg := nats.NewMsg(strings.ReplaceAll(m.Subject, oldHour, now))
		msg.Data = []byte(m.Data)
		if m.ID != "" {
			msg.Header.Set(jetstream.MsgIDHeader, m.ID)
		}
		if _, err := js.PublishMsg(t.Context(), msg); err != nil {
			t.Fatalf("%s: %v", msg.Subject, err)
		}
	}
}

// An operator asks the admin API.
type operator struct {
	t     *testing.T
	s     *service.Service
	token string
}

// must returns the answer, which has to be a success.
func (o operator) must(method, path, body string) string {
	o.t.Helper()
	r, err := http.NewRequestWithContext(o.t.Context(), method, "http://"+o.s.AdminAddr+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		o.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+o.token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		o.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode/100 != 2 {
		o.t.Fatalf("%s %s = %s %s (%v)", method, path, answer.Status, text, err)
	}
	return string(text)
}

// arrivals are the transitions that a receiver was told.
type arrivals struct {
	mu   sync.Mutex
	seen []string
	more chan struct{} // closed when something arrives
}

func (a *arrivals) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var hook struct {
		Events []struct{ Name, Channel string }
	}
	if err := json.NewDecoder(r.Body).Decode(&hook); err != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range hook.Events {
		a.seen = append(a.seen, strings.TrimPrefix(e.Name, "channel_")+" "+e.Channel)
	}
	if a.more != nil {
		close(a.more)
		a.more = nil
	}
}

// await waits until all of them have arrived.
func (a *arrivals) await(t *testing.T, want ...string) {
	t.Helper()
	deadline := time.After(service.Patience)
	for {
		a.mu.Lock()
		missing := slices.DeleteFunc(slices.Clone(want), func(w string) bool { return slices.Contains(a.seen, w) })
		if a.more == nil {
			a.more = make(chan struct{})
		}
		more := a.more
		a.mu.Unlock()
		if len(missing) == 0 {
			return
		}
		select {
		case <-more:
		case <-deadline:
			t.Fatalf("never arrived: %q", missing)
		}
	}
}
