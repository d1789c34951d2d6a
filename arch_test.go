// Package belfry has no code. Its test holds the arrows between packages that
// ARCHITECTURE.md draws.
package belfry

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/belfryhq/belfry"

// layers are the packages from the bottom to the top. A package imports only
// packages of lower layers; a new one is given its place here.
var layers = [][]string{
	{
		"internal/rawjson", "internal/setting", "internal/rate", "internal/datadir", "internal/hostname", "internal/intern", "internal/cluster/node", "internal/mount", "internal/wakeup", "internal/backoff", "internal/keyed", "internal/natstest",
		"internal/forwarded", "internal/certificate", "internal/certificate/certificatetest", "internal/push/notification", "internal/egress",
	},
	{"internal/push/exchange", "internal/push/pushtest"},
	{"internal/push/pushtest/providers"},
	{"internal/push/apns", "internal/push/fcm", "internal/push/webpush", "internal/push/lane"},
	{"protocol", "internal/jsonhttp", "internal/admission", "internal/engine", "internal/expiry", "internal/ticket"},
	{"internal/push/work"},
	{"internal/push/callback"},
	{"internal/push/fanout"},
	{"internal/accept", "internal/apps", "internal/follow", "internal/frame", "backend", "client"},
	{"internal/idempotency", "internal/push/devices"},
	{"web/console", "docs", "internal/access"},
	{"internal/console", "internal/tokenstore", "internal/audit"},
	{"internal/loop", "internal/trace", "internal/keyuse", "internal/visitor", "internal/history", "internal/survey", "internal/acme", "internal/appstore", "internal/usage", "internal/cluster/broker", "internal/cluster/roster", "internal/webhook/queue", "backend/pusher"},
	{"internal/webhook/sent", "internal/history/recall", "internal/history/durable", "internal/cluster/peers", "internal/http1"},
	{"internal/faults", "internal/journal", "internal/cluster/broker/mesh", "internal/cluster/broker/brokertest", "internal/cluster/roster/local", "internal/cluster/roster/rostertest", "internal/webhook/queue/queuetest", "internal/webhook/delivery", "internal/webhook/handover"},
	{"internal/cluster/broker/membroker", "internal/cluster/broker/natsbroker", "internal/cluster/roster/natsroster", "internal/cluster/relay"},
	{"internal/hub"},
	{"internal/webhook", "internal/listing"},
	{"internal/ws", "internal/fallback", "web", "internal/httpapi", "internal/admin", "internal/devsite", "internal/tap", "internal/explain", "internal/inspect", "internal/signing"},
	{"internal/push/payload", "internal/push/pushapi"},
	{"internal/push/native", "internal/push/beams"},
	{"internal/push/reports"},
	{"internal/server"},
	{"internal/config", "belfrytest"},
	{"internal/console/bundle"},
	{"cmd/belfry/internal/bench", "cmd/belfry/internal/reach", "cmd/belfry/internal/doctor", "cmd/belfry/internal/importer", "cmd/belfry/internal/errortext", "cmd/belfry/internal/terminal", "cmd/belfry/internal/subprocess", "cmd/belfry/internal/serving", "cmd/belfry/internal/cli"},
	{"cmd/belfry/internal/adminclient", "cmd/belfry/internal/target"},
	{"cmd/belfry/internal/tables", "cmd/belfry/internal/watch"},
	{"cmd/belfry/internal/operator"},
	{"cmd/belfry", "internal/release", "internal/proof"},
}

// parts are put together by internal/server; nothing above it imports them.
var parts = []string{"internal/ws", "internal/fallback", "web", "internal/fallback", "web", "internal/httpapi", "internal/admin", "internal/access", "internal/console", "internal/webhook", "internal/webhook/queue", "internal/webhook/delivery", "internal/webhook/handover", "internal/webhook/sent", "internal/engine", "internal/loop", "internal/hub"}

// blackBoxes are directories whose programs meet the service from outside, as
// other people's do. Neither they nor their tests know a package of it, other
// than those that everybody may use.
var blackBoxes = []string{"conformance", "e2e", "examples"}

// A pkg is what go list says of a package.
type pkg struct {
	ImportPath   string
	Doc          string
	Standard     bool
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// path is the import path within the module, "." for its root.
func (p pkg) path() string {
	if p.ImportPath == module {
		return "."
	}
	return strings.TrimPrefix(p.ImportPath, module+"/")
}

func (p pkg) ours() bool {
	return p.ImportPath == module || strings.HasPrefix(p.ImportPath, module+"/")
}

func (p pkg) blackBox() bool {
	top, _, _ := strings.Cut(p.path(), "/")
	return slices.Contains(blackBoxes, top)
}

// public reports whether programs of other people may import the package.
func (p pkg) public() bool {
	return p.path() != "." && !p.blackBox() &&
		!strings.HasPrefix(p.path(), "internal/") && !strings.HasPrefix(p.path(), "cmd/")
}

// load lists our packages and everything that they stand on.
func load(t *testing.T) map[string]pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps",
		"-json=ImportPath,Doc,Standard,Imports,TestImports,XTestImports", "./...")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	all := make(map[string]pkg)
	for d := json.NewDecoder(out); ; {
		var p pkg
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		all[p.ImportPath] = p
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	return all
}

// ours are the packages of this module among all.
func ours(all map[string]pkg) []pkg {
	var some []pkg
	for _, p := range all {
		if p.ours() && p.path() != "." {
			some = append(some, p)
		}
	}
	slices.SortFunc(some, func(a, b pkg) int { return strings.Compare(a.ImportPath, b.ImportPath) })
	return some
}

// layer is the place of a package in layers, -1 if it has none.
func layer(path string) int {
	return slices.IndexFunc(layers, func(l []string) bool { return slices.Contains(l, path) })
}

func TestImportsPointOneWay(t *testing.T) {
	all := load(t)
	for _, p := range ours(all) {
		if p.blackBox() {
			continue
		}
		from := layer(p.path())
		if from < 0 {
			t.Errorf("%s is in no layer: give it its place in arch_test.go", p.path())
			continue
		}
		for _, i := range p.Imports {
			imported := all[i]
			if imported.ours() && layer(imported.path()) >= from {
				t.Errorf("%s imports %s, which is not below it", p.path(), imported.path())
			}
		}
	}
}

// TestServerAssemblesTheParts: above the server nobody knows what it is made
// of.
func TestServerAssemblesTheParts(t *testing.T) {
	all := load(t)
	for _, p := range ours(all) {
		if layer(p.path()) <= layer("internal/server") {
			continue
		}
		for _, i := range p.Imports {
			if slices.Contains(parts, all[i].path()) {
				t.Errorf("%s imports %s, which only internal/server assembles", p.path(), all[i].path())
			}
		}
	}
}

// TestPublicPackagesStandOnProtocolAlone: but for belfrytest, which starts the
// service, and packages inside of others, which stand on those.
func TestPublicPackagesStandOnProtocolAlone(t *testing.T) {
	all := load(t)
	allowed := []string{"protocol", "internal/rawjson"}
	for _, p := range ours(all) {
		if !p.public() || p.path() == "belfrytest" {
			continue
		}
		for _, i := range p.Imports {
			inside := strings.HasPrefix(p.path(), all[i].path()+"/")
			if all[i].ours() && !inside && !slices.Contains(allowed, all[i].path()) {
				t.Errorf("%s imports %s; a public package may import only protocol of ours", p.path(), all[i].path())
			}
		}
	}
}

func TestProtocolNeedsOnlyTheStandardLibrary(t *testing.T) {
	all := load(t)
	for _, path := range []string{"protocol", "internal/rawjson"} {
		for _, i := range all[module+"/"+path].Imports {
			if !all[i].Standard && !all[i].ours() {
				t.Errorf("%s imports %s", path, i)
			}
		}
	}
}

// TestHubPerformsNoIO: the hub knows neither transports nor files.
func TestHubPerformsNoIO(t *testing.T) {
	for _, i := range load(t)[module+"/internal/hub"].Imports {
		if slices.Contains([]string{"net", "net/http", "os", "io", "bufio", "syscall"}, i) ||
			strings.Contains(i, "/ws") {
			t.Errorf("internal/hub imports %s", i)
		}
	}
}

func TestBlackBoxesKnowNothingInside(t *testing.T) {
	for _, p := range ours(load(t)) {
		if !p.blackBox() {
			continue
		}
		for _, i := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			if strings.HasPrefix(i, module+"/internal/") || strings.HasPrefix(i, module+"/cmd/") {
				t.Errorf("%s imports %s", p.path(), i)
			}
		}
	}
}

// TestKeptContextsSayWhy: a context is passed to those who need it. One that a
// struct keeps has a comment that says why, or whose it is.
func TestKeptContextsSayWhy(t *testing.T) {
	for _, p := range listed(t) {
		for _, file := range p.GoFiles {
			set := token.NewFileSet()
			f, err := parser.ParseFile(set, filepath.Join(p.Dir, file), nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				s, ok := n.(*ast.StructType)
				if !ok {
					return true
				}
				for _, field := range s.Fields.List {
					if types.ExprString(field.Type) == "context.Context" && field.Doc == nil && field.Comment == nil {
						t.Errorf("%s: a context is kept and no comment says why", set.Position(field.Pos()))
					}
				}
				return true
			})
		}
	}
}

func TestEveryPackageSaysWhatItKnows(t *testing.T) {
	for _, p := range ours(load(t)) {
		name := p.path()[strings.LastIndex(p.path(), "/")+1:]
		want := "Package " + name + " "
		if strings.HasPrefix(p.path(), "cmd/") || strings.HasPrefix(p.path(), "examples/") {
			want = "" // any sentence about the program
		}
		if p.Doc == "" || !strings.HasPrefix(p.Doc, want) {
			t.Errorf("%s is documented as %q, want a comment that starts %q", p.path(), p.Doc, want)
		}
	}
}

// TestErrorTextsKnowEveryPackage: the errors that commands print are told without
// the names of the packages that they come from.
func TestErrorTextsKnowEveryPackage(t *testing.T) {
	const file = "cmd/belfry/internal/errortext/errortext.go"
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, p := range ours(load(t)) {
		top, _, _ := strings.Cut(p.path(), "/")
		inside := strings.HasPrefix(p.path(), "cmd/belfry/internal/")
		if inside || slices.Contains([]string{"internal", "backend", "client", "protocol", "belfrytest", "web"}, top) {
			want = append(want, strconv.Quote(p.path()[strings.LastIndex(p.path(), "/")+1:]))
		}
	}
	slices.Sort(want)
	want = slices.Compact(want)
	_, list, _ := strings.Cut(string(source), "var packages = []string{")
	list, _, _ = strings.Cut(list, "\n}")
	if got := strings.Fields(strings.ReplaceAll(list, ",", " ")); !slices.Equal(got, want) {
		t.Errorf("the packages in %s are\n%s\nwant\n%s", file, strings.Join(got, " "), strings.Join(want, " "))
	}
}
