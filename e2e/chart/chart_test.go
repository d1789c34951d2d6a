package chart

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/belfryhq/belfry/e2e/service"
)

const (
	chartDir    = "../../packaging/helm/belfry"
	helmModule  = "helm.sh/helm/v3/cmd/helm@v3.22.0"
	kubernetes  = "1.30.0"         // which a helm that was built so does not know
	helmTimeout = 20 * time.Minute // to build it where nothing is cached
)

func TestMain(m *testing.M) { os.Exit(service.Main(m)) }

// helm is the built program, or the one of this machine.
var helm = sync.OnceValues(func() (string, error) {
	if found, err := exec.LookPath("helm"); err == nil {
		return found, nil
	}
	dir := filepath.Join(filepath.Dir(service.Binary()), "helm")
	ctx, cancel := context.WithTimeout(context.Background(), helmTimeout)
	defer cancel()
	install := exec.CommandContext(ctx, "go", "install", helmModule)
	install.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
	if out, err := install.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build helm: %w\n%s", err, out)
	}
	return filepath.Join(dir, "helm"), nil
})

// run runs helm.
func run(t *testing.T, args ...string) (out string, err error) {
	t.Helper()
	program, err := helm()
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("helm %s: %w\n%s%s", args[0], err, stdout.String(), stderr.String())
	}
	return stdout.String(), nil
}

// An object is one of Kubernetes.
type object = map[string]any

// render renders the chart with values, and returns its objects by kind and name.
func render(t *testing.T, values string) map[string]object {
	t.Helper()
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, []byte(values), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := run(t, "template", "realtime", chartDir, "--kube-version", kubernetes, "--values", file)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]object{}
	for d := yaml.NewDecoder(strings.NewReader(out)); ; {
		var o object
		if err := d.Decode(&o); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("what is rendered is no YAML: %v\n%s", err, out)
		}
		if o != nil {
			all[fmt.Sprint(o["kind"], " ", o["metadata"].(object)["name"])] = o
		}
	}
}

// in follows keys and indexes into a value.
func in(t *testing.T, v any, path ...any) any {
	t.Helper()
	for i, step := range path {
		switch at := v.(type) {
		case object:
			v = at[step.(string)]
		case []any:
			v = at[step.(int)]
		default:
			t.Fatalf("there is nothing at %v", path[:i+1])
		}
	}
	return v
}

func TestLint(t *testing.T) {
	if out, err := run(t, "lint", "--strict", chartDir); err != nil {
		t.Errorf("%v%s", err, out)
	}
}

// TestRulesAreThoseOfPackaging: a chart takes files from its own directory only.
func TestRulesAreThoseOfPackaging(t *testing.T) {
	ours, err := os.ReadFile(filepath.Join(chartDir, "belfry.rules.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if want, err := os.ReadFile("../../packaging/prometheus/belfry.rules.yaml"); err != nil || !bytes.Equal(ours, want) {
		t.Errorf("packaging/helm/belfry/belfry.rules.yaml is not a copy of that in packaging/prometheus (%v)", err)
	}
}

func TestRendersACluster(t *testing.T) {
	all := render(t, "")
	want := []string{
		"ConfigMap realtime-belfry", "NetworkPolicy realtime-belfry", "PodDisruptionBudget realtime-belfry", "Secret realtime-belfry",
		"Service realtime-belfry", "Service realtime-belfry-nodes", "StatefulSet realtime-belfry",
	}
	if got := slices.Sorted(maps.Keys(all)); !slices.Equal(got, want) {
		t.Fatalf("objects = %q, want %q", got, want)
	}
	set := all["StatefulSet realtime-belfry"]
	pod := in(t, set, "spec", "template", "spec")
	container := in(t, pod, "containers", 0)
	for _, probe := range []struct{ name, path string }{{"livenessProbe", "/healthz"}, {"readinessProbe", "/readyz"}} {
		get := in(t, container, probe.name, "httpGet").(object)
		if get["path"] != probe.path || get["port"] != "admin" {
			t.Errorf("%s asks %v, want %s at the administration port", probe.name, get, probe.path)
		}
	}
	if got := in(t, pod, "terminationGracePeriodSeconds"); got != 60 {
		t.Errorf("a pod has %v seconds to end, want 60: delay, drain and 30", got)
	}
	env := environment(t, container)
	if got := env["BELFRY_ADMIN_LISTEN"]; got != "0.0.0.0:6002" {
		t.Errorf("the administration port is %s, where probes do not reach it", got)
	}
	const join = "realtime-belfry-0.realtime-belfry-nodes:6003,realtime-belfry-1.realtime-belfry-nodes:6003,realtime-belfry-2.realtime-belfry-nodes:6003"
	if env["BELFRY_JOIN"] != join {
		t.Errorf("BELFRY_JOIN = %s, want %s", env["BELFRY_JOIN"], join)
	}
	if in(t, all["Service realtime-belfry-nodes"], "spec", "publishNotReadyAddresses") != true {
		t.Error("nodes do not find each other before they are ready")
	}
	if in(t, set, "spec", "volumeClaimTemplates", 0, "metadata", "name") != "data" {
		t.Error("nodes have no volumes of their own")
	}
	if scaled := render(t, "replicas: 5"); in(t, scaled["StatefulSet realtime-belfry"], "spec", "template", "spec", "containers", 0, "env").([]any) == nil ||
		environment(t, in(t, scaled["StatefulSet realtime-belfry"], "spec", "template", "spec", "containers", 0))["BELFRY_JOIN"] != join {
		t.Error("scaling changes what nodes join, so all would restart")
	}
}

// environment are the variables of a container that have a value.
func environment(t *testing.T, container any) map[string]string {
	t.Helper()
	env := map[string]string{}
	for _, v := range in(t, container, "env").([]any) {
		v := v.(object)
		if text, ok := v["value"].(string); ok {
			env[v["name"].(string)] = text
		}
	}
	return env
}

func TestRefusesValues(t *testing.T) {
	for name, values := range map[string]string{
		"two nodes": "replicas=2", "a listener": "config.listen=0.0.0.0:1", "a typing mistake": "replica=3",
	} {
		if _, err := run(t, "template", "realtime", chartDir, "--kube-version", kubernetes, "--set", values); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// TestTheBinaryTakesWhatIsRendered: belfry check has nothing to say about the file and the
// variables of a pod.
func TestTheBinaryTakesWhatIsRendered(t *testing.T) {
	for name, values := range map[string]string{
		"defaults": "",
		"alone":    "replicas: 1",
		"everything": `
replicas: 5
config: {drain_delay: 5s, drain_timeout: 1m, admin: {app_metrics: 10}, websocket: {compression: true}, webhooks: {allowed_networks: [10.0.0.0/8]}}
apps: [{id: shop, keys: [{key: k, secret: s}]}]
trustedProxies: [10.0.0.0/8]
ingress: {enabled: true, className: nginx, tlsSecret: tls}
monitoring: {serviceMonitor: true, prometheusRule: true, labels: {release: prometheus}}
`,
	} {
		t.Run(name, func(t *testing.T) {
			all := render(t, values)
			file := filepath.Join(t.TempDir(), "belfry.yaml")
			text := in(t, all["ConfigMap realtime-belfry"], "data", "belfry.yaml").(string)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			env := environment(t, in(t, all["StatefulSet realtime-belfry"], "spec", "template", "spec", "containers", 0))
			env["BELFRY_CONFIG"] = file
			env["BELFRY_ADMIN_TOKEN"] = "a-token-of-the-secret"
			if env["BELFRY_CLUSTER_LISTEN"] != "" {
				env["BELFRY_CLUSTER_NAME"], env["BELFRY_CLUSTER_SECRET"] = "realtime-belfry-0", "a-secret-of-the-cluster-of-the-tests"
			}
			check := exec.Command(service.Binary(), "check")
			check.Env = service.Environment()
			for key, value := range env {
				check.Env = append(check.Env, key+"="+value)
			}
			if out, err := check.CombinedOutput(); err != nil || !strings.Contains(string(out), "The configuration is right.") {
				t.Errorf("belfry check: %v\n%s\n%s", err, out, text)
			}
			if name == "everything" && (all["Ingress realtime-belfry"] == nil || all["ServiceMonitor realtime-belfry"] == nil ||
				len(in(t, all["PrometheusRule realtime-belfry"], "spec", "groups").([]any)) == 0) {
				t.Errorf("objects are missing: %q", slices.Sorted(maps.Keys(all)))
			}
		})
	}
}
