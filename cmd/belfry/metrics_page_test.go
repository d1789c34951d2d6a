package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/belfryhq/belfry/cmd/belfry/internal/serving"
	"github.com/belfryhq/belfry/internal/acme"
	"github.com/belfryhq/belfry/internal/natstest"
	"github.com/belfryhq/belfry/internal/server"
)

var updateMetrics = flag.Bool("update-metrics", false, "write the tables of docs/metrics.md instead of comparing them")

const metricsPage = "../../docs/metrics.md"

// A family is a metric as its description has it.
type family struct{ name, kind, labels, help string }

var metricDescription = regexp.MustCompile(`^Desc{fqName: "([^"]*)", help: "(.*)", unit: "[^"]*", constLabels: {(.*)}, variableLabels: {(.*)}}$`)

// exposed returns every metric that belfry exposes, of nodes of every kind. A
// description is there before the first sample is.
func exposed(t *testing.T) map[string]family {
	t.Helper()
	all := map[string]family{}
	nats := natstest.Start(t, natstest.Kept(-1, t.TempDir()))
	one, two := "127.0.0.1:"+freePort(t), "127.0.0.1:"+freePort(t)
	peer := func(listen string, witness bool) server.Config {
		return server.Config{DataDir: t.TempDir(), Cluster: server.ClusterConfig{
			Name: "node" + listen[len(listen)-2:], Listen: listen, Join: []string{one, two}, Secret: "a secret of the cluster", Witness: witness,
		}}
	}
	for _, together := range [][]server.Config{
		{{AppMetrics: 1}},
		{{DataDir: t.TempDir(), TLSListen: "127.0.0.1:0", ACME: acme.Settings{Domains: []string{"belfry.test"}, Directory: "https://127.0.0.1:1/directory"}}},
		{{EngineURL: nats.ClientURL()}},
		{peer(one, false), peer(two, true)},
	} {
		for _, node := range openAll(t, together) {
			addExposed(t, all, node)
		}
	}
	return all
}

// openAll starts nodes that may need each other. They end with the test.
func openAll(t *testing.T, configs []server.Config) []server.Node {
	t.Helper()
	nodes, failures := make([]server.Node, len(configs)), make([]error, len(configs))
	var starting, running sync.WaitGroup
	for i, cfg := range configs {
		cfg.Listen, cfg.AdminListen, cfg.DrainTimeout = "127.0.0.1:0", "127.0.0.1:0", time.Millisecond
		starting.Go(func() { nodes[i], failures[i] = server.Open(cfg) })
	}
	starting.Wait()
	ctx, cancel := context.WithCancel(context.Background())
	for _, node := range nodes {
		if node != nil {
			running.Go(func() { _ = node.Run(ctx) })
		}
	}
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	if err := errors.Join(failures...); err != nil {
		t.Fatal(err)
	}
	return nodes
}

// addExposed adds the metrics of a node.
func addExposed(t *testing.T, all map[string]family, node server.Node) {
	t.Helper()
	registry := node.Registerer().(*prometheus.Registry)
	new(serving.Reloader).Measure(registry)
	kinds := kindsOf(t, registry)
	descriptions := make(chan *prometheus.Desc)
	go func() {
		registry.Describe(descriptions)
		close(descriptions)
	}()
	for d := range descriptions {
		m := metricDescription.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("%s is not understood", d)
		}
		if !strings.HasPrefix(m[1], "belfry_") {
			continue
		}
		var labels []string
		for pair := range strings.SplitSeq(m[3]+","+m[4], ",") {
			if name, _, _ := strings.Cut(pair, "="); name != "" {
				labels = append(labels, name)
			}
		}
		f := family{name: m[1], kind: kinds[m[1]], labels: strings.Join(labels, ", "), help: strings.ReplaceAll(m[2], `\"`, `"`)}
		if f.kind == "" {
			f.kind = "gauge"
			if strings.HasSuffix(f.name, "_total") {
				f.kind = "counter"
			}
		}
		if f.name == "belfry_webhook_attempt_seconds" {
			f.kind = "histogram"
		}
		all[f.name] = f
	}
}

// kindsOf returns what the metrics are that have a sample.
func kindsOf(t *testing.T, from prometheus.Gatherer) map[string]string {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{}
	for _, f := range families {
		kinds[f.GetName()] = strings.ToLower(dto.MetricType_name[int32(f.GetType())])
	}
	return kinds
}

// chapters are the parts of the page, in its order. A metric belongs to the one with
// the longest of the beginnings that fit.
var chapters = []struct {
	title  string
	begins []string
}{
	{"Clients", []string{"connection", "client", "subscription", "deliveries", "events", "websocket", "fallback"}},
	{"Connecting", []string{"pending", "tls", "acme", "connection_attempts"}},
	{"Backends", []string{"http_api", "idempotency"}},
	{"Apps and their use", []string{"app", "usage"}},
	{"History", []string{"history"}},
	{"Webhooks", []string{"webhook"}},
	{"Cluster", []string{"cluster", "roster", "relay"}},
	{"The node", []string{""}},
}

func chapterOf(name string) int {
	best, length := len(chapters)-1, -1
	for i, c := range chapters {
		for _, begin := range c.begins {
			if strings.HasPrefix(name, "belfry_"+begin) && len(begin) > length {
				best, length = i, len(begin)
			}
		}
	}
	return best
}

// chapterTables writes the part of the page that is made.
func chapterTables(all map[string]family) []byte {
	var b bytes.Buffer
	list := slices.SortedFunc(maps.Values(all), func(x, y family) int { return cmp.Compare(x.name, y.name) })
	for i, c := range chapters {
		fmt.Fprintf(&b, "## %s\n\n| metric | kind | labels | what it is |\n| --- | --- | --- | --- |\n", c.title)
		for _, f := range list {
			if chapterOf(f.name) == i {
				fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.name, f.kind, f.labels, strings.ReplaceAll(f.help, "|", `\|`))
			}
		}
		b.WriteByte('\n')
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// TestMetricsPage: docs/metrics.md has every metric that a service exposes, and no other.
func TestMetricsPage(t *testing.T) {
	page, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	const from = "## Clients\n"
	at := bytes.Index(page, []byte(from))
	if at < 0 {
		t.Fatalf("%s has no %q", metricsPage, from)
	}
	want := append(bytes.Clone(page[:at]), chapterTables(exposed(t))...)
	if *updateMetrics {
		if err := os.WriteFile(metricsPage, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(page, want) {
		t.Errorf("%s is not what the service exposes; run go test ./cmd/belfry -run MetricsPage -update-metrics", metricsPage)
	}
}
