package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pusher/pusher-http-go/v5"

	"github.com/belfryhq/belfry/e2e/service"
)

// TestRestore does what docs/backup.md says: a copy of the directory of one node,
// made while it was stopped, brings everything back, for a node that is alone and for a
// cluster whose other nodes begin empty. A node is ready when it knows all apps.
func TestRestore(t *testing.T) {
	for _, nodes := range []int{1, 3} {
		t.Run(fmt.Sprint(nodes), func(t *testing.T) {
			t.Parallel()
			r := newRestored(t, nodes)
			r.makeApp("before")
			r.all[0].Stop()
			backup := filepath.Join(t.TempDir(), "backup")
			if err := os.CopyFS(backup, os.DirFS(r.dirs[0])); err != nil {
				t.Fatal(err)
			}
			r.all[0].Restart()
			r.makeApp("after")
			for i, s := range r.all {
				s.Stop()
				if err := os.RemoveAll(r.dirs[i]); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.CopyFS(r.dirs[0], os.DirFS(backup)); err != nil {
				t.Fatal(err)
			}
			service.Launch(r.all...)
			found := make(chan error)
			for _, s := range r.all {
				go func() { found <- r.readyWith(s, "before") }()
			}
			for range r.all {
				if err := <-found; err != nil {
					t.Error(err)
				}
			}
			for _, s := range r.all {
				if status := r.ask(s, http.MethodGet, "/after", ""); status != http.StatusNotFound {
					t.Errorf("an app that was made after the backup is answered with %d", status)
				}
				b := pusher.Client{AppID: "before", Key: "before-key", Secret: "before-secret", Host: s.Addr}
				if err := b.Trigger("news", "e", "d"); err != nil {
					t.Errorf("trigger: %v", err)
				}
			}
			r.makeApp("later") // decisions go on
		})
	}
}

// restored are nodes whose data is lost and comes back.
type restored struct {
	t    *testing.T
	all  []*service.Service
	dirs []string
}

func newRestored(t *testing.T, nodes int) *restored {
	t.Helper()
	r := &restored{t: t}
	root := t.TempDir()
	var configs []service.Config
	var addresses []string
	for _, port := range service.FreePorts(t, nodes) {
		addresses = append(addresses, fmt.Sprintf("127.0.0.1:%d", port))
	}
	for i, address := range addresses {
		r.dirs = append(r.dirs, filepath.Join(root, fmt.Sprint(i)))
		cfg := service.Config{DataDir: r.dirs[i]}
		if nodes > 1 {
			cfg.Settings = fmt.Sprintf("cluster: {listen: %q, name: node-%d, secret: a-secret-of-the-cluster}\njoin: [%s]", address, i+1, strings.Join(addresses, ", "))
		}
		configs = append(configs, cfg)
	}
	r.all = service.StartAll(t, configs...)
	return r
}

// ask asks the admin API of a node about apps.
func (r *restored) ask(s *service.Service, method, path, body string) int {
	req, err := http.NewRequest(method, "http://"+s.AdminAddr+"/api/v1/apps"+path, strings.NewReader(body))
	if err != nil {
		r.t.Error(err)
		return 0
	}
	req.Header.Set("Authorization", "Bearer "+s.Token())
	req.Header.Set("Content-Type", "application/json")
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// makeApp makes an app on the last node, and waits until every node knows it.
func (r *restored) makeApp(id string) {
	r.t.Helper()
	body := fmt.Sprintf(`{"id":%q,"keys":[{"key":"%s-key","secret":"%s-secret"}]}`, id, id, id)
	end := time.Now().Add(service.Patience)
	for r.ask(r.all[len(r.all)-1], http.MethodPost, "", body) != http.StatusCreated {
		if time.Now().After(end) {
			r.t.Fatalf("the app %s can not be made", id)
		}
		time.Sleep(50 * time.Millisecond) // the cluster may choose a leader
	}
	for _, s := range r.all {
		for r.ask(s, http.MethodGet, "/"+id, "") != http.StatusOK {
			if time.Now().After(end) {
				r.t.Fatalf("a node does not know the app %s", id)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// readyWith waits until the node is ready, and returns an error if it does not know an
// app in that moment.
func (r *restored) readyWith(s *service.Service, app string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*service.Patience)
	defer cancel()
	for !service.Ready(ctx, s.AdminAddr) {
		if ctx.Err() != nil {
			return fmt.Errorf("a node is not ready after %v", 2*service.Patience)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if status := r.ask(s, http.MethodGet, "/"+app, ""); status != http.StatusOK {
		return fmt.Errorf("a node is ready and answers %d about the app %s", status, app)
	}
	return nil
}
