package cluster

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

// build builds the program as another release would be, with changes to files
// of the sources.
func build(t *testing.T, version string, changes map[string]func(text string) string) (binary string) {
	t.Helper()
	dir := t.TempDir()
	replace := map[string]string{}
	for name, change := range changes {
		file, err := filepath.Abs(filepath.Join("..", "..", name))
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		changed := change(string(text))
		if changed == string(text) {
			t.Fatalf("%s is as it was", name)
		}
		replace[file] = filepath.Join(dir, filepath.Base(name))
		if err := os.WriteFile(replace[file], []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	binary = filepath.Join(dir, "belfry")
	args := []string{"build", "-overlay", file, "-ldflags", "-X main.version=" + version, "-o", binary}
	if service.Race {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, "github.com/belfryhq/belfry/cmd/belfry")...).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", version, err, out)
	}
	return binary
}

// TestVersions replaces the nodes of a cluster by those of other releases, as
// docs/stability.md tells.
func TestVersions(t *testing.T) {
	t.Parallel()
	next := build(t, "v99.1.0", nil)
	// What a release would be whose notes say that packets have changed.
	packets := build(t, "v99.2.0", map[string]func(string) string{
		"internal/cluster/broker/mesh/packet.go": func(text string) string { return strings.Replace(text, "\tversion = ", "\tversion = 100 + ", 1) },
	})
	c := Start(t, Options{Nodes: 3, NoHooks: true})
	for _, n := range c.Nodes {
		c.on(n, "ann").Join("news")
	}

	for _, n := range c.Nodes { // one after the other, while all go on
		n.Terminate()
		n.binary = next
		n.Restart()
		c.rejoined()
		c.Settle()
		c.Flow("news")
		out, err := n.run("cluster", "status")
		if differ := n != c.Nodes[2]; err != nil || !strings.Contains(out, n.Name+" (v99.1.0), ready") || strings.Contains(out, "Not all nodes are of one version") != differ {
			t.Errorf("after %s was replaced (%v) its status is\n%s", n.Name, err, out)
		}
	}

	first, others := c.Nodes[0], c.Nodes[1:]
	first.Terminate()
	first.binary = packets
	first.start()
	first.awaitReady()
	// They do not hear each other, and say so. Each serves its own clients.
	for _, n := range c.Nodes {
		c.await(service.Patience, n.Name+" does not say that it meets another version", func() string {
			if strings.Contains(n.Log(), "our_version=") {
				return ""
			}
			return n.Log()
		})
	}
	alone := c.on(first, "bob")
	alone.Subscribe("here")
	first.trigger("here", "of-first", nil)
	alone.AwaitFrame("of-first", "here")
	for _, n := range others {
		n.Terminate()
		n.binary = packets
	}
	for _, n := range others {
		n.start()
	}
	for _, n := range others {
		n.awaitReady()
	}
	c.rejoined()
	c.AwaitTogether()
	c.Settle()
	c.Flow("news")
}
