package belfry

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// dotted are names of code as pages write them: a package, and what is in it.
var dotted = regexp.MustCompile("`([a-z]+)((?:\\.[A-Za-z]\\w*)+)`")

func readPage(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestArchitectureListsEveryPackage: the table of packages has each of them, by
// its path or, beside a neighbour, by its last name.
func TestArchitectureListsEveryPackage(t *testing.T) {
	_, list, _ := strings.Cut(readPage(t, "ARCHITECTURE.md"), "\nImports point down this list")
	list, _, _ = strings.Cut(list, "\n## ")
	for _, p := range ours(load(t)) {
		if p.blackBox() {
			continue
		}
		if !strings.Contains(list, "`"+p.path()+"`") && !strings.Contains(list, "`"+path.Base(p.path())+"`") {
			t.Errorf("%s is not in the table of packages of ARCHITECTURE.md", p.path())
		}
	}
}

// TestArchitectureNamesWhatThereIs: a type, function or field that the page
// names is declared in that package. What has a new name there gets it here.
func TestArchitectureNamesWhatThereIs(t *testing.T) {
	declared := declarations(t)
	settings := readPage(t, "docs/configuration.md")
	for _, m := range dotted.FindAllStringSubmatch(readPage(t, "ARCHITECTURE.md"), -1) {
		names, ok := declared[m[1]]
		if !ok || strings.Contains(settings, m[0]) {
			continue // the library of somebody else, or a setting
		}
		for name := range strings.SplitSeq(m[2][1:], ".") {
			if !slices.Contains(names, name) {
				t.Errorf("ARCHITECTURE.md names %s, and package %s has no %s", m[0], m[1], name)
			}
		}
	}
}

// declarations are the names of everything that our packages declare, by the
// last name of the package.
func declarations(t *testing.T) map[string][]string {
	t.Helper()
	all := make(map[string][]string)
	eachText(t, func(file, text string) {
		if path.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				all[f.Name.Name] = append(all[f.Name.Name], n.Name.Name)
				return false
			case *ast.TypeSpec:
				all[f.Name.Name] = append(all[f.Name.Name], n.Name.Name)
			case *ast.Field:
				for _, name := range n.Names {
					all[f.Name.Name] = append(all[f.Name.Name], name.Name)
				}
			case *ast.ValueSpec:
				for _, name := range n.Names {
					all[f.Name.Name] = append(all[f.Name.Name], name.Name)
				}
			}
			return true
		})
	})
	return all
}
