package belfry

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoTestWaitsForRealTime: a sleep in a test stands in a bubble of
// testing/synctest, where time passes at once, or at the end of a loop that looks
// for what the test waits for, or a comment says why there is nothing to look for.
func TestNoTestWaitsForRealTime(t *testing.T) {
	directories := make(map[string]*testFiles)
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".") && path != "."):
			return filepath.SkipDir
		case strings.HasSuffix(path, "_test.go"):
			dir := filepath.Dir(path)
			if directories[dir] == nil {
				directories[dir] = &testFiles{told: make(map[string]map[int]bool), bubbles: map[string]bool{"synctest.Test": true}}
			}
			return directories[dir].read(path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, files := range directories {
		for _, at := range files.bareSleeps() {
			t.Errorf("%s: a sleep outside of testing/synctest: wait for what is to happen, or say in a comment why there is nothing to wait for", at)
		}
	}
}

// testFiles are the test files of one directory.
type testFiles struct {
	set   token.FileSet
	decls []*ast.FuncDecl
	told  map[string]map[int]bool // lines that have a comment, or follow one

	// bubbles are functions that run the function literals which they are given
	// in a bubble.
	bubbles map[string]bool
}

func (f *testFiles) read(path string) error {
	file, err := parser.ParseFile(&f.set, path, nil, parser.ParseComments)
	if err != nil {
		return err
	}
	f.told[path] = make(map[int]bool)
	for _, group := range file.Comments {
		last := f.set.Position(group.End()).Line
		f.told[path][last], f.told[path][last+1] = true, true
	}
	for _, d := range file.Decls {
		if d, ok := d.(*ast.FuncDecl); ok && d.Body != nil {
			f.decls = append(f.decls, d)
		}
	}
	return nil
}

// bareSleeps are the sleeps for which there is no reason.
func (f *testFiles) bareSleeps() []token.Position {
	for grown := true; grown; {
		grown = false
		for _, d := range f.decls {
			if name := d.Name.Name; !f.bubbles[name] && !strings.HasPrefix(name, "Test") && f.makesBubble(d) {
				f.bubbles[name], grown = true, true
			}
		}
	}
	outside := f.outside()
	var bare []token.Position
	for _, d := range f.decls {
		if !outside[d.Name.Name] {
			continue
		}
		f.eachCall(d, func(name string, call *ast.CallExpr) {
			if at := f.set.Position(call.Pos()); name == "time.Sleep" && !f.told[at.Filename][at.Line] {
				bare = append(bare, at)
			}
		})
	}
	return bare
}

// makesBubble reports whether a function calls one that makes a bubble.
func (f *testFiles) makesBubble(d *ast.FuncDecl) (makes bool) {
	ast.Inspect(d.Body, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && f.bubbles[called(call)] {
			makes = true
		}
		return !makes
	})
	return makes
}

// outside are the functions that run outside of bubbles: those that the test
// binary calls, and those that they call there.
func (f *testFiles) outside() map[string]bool {
	outside := make(map[string]bool)
	for grown := true; grown; {
		grown = false
		for _, d := range f.decls {
			entry := d.Recv == nil && (strings.HasPrefix(d.Name.Name, "Test") || strings.HasPrefix(d.Name.Name, "Benchmark") || strings.HasPrefix(d.Name.Name, "Fuzz"))
			if !entry && !outside[d.Name.Name] {
				continue
			}
			grown = grown || !outside[d.Name.Name]
			outside[d.Name.Name] = true
			f.eachCall(d, func(name string, _ *ast.CallExpr) {
				grown = grown || !outside[name]
				outside[name] = true
			})
		}
	}
	return outside
}

// eachCall passes on the calls that a function makes outside of bubbles, but
// for those that come last in a loop, before it looks again.
func (f *testFiles) eachCall(d *ast.FuncDecl, do func(name string, call *ast.CallExpr)) {
	var visit func(n ast.Node) bool
	visit = func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ForStmt:
			for _, part := range []ast.Node{n.Init, n.Cond} {
				if part != nil {
					ast.Inspect(part, visit)
				}
			}
			list := n.Body.List
			if last := len(list) - 1; last >= 0 && sleeps(list[last]) {
				list = list[:last]
			}
			for _, s := range list {
				ast.Inspect(s, visit)
			}
			return false
		case *ast.CallExpr:
			if f.bubbles[called(n)] {
				return false
			}
			do(called(n), n)
		}
		return true
	}
	ast.Inspect(d.Body, visit)
}

// sleeps reports whether a statement is a sleep and nothing else.
func sleeps(s ast.Stmt) bool {
	e, ok := s.(*ast.ExprStmt)
	if !ok {
		return false
	}
	call, ok := e.X.(*ast.CallExpr)
	return ok && called(call) == "time.Sleep"
}

// called is the name of the function or method of a call, with that of the
// package if it is one of those that matter here.
func called(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok && (x.Name == "time" || x.Name == "synctest") {
			return x.Name + "." + f.Sel.Name
		}
		return f.Sel.Name
	}
	return ""
}
