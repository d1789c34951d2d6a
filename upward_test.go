package belfry

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mostUpward is how many of the references between the files of a package may
// run upward, in percent.
var mostUpward = map[string]int{
	"client":                    10,
	"internal/hub":              18,
	"internal/webhook":          15,
	"internal/webhook/queue":    15,
	"internal/webhook/delivery": 15,
	"internal/webhook/handover": 15,
}

// elsewhere is the limit of packages that mostUpward does not name, and
// fewReferences what a package needs at least to be measured.
const (
	elsewhere     = 30
	fewReferences = 40
)

// A reference is that one file uses something that another one declares: a
// type, function, method, field, variable or constant. It counts once, however
// often and whatever is used.
type reference struct{ from, to string }

// TestReferencesRunDownward holds the files of each package to an order in
// which a file knows those below it. The order is the one with the fewest
// references upward that a search finds; what is left are circles, in which
// no file can be understood alone. With -v it prints them all.
func TestReferencesRunDownward(t *testing.T) {
	for _, p := range listed(t) {
		uses := p.references(t)
		order := downward(p.GoFiles, uses)
		up := upward(order, uses)
		if len(uses) == 0 {
			continue
		}
		share := 100 * len(up) / len(uses)
		most, named := mostUpward[p.path()]
		if !named && len(uses) >= fewReferences {
			most, named = elsewhere, true
		}
		report := fmt.Sprintf("%s: %d of %d references run upward (%d %%)\n%s", p.path(), len(up), len(uses), share, offenders(up))
		if named && share > most {
			t.Errorf("at most %d %% may, but in %s", most, report)
		} else {
			t.Log(report)
		}
		if testing.Verbose() && len(up) > 0 {
			t.Logf("the order of %s, from the top: %s", p.path(), strings.Join(order, " "))
		}
	}
}

// A source is what is needed to check the types of a package.
type source struct {
	pkg
	Dir, Export string
	GoFiles     []string
	DepOnly     bool
	exports     map[string]string // of what it imports, by path
}

// listed are our packages.
func listed(t *testing.T) []source {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps",
		"-json=ImportPath,Dir,Export,GoFiles,DepOnly", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var own []source
	exports := make(map[string]string)
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p source
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return own
		} else if err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
		if p.exports = exports; !p.DepOnly {
			own = append(own, p)
		}
	}
}

// references are those between the files of the package.
func (p source) references(t *testing.T) map[reference]bool {
	t.Helper()
	var files []*ast.File
	set := token.NewFileSet()
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(set, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	imports := importer.ForCompiler(set, "gc", func(path string) (io.ReadCloser, error) { return os.Open(p.exports[path]) })
	info := types.Info{Uses: make(map[*ast.Ident]types.Object)}
	checked, err := (&types.Config{Importer: imports}).Check(p.ImportPath, set, files, &info)
	if err != nil {
		t.Fatal(err)
	}
	uses := make(map[reference]bool)
	for name, object := range info.Uses {
		if object.Pkg() != checked {
			continue
		}
		r := reference{filepath.Base(set.Position(name.Pos()).Filename), filepath.Base(set.Position(object.Pos()).Filename)}
		if r.from != r.to {
			uses[r] = true
		}
	}
	return uses
}

// downward orders files so that as few references as possible run from one to
// another above it. It is a search, always the same, from several beginnings.
func downward(files []string, uses map[reference]bool) []string {
	random := rand.New(rand.NewPCG(1, 1))
	best := slices.Clone(files)
	for range 50 {
		order := slices.Clone(files)
		random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for better := true; better; {
			better = false
			for i := range order {
				if to := place(order, i, uses); to != i {
					file := order[i]
					order = slices.Insert(slices.Delete(order, i, i+1), to, file)
					better = true
				}
			}
		}
		if len(upward(order, uses)) < len(upward(best, uses)) {
			best = order
		}
	}
	return best
}

// place is where a file saves the most references upward, or where it is.
func place(order []string, i int, uses map[reference]bool) int {
	// cost is how many references more run upward with one file below another.
	cost := func(above, below string) (n int) {
		if uses[reference{below, above}] {
			n++
		}
		if uses[reference{above, below}] {
			n--
		}
		return n
	}
	to, least := i, 0
	for j, change := i-1, 0; j >= 0; j-- {
		if change += cost(order[i], order[j]); change < least {
			to, least = j, change
		}
	}
	for j, change := i+1, 0; j < len(order); j++ {
		if change += cost(order[j], order[i]); change < least {
			to, least = j, change
		}
	}
	return to
}

// upward are the references that run up in an order that begins at the top.
func upward(order []string, uses map[reference]bool) (up []reference) {
	at := make(map[string]int, len(order))
	for i, file := range order {
		at[file] = i
	}
	for r := range uses {
		if at[r.to] < at[r.from] {
			up = append(up, r)
		}
	}
	slices.SortFunc(up, func(a, b reference) int { return cmp.Or(strings.Compare(a.from, b.from), strings.Compare(a.to, b.to)) })
	return up
}

// offenders lists the references upward, of the file that has most of them
// first.
func offenders(up []reference) string {
	by := make(map[string][]string)
	for _, r := range up {
		by[r.from] = append(by[r.from], r.to)
	}
	files := make([]string, 0, len(by))
	for file := range by {
		files = append(files, file)
	}
	slices.SortFunc(files, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(by[b]), len(by[a])), strings.Compare(a, b))
	})
	var text strings.Builder
	for _, file := range files {
		fmt.Fprintf(&text, "\t%s uses %s\n", file, strings.Join(by[file], ", "))
	}
	return text.String()
}
