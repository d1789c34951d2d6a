package main

import (
	"bytes"
	"compress/gzip"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/evanw/esbuild/pkg/api"

	"github.com/belfryhq/belfry/web/console"
)

// source is where the console is, seen from here.
const source = "../../../web/console"

// needPackages skips a test in a tree in which npm has not run.
func needPackages(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(source, "node_modules", "preact")); err != nil {
		if os.Getenv("E2E_REQUIRED") != "" {
			t.Fatal("the packages of the console are missing: scripts/setup gets them")
		}
		t.Skip("the packages of the console are missing: scripts/setup gets them")
	}
}

// TestTypesAreThoseOfTheAPI needs no packages, so it tells whoever changes the
// API.
func TestTypesAreThoseOfTheAPI(t *testing.T) {
	text, err := schema(filepath.Join(source, "../../internal/admin/openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if written, err := os.ReadFile(filepath.Join(source, schemaFile)); err != nil || !bytes.Equal(text, written) {
		t.Errorf("%s is not what openapi.yaml describes: go generate ./web/console (%v)", schemaFile, err)
	}
}

func TestCommittedFilesAreWhatTheSourceBuilds(t *testing.T) {
	needPackages(t)
	want, err := build(source)
	if err != nil {
		t.Fatal(err)
	}
	got := console.Files()
	for name, body := range want {
		if !bytes.Equal(got[name], body) {
			t.Errorf("dist/%s is not what the source builds: go generate ./web/console", name)
		}
		delete(got, name)
	}
	for name := range got {
		t.Errorf("dist/%s is built from nothing: go generate ./web/console", name)
	}
}

// The budget is what a page of a console may cost somebody on a bad line.
const (
	maxBytes      = 250 << 10
	maxCompressed = 80 << 10
)

func TestFilesStayWithinTheirBudget(t *testing.T) {
	plain, compressed := 0, 0
	for name, body := range console.Files() {
		if name == "LICENSES.txt" {
			continue // no page loads it
		}
		var b bytes.Buffer
		z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := z.Write(body); err != nil || z.Close() != nil {
			t.Fatal(err)
		}
		plain, compressed = plain+len(body), compressed+b.Len()
	}
	t.Logf("%d bytes, %d compressed", plain, compressed)
	if plain > maxBytes || compressed > maxCompressed {
		t.Errorf("the console has %d bytes, %d compressed, want at most %d and %d", plain, compressed, maxBytes, maxCompressed)
	}
}

// TestNothingIsMadeOfMarkup: what strangers wrote becomes text and nothing else.
// The browser holds the page to it as well (Trusted Types).
func TestNothingIsMadeOfMarkup(t *testing.T) {
	for _, path := range sources(t, "") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"dangerouslySetInnerHTML", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "https://", "http://"} {
			if strings.Contains(strings.ReplaceAll(string(text), "http://www.w3.org/2000/svg", ""), word) && !strings.HasSuffix(path, "schema.ts") {
				t.Errorf("%s has %s", path, word)
			}
		}
	}
}

// TestEachKeyLeadsToOnePage: those of the service and of an app are pressed at the
// same place.
func TestEachKeyLeadsToOnePage(t *testing.T) {
	key := regexp.MustCompile(`menu: \{ of: "(?:service|app)", key: "(.)"`)
	pages := make(map[string]string)
	for _, path := range sources(t, ".tsx") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range key.FindAllStringSubmatch(string(text), -1) {
			if other, ok := pages[m[1]]; ok {
				t.Errorf("%s and %s have the key %s", other, path, m[1])
			}
			pages[m[1]] = path
		}
	}
	if len(pages) < 10 {
		t.Errorf("%d pages have keys: is the menu written otherwise?", len(pages))
	}
}

func TestTypesAreRight(t *testing.T) {
	needPackages(t)
	out, err := exec.CommandContext(t.Context(), "node", filepath.Join(source, "node_modules/typescript/bin/tsc"), "-p", source).CombinedOutput()
	if err != nil {
		t.Errorf("tsc: %v\n%s", err, out)
	}
}

// sources are the absolute paths of the sources that end so.
func sources(t *testing.T, suffix string) (list []string) {
	t.Helper()
	root, err := filepath.Abs(filepath.Join(source, "src"))
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, suffix) {
			list = append(list, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestLogic runs the tests of what needs no browser.
func TestLogic(t *testing.T) {
	needPackages(t)
	tests := sources(t, ".test.ts")
	if len(tests) == 0 {
		t.Fatal("there are no tests")
	}
	dir := t.TempDir()
	built := api.Build(api.BuildOptions{
		EntryPoints: tests, Outdir: dir, Bundle: true, Write: true, Format: api.FormatESModule, Platform: api.PlatformNode,
		OutExtension: map[string]string{".js": ".mjs"}, LogLevel: api.LogLevelSilent,
	})
	if len(built.Errors) > 0 {
		t.Fatal(api.FormatMessages(built.Errors, api.FormatMessagesOptions{}))
	}
	var files []string
	for _, f := range built.OutputFiles {
		files = append(files, f.Path)
	}
	node := exec.CommandContext(t.Context(), "node", append([]string{"--test"}, files...)...)
	docs, err := filepath.Abs("../../../docs")
	if err != nil {
		t.Fatal(err)
	}
	node.Env = append(os.Environ(), "BELFRY_DOCS="+docs)
	if out, err := node.CombinedOutput(); err != nil {
		t.Errorf("node --test: %v\n%s", err, out)
	}
}
