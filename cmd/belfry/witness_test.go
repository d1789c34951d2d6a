package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

// startWitnesses runs two witnesses, who are a cluster with nobody to serve.
func startWitnesses(t *testing.T) (nodes [2]*running) {
	t.Helper()
	ports := service.FreePorts(t, 2)
	for i := range nodes {
		dir := t.TempDir()
		write(t, dir, fmt.Sprintf(witnessFile, i, ports[i], ports[0], ports[1])+"reload: false\n")
		nodes[i] = &running{process: start(t, setup{dir: dir}, "serve", "--config=belfry.yaml"), t: t, dir: dir}
	}
	for _, n := range nodes {
		n.admin = address(n.err.await(t, "listener=admin"))
	}
	return nodes
}

const witnessFile = `witness: true
admin: {listen: "127.0.0.1:0"}
cluster: {name: "w%d", listen: "127.0.0.1:%d", secret: 0123456789abcdef}
join: ["127.0.0.1:%d", "127.0.0.1:%d"]
`

func TestReloadOfAWitness(t *testing.T) {
	nodes := startWitnesses(t)
	w := nodes[0]
	expectHosts(t, w.admin, nil)
	text, err := os.ReadFile(filepath.Join(w.dir, "belfry.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	before := strings.ReplaceAll(string(text), "reload: false\n", "")
	write(t, w.dir, before+"reload: true\nmax_connections: 7\nlog: {level: debug}\napps:\n"+appA)
	w.hangUp()
	w.err.await(t, `msg="configuration reloaded" because=SIGHUP`)
	write(t, w.dir, before+"reload: true\nlog: {level: warn}\nlissten: x\n")
	w.err.await(t, `msg="configuration not reloaded; the running one stays in use"`)
	write(t, w.dir, before+"reload: true\n")
	w.err.await(t, `msg="configuration reloaded" because="the file has changed"`)
	if _, metrics := get(t, "http://"+w.admin+"/metrics"); !strings.Contains(metrics, `belfry_config_reloads_total{result="taken"} 2`) {
		t.Errorf("the metrics do not tell the reloads:\n%s", metrics)
	}
	if out := w.doCluster("status"); !strings.Contains(out, "witness") {
		t.Errorf("cluster status after the reloads:\n%s", out)
	}
	for _, args := range [][]string{{"apps", "list"}, {"apps", "create"}, {"apps", "usage"}, {"webhooks", "list"}, {"webhooks", "test", "1"}} {
		status, _, err := runCommand(t, setup{dir: w.dir, env: []string{"BELFRY_ADMIN_URL=http://" + w.admin}}, args...)
		if status != 1 || !strings.Contains(err, "This node is a witness, which knows of no apps; ask another one.") {
			t.Errorf("belfry %v of a witness = %d %s", args, status, err)
		}
	}
	if status := w.stop(); status != 0 {
		t.Errorf("status of a witness after reloads = %d", status)
	}
	if status, _, err := runCommand(t, setup{dir: nodes[1].dir, env: []string{"BELFRY_ADMIN_URL=http://" + nodes[1].admin}}, "drain"); status != 0 {
		t.Errorf("belfry drain of a witness = %d %s", status, err)
	}
	if status := nodes[1].end(); status != 0 {
		t.Errorf("status of a witness after a drain = %d", status)
	}
}

// doCluster runs a belfry cluster command that must do it.
func (r *running) doCluster(args ...string) string {
	r.t.Helper()
	status, out, err := runCommand(r.t, setup{dir: r.dir, env: []string{"BELFRY_ADMIN_URL=http://" + r.admin}}, append([]string{"cluster"}, args...)...)
	if status != 0 {
		r.t.Fatalf("cluster %v = %d %s", args, status, err)
	}
	return out
}
