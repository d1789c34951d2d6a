//go:build unix

package alerts

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/belfryhq/belfry/e2e/service"
)

// names are the alerts of the rules.
func names(t *testing.T) (list []string) {
	t.Helper()
	text, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	var rules struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	if err := yaml.Unmarshal(text, &rules); err != nil {
		t.Fatal(err)
	}
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			list = append(list, rule.Alert)
		}
	}
	return list
}

// TestEveryAlertIsExplained: the page says what to do, and a test causes it.
func TestEveryAlertIsExplained(t *testing.T) {
	page, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, pattern := range []string{"*_test.go", "../acme_test.go"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			tests.Write(text)
		}
	}
	all := names(t)
	for _, name := range all {
		if !strings.Contains(string(page), "\n### "+name+"\n") {
			t.Errorf("docs/troubleshooting.md has no section %s", name)
		}
		if !strings.Contains(tests.String(), `"`+name) {
			t.Errorf("no test causes %s", name)
		}
	}
	if n := strings.Count(string(page), "\n### Belfry"); n != len(all) {
		t.Errorf("docs/troubleshooting.md explains %d alerts, and there are %d", n, len(all))
	}
}

// A panel is a chart of the dashboard.
type panel struct {
	Title   string
	Targets []struct{ Expr string }
}

func dashboard(t *testing.T) (queries []string) {
	t.Helper()
	text, err := os.ReadFile("../../packaging/grafana/belfry.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct{ Panels []panel }
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			queries = append(queries, target.Expr)
		}
	}
	return queries
}

var (
	metric   = regexp.MustCompile(`\b(?:belfry|process)_[a-z_]+`)
	exposed  = regexp.MustCompile("(?m)^\\| `(belfry_[a-z_]+)` \\| (\\w+) \\|")
	suffixes = regexp.MustCompile(`_(bucket|sum|count)$`)
)

// TestQueriesAreOfMetricsThatThereAre: rules and dashboard name what docs/metrics.md
// has, which is what services expose, or what every process has.
func TestQueriesAreOfMetricsThatThereAre(t *testing.T) {
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{}
	for _, m := range exposed.FindAllStringSubmatch(string(page), -1) {
		kinds[m[1]] = m[2]
	}
	for _, name := range []string{
		"process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds", "process_max_fds", "process_start_time_seconds",
	} {
		kinds[name] = "of every process"
	}
	rules, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range append(dashboard(t), string(rules)) {
		for _, name := range metric.FindAllString(text, -1) {
			if kinds[name] == "" && kinds[suffixes.ReplaceAllString(name, "")] != "histogram" {
				t.Errorf("%s is no metric of ours: %.200s", name, text)
			}
		}
	}
}

// TestQueriesOfTheDashboard has promtool evaluate each query over what a node exposes.
// Each has a value, or speaks of what has not happened yet.
func TestQueriesOfTheDashboard(t *testing.T) {
	s := service.Start(t, service.Config{Settings: "admin.app_metrics: 5"})
	l := one(t, s)
	connect(t, s)
	if err := backend(s, "app-secret").Trigger("news", "e", "d"); err != nil {
		t.Fatal(err)
	}
	l.Await("belfry_connections", Above(0))
	var b strings.Builder
	b.WriteString("groups:\n- name: dashboard\n  rules:\n")
	set := strings.NewReplacer("$__rate_interval", "5m", "$job", "belfry", "$instance", "node-1")
	queries := dashboard(t)
	for i, query := range queries {
		fmt.Fprintf(&b, "  - {record: 'query:%d', expr: '%s'}\n", i, strings.ReplaceAll(set.Replace(query), "'", "''"))
	}
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("promtool", "check", "rules", file).CombinedOutput(); err != nil {
		t.Fatalf("promtool check rules: %v\n%s", err, out)
	}
	silent := regexp.MustCompile(`belfry_(cluster_|engine_members|subscriptions_refused|websocket_lost)`)
	least := 0
	for _, query := range queries {
		if !silent.MatchString(query) {
			least++
		}
	}
	l.expectResults(file, least)
}
