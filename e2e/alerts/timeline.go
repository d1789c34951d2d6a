package alerts

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/e2e/service"
)

// rulesFile is where the rules are, wherever the tests run.
var rulesFile = filepath.Join(root(), "packaging", "prometheus", "belfry.rules.yaml")

// root is the directory of the module.
func root() string {
	dir, err := os.Getwd()
	for err == nil && dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	return dir
}

const (
	// quiet is for how many minutes all is as in the first scrape, settled for how
	// many it is as in the last.
	quiet, settled = 20, 8
	scrapeTimeout  = 2 * time.Second
)

// A Timeline is what Prometheus would have of some targets: one sample of every
// series for each scrape.
type Timeline struct {
	t       testing.TB
	targets map[string]string // addresses of administration ports by instance
	began   time.Time
	scrapes []map[string]string // values by series
}

// Watch begins a timeline. The targets are there and well.
func Watch(t testing.TB, targets map[string]string) *Timeline {
	t.Helper()
	if _, err := exec.LookPath("promtool"); err != nil {
		if os.Getenv("E2E_REQUIRED") != "" {
			t.Fatal(err)
		}
		t.Skip("promtool is not here; make setup installs it")
	}
	l := &Timeline{t: t, targets: targets, began: time.Now()}
	l.Scrape()
	return l
}

// Forget takes an instance out of the targets, as if it had never been among them.
func (l *Timeline) Forget(instance string) {
	delete(l.targets, instance)
	for _, scrape := range l.scrapes {
		maps.DeleteFunc(scrape, func(series, _ string) bool { return strings.Contains(series, fmt.Sprintf(`instance=%q`, instance)) })
	}
}

// Move makes an instance another process from the next scrape on.
func (l *Timeline) Move(instance, address string) { l.targets[instance] = address }

// Scrape asks all targets once.
func (l *Timeline) Scrape() map[string]string {
	l.t.Helper()
	all := map[string]string{}
	for _, instance := range slices.Sorted(maps.Keys(l.targets)) {
		up := fmt.Sprintf(`up{instance=%q,job="belfry"}`, instance)
		samples, err := l.ask(instance)
		if err != nil {
			all[up] = "0"
			continue
		}
		all[up] = "1"
		maps.Copy(all, samples)
	}
	l.scrapes = append(l.scrapes, all)
	return all
}

// Await scrapes until a series of node-1 is as wanted, and keeps the last scrape alone.
func (l *Timeline) Await(series string, ok func(value float64) bool) {
	l.t.Helper()
	l.await("node-1", series, ok)
}

func (l *Timeline) await(instance, series string, ok func(value float64) bool) {
	l.t.Helper()
	base, labels, _ := strings.Cut(series, "{")
	if labels = strings.TrimSuffix(labels, "}"); labels != "" {
		labels = "," + labels
	}
	name := fmt.Sprintf(`%s{instance=%q,job="belfry"%s}`, base, instance, labels)
	for end := time.Now().Add(service.Patience); ; time.Sleep(20 * time.Millisecond) {
		text := l.Scrape()[name]
		if value, err := strconv.ParseFloat(text, 64); err == nil && ok(value) {
			return
		}
		if time.Now().After(end) {
			l.t.Fatalf("%s is %q after %v", name, text, service.Patience)
		}
		l.scrapes = l.scrapes[:len(l.scrapes)-1]
	}
}

// Above is for Await.
func Above(least float64) func(float64) bool { return func(v float64) bool { return v > least } }

// ask returns the samples of a target, with the labels that Prometheus adds. Times are
// counted from the beginning of the timeline, as its clock does.
func (l *Timeline) ask(instance string) (map[string]string, error) {
	client := &http.Client{Timeout: scrapeTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + l.targets[instance] + "/metrics")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	samples := map[string]string{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || line[0] == '#' {
			continue
		}
		name, labels, _ := strings.Cut(strings.TrimSuffix(line[:at], "}"), "{")
		value := line[at+1:]
		if strings.HasSuffix(name, "_expires_timestamp_seconds") {
			moment, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return nil, err
			}
			value = fmt.Sprint(moment - float64(l.began.Unix()))
		}
		if labels != "" {
			labels = "," + labels
		}
		samples[fmt.Sprintf(`%s{instance=%q,job="belfry"%s}`, name, instance, labels)] = value
	}
	return samples, nil
}

// values is the sample of each minute of a series.
func (l *Timeline) values(series string) string {
	var list []string
	for i, scrape := range l.scrapes {
		value, there := scrape[series]
		if !there {
			value = "_"
			if i > 0 && l.scrapes[i-1][series] != "" {
				value = "stale"
			}
		}
		times := 1
		switch i {
		case 0:
			times = quiet
		case len(l.scrapes) - 1:
			times = settled
		}
		for n := range times {
			if n > 0 && value == "stale" {
				value = "_"
			}
			list = append(list, value)
		}
	}
	return strings.Join(list, " ")
}

// Expect has promtool evaluate the rules. Alerts are written as "BelfryDown node-1".
func (l *Timeline) Expect(alerts ...string) {
	l.t.Helper()
	const firing = `count by (alertname, instance) (ALERTS{alertstate="firing"})`
	var after strings.Builder
	for _, alert := range alerts {
		name, instance, _ := strings.Cut(alert, " ")
		fmt.Fprintf(&after, "\n    - {labels: '{alertname=%q,instance=%q}', value: 1}", name, instance)
	}
	l.evaluate(rulesFile, fmt.Sprintf("  - {expr: '%s', eval_time: %dm}\n  - expr: '%s'\n    eval_time: %dm\n    exp_samples:%s\n",
		firing, quiet-1, firing, l.end(), after.String()))
}

// expectResults has promtool evaluate recording rules, of which so many have results in
// the end.
func (l *Timeline) expectResults(rules string, least int) {
	l.t.Helper()
	l.evaluate(rules, fmt.Sprintf("  - expr: 'count(count by (__name__) ({__name__=~\"query:.+\"})) >= bool %d'\n    eval_time: %dm\n    exp_samples: [{labels: '{}', value: 1}]\n",
		least, l.end()))
}

// end is the last minute of the timeline.
func (l *Timeline) end() int { return quiet + settled + len(l.scrapes) - 3 }

// evaluate runs a test of rules over the timeline.
func (l *Timeline) evaluate(rulesFile, expected string) {
	l.t.Helper()
	rules, err := filepath.Abs(rulesFile)
	if err != nil {
		l.t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "rule_files: [%q]\nevaluation_interval: 1m\ntests:\n- interval: 1m\n  input_series:\n", rules)
	series := map[string]bool{}
	for _, scrape := range l.scrapes {
		for name := range scrape {
			series[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(series)) {
		fmt.Fprintf(&b, "  - {series: '%s', values: '%s'}\n", strings.ReplaceAll(name, "'", "''"), l.values(name))
	}
	b.WriteString("  promql_expr_test:\n" + expected)
	file := filepath.Join(l.t.TempDir(), "test.yaml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		l.t.Fatal(err)
	}
	if out, err := exec.Command("promtool", "test", "rules", file).CombinedOutput(); err != nil {
		l.t.Errorf("promtool test rules: %v\n%s", err, out)
	}
}
