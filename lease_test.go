package belfry

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// readers are the packages that may know how long a node may be silent, and why.
// To all others the mesh says whom it suspects, and the roster who is dead.
var readers = map[string]string{
	"internal/cluster/broker/mesh":       "it suspects nodes that are silent",
	"internal/cluster/broker/natsbroker": "it hands the lease on to the mesh",
	"internal/cluster/broker/membroker":  "it hands the lease on to the mesh",
	"internal/cluster/roster/natsroster": "it decides that a node is dead, and takes itself for dead by its own clock when it can not write",
	"internal/cluster/broker/brokertest": "it tests what is promised of leases",
	"internal/cluster/roster/rostertest": "it tests what is promised of leases",
	"internal/engine":                    "NATS gives up connections before the lease is over",
	"internal/config":                    "it reads the setting",
	"internal/server":                    "it hands the setting to those above",
	"internal/admin":                     "it shows the lease to operators",
	"cmd/belfry/internal/tables":         "it shows the lease to operators",
}

// TestLeaseIsReadInFewPlaces: whether a node is silent for too long is one question,
// and so it has one answer.
func TestLeaseIsReadInFewPlaces(t *testing.T) {
	set := token.NewFileSet()
	eachText(t, func(path, text string) {
		dir := filepath.ToSlash(filepath.Dir(path))
		top, _, _ := strings.Cut(dir, "/")
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || readers[dir] != "" || slices.Contains(blackBoxes, top) {
			return
		}
		file, err := parser.ParseFile(set, path, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && (strings.HasPrefix(id.Name, "lease") || strings.HasSuffix(id.Name, "Lease")) {
				t.Errorf("%s: %s: this package is none of those that may know the lease", set.Position(n.Pos()), id.Name)
			}
			return true
		})
	})
}
