package install

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// composeGo is the library with which docker compose reads its files, as a
// program.
const composeGo = "github.com/compose-spec/compose-go/v2/cmd@v2.16.2"

// A composition is what docker compose makes of a file.
type composition struct {
	Services map[string]struct {
		Image           string
		Command         []string
		Environment     map[string]string
		Hostname        string
		StopGracePeriod string `json:"stop_grace_period"`
		ReadOnly        bool   `json:"read_only"`
		Volumes         []struct{ Source, Target string }
		Ports           []struct {
			Target    int
			Published string
		}
	}
}

// required is a variable of a file that has to be given.
var required = regexp.MustCompile(`\$\{\w+:\?[^}]*\}`)

// compose reads a file as docker compose does. Its program gives no variables, so
// those that have to be are written into the file, unless it is left as it is.
func compose(t *testing.T, file, given string) (c composition, err error) {
	t.Helper()
	text, err := os.ReadFile("../../packaging/compose/" + file)
	if err != nil {
		t.Fatal(err)
	}
	if given != "" {
		text = required.ReplaceAll(text, []byte(given))
	}
	name := filepath.Join(t.TempDir(), file)
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "go", "run", composeGo, "--format=json", name)
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		return c, fmt.Errorf("%s: %w\n%s", file, err, &stderr)
	}
	return c, json.Unmarshal(out, &c)
}

func TestComposeOfOneNode(t *testing.T) {
	dist(t)
	c, err := compose(t, "compose.yaml", "")
	if err != nil {
		t.Fatal(err)
	}
	node, ok := c.Services["belfry"]
	if !ok || len(c.Services) != 1 || node.Image != "belfry" || !node.ReadOnly || node.StopGracePeriod != "60s" ||
		len(node.Volumes) != 1 || node.Volumes[0].Target != "/var/lib/belfry" || len(node.Ports) != 1 || node.Ports[0].Target != 6001 {
		t.Errorf("compose.yaml is %+v", c)
	}
}

// TestComposeOfThreeNodes runs the processes of the file as it configures them,
// on addresses of a loopback of their own: nodes that find each other by their
// names, and the proxy in front. A client on one side of the proxy sees what a
// backend triggers on it, also when a node has ended.
func TestComposeOfThreeNodes(t *testing.T) {
	dir := here(t)
	_, err := exec.LookPath("haproxy")
	need(t, err == nil, "there is no haproxy: apt-get install haproxy")
	need(t, os.Geteuid() == 0, "only root makes networks")
	if _, err := compose(t, "cluster.yaml", ""); err == nil || !strings.Contains(err.Error(), "BELFRY_CLUSTER_SECRET is missing a value") {
		t.Errorf("without a secret: %v, want to be told of it", err)
	}
	c, err := compose(t, "cluster.yaml", "of-the-test-of-compose")
	if err != nil {
		t.Fatal(err)
	}

	work := t.TempDir()
	hosts, script := "127.0.0.1 localhost\n", []string{"set -eu", "ip link set lo up", "mount --bind hosts /etc/hosts"}
	nodes := 0
	for _, name := range slices.Sorted(maps.Keys(c.Services)) {
		s := c.Services[name]
		if s.Image != "belfry" {
			continue
		}
		nodes++
		address := fmt.Sprintf("127.0.1.%d", nodes)
		hosts += address + " " + s.Hostname + "\n"
		line := "env"
		for key, value := range s.Environment { // each container has all addresses to itself
			line += " " + key + "='" + strings.ReplaceAll(value, "0.0.0.0", address) + "'"
		}
		line += " BELFRY_LISTEN=" + address + ":6001 BELFRY_ADMIN_LISTEN=" + address + ":6002 BELFRY_CLUSTER_NAME=" + s.Hostname + " BELFRY_DATA_DIR=" + filepath.Join(work, name)
		script = append(script, line+" ./belfry serve >"+name+".log 2>&1 &", fmt.Sprintf("node%d=$!", nodes))
	}
	if nodes != 3 || c.Services["proxy"].Image == "" {
		t.Fatalf("cluster.yaml has %d nodes, and the proxy %+v", nodes, c.Services["proxy"])
	}
	proxy := contents("../../packaging/compose/haproxy.cfg")
	direct := strings.ReplaceAll(proxy, " resolvers docker init-addr libc,none", "") // there is no name server here
	if direct == proxy {
		t.Fatal("haproxy.cfg does not ask the name server of Docker")
	}
	direct = strings.Replace(direct, "maxconn 100000", "maxconn 1000", 1) // the container may have a million files open, we may not
	direct = strings.Replace(direct, "bind :6001", "bind 127.0.0.1:6001", 1)
	for name, text := range map[string]string{"hosts": hosts, "haproxy.cfg": direct} {
		if err := os.WriteFile(filepath.Join(work, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "belfry"), filepath.Join(work, "belfry")); err != nil {
		t.Fatal(err)
	}
	script = append(script,
		"for i in 1 2 3; do until ./belfry health --admin-listen 127.0.1.$i:6002 >/dev/null 2>&1; do sleep 0.2; done; done",
		"haproxy -db -f haproxy.cfg >proxy.log 2>&1 &",
		"until ./belfry health --admin-listen off --listen 127.0.0.1:6001 >/dev/null 2>&1; do sleep 0.2; done",
		"export $(sed 's/belfry-[0-9]/127.0.0.1/; s/@127.0.1.[0-9]/@127.0.0.1/' */first-app.env | grep BELFRY_URL)",
		"for i in 1 2 3; do ./belfry subscribe news >seen$i 2>said$i & done",
		"for i in 1 2 3; do until grep -q 'subscribed to news' said$i; do sleep 0.2; done; done",
		`./belfry trigger news hello '{"text": "hi"}'`,
		"for i in 1 2 3; do until grep -q hi seen$i; do sleep 0.2; done; cat seen$i; done",
		"kill $node1", "wait $node1", "echo one has ended",
		`until ./belfry trigger news hello '{"text": "still"}' >/dev/null; do sleep 0.2; done`,
		"until grep -q still seen1 && grep -q still seen2 && grep -q still seen3; do ./belfry trigger news hello '{\"text\": \"still\"}' >/dev/null; sleep 0.5; done",
		"echo all are there",
	)
	command := exec.CommandContext(t.Context(), "timeout", "--signal=KILL", "90", "unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", strings.Join(script, "\n"))
	command.Dir = work
	out, err := command.CombinedOutput()
	if err != nil || strings.Count(string(out), seen) != 3 || !strings.HasSuffix(string(out), "all are there\n") {
		logs, _ := filepath.Glob(filepath.Join(work, "*.log"))
		t.Errorf("the cluster did not show an event to each: %v\n%s\n%s", err, out, contents(logs...))
	}
}
