package belfry

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// ourWords were of this project alone. Each has a word of the field now, which
// a reader knows already.
var ourWords = map[string]*regexp.Regexp{
	"dead letter, replay":                      wordOf(`bury|buried|burials?|exhumes?|exhumed`),
	"handover, predecessor, successor":         wordOf(`heritages?|estates?|heirs?`),
	"takeover, take over":                      wordOf(`adopts?|adopted|adopter|deposes?|deposed`),
	"pending, unresolved":                      wordOf(`limbo`),
	"resync":                                   wordOf(`restates?|restated|restating|restatements?`),
	"snapshot":                                 wordOf(`images?`),
	"barrier (peers have confirmed)":           wordOf(`fences?`),
	"resync (of a node)":                       regexp.MustCompile(`(?i)\b(?:says?|said) everything again`),
	"debounce":                                 regexp.MustCompile(`(?i)state machine of a page`),
	"holder (a node), subscriber (a session)":  regexp.MustCompile(`\btype holders\b`),
	"shard, participant, component (of types)": regexp.MustCompile(`\btype (?:[a-z]\w*)?[pP]arts?\b`),
}

// wordOf finds one of the words, alone or in a name such as takeHeritage.
func wordOf(words string) *regexp.Regexp {
	return regexp.MustCompile(`(?:\b|_)(?:` + words + `)(?:\b|_)`)
}

// anyOfThem finds every line that may have one of the words.
var anyOfThem = regexp.MustCompile(`(?i)bur[yi]|exhum|heritage|estate|heir|adopt|depos|limbo|restat|image|fence|everything again|state machine of|type \w*(?:holder|part)`)

// An allowance says where one of the words may stand, and why.
type allowance struct {
	files string // as of path.Match, or a directory that ends in /
	text  string // what the line has; empty is any
	why   string
}

var allowances = []allowance{
	{"words_test.go", "", "it has to name them"},
	{"CHANGELOG.md", "", "it says what things were called before"},
	{"docs/design/2026-11-29-rooms.md", "", "it says what things were called before"},

	// On disk: what is there must still open.
	{"*", "belfry-webhooks-buried", "the name of a stream, on disk"},
	{"*", "belfry.webhooks.buried", "subjects of a stream, on disk"},
	{"internal/webhook/queue/claims.go", "belfry-webhooks-heirs", "the name of a bucket, on disk"},
	{"*", "roster-images", "the name of a stream, on disk"},
	{"internal/cluster/roster/natsroster/stream.go", "was called an image", "says why the stream has that name"},

	// The word in its own sense.
	{"*", "BELFRY_IMAGE", "an image of a container"},
	{"internal/config/", "ofImage", "an image of a container"},
	{"internal/config/", "an image", "an image of a container"},
	{"docs/kubernetes.md", "mage", "images of containers"},
	{"docs/install.md", "mage", "images of containers"},
	{"README.md", "image", "images of containers"},
	{"CONTRIBUTING.md", "the image that", "an image of a container"},
	{"cmd/belfry/main.go", "an image", "an image of a container"},
	{"ARCHITECTURE.md", "an image from scratch", "an image of a container"},
	{"packaging/", "mage", "images of containers"},
	{"e2e/install/", "", "images of containers, and of programs"},
	{"*", "image/svg+xml", "a type of media"},
	{"e2e/cluster/clock_linux_amd64_test.go", "", "the image of a program in memory"},
	{"internal/push/", "mage", "a key of FCM's messages"},
	{"web/console/src/api/client.ts", "type Part<", "of a request: its path, query or body"},
	{"internal/cluster/roster/natsroster/ledger.go", "type holders", "the one type of that name: the nodes that hold a subject"},
}

// covers reports whether a line of a file is let through.
func (a allowance) covers(file, line string) bool {
	in := a.files == "*" || a.files == file || strings.HasSuffix(a.files, "/") && strings.HasPrefix(file, a.files)
	return in && strings.Contains(line, a.text)
}

// spelled returns a line with the words of its names apart: takeHeritage is
// take heritage.
func spelled(line string) string {
	var b strings.Builder
	previous := ' '
	for _, r := range line {
		if unicode.IsUpper(r) && unicode.IsLower(previous) {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
		previous = r
	}
	return b.String()
}

// oursIn returns a word of ours that a line has, and what the field says for it.
func oursIn(line string) (found, better string) {
	if !anyOfThem.MatchString(line) {
		return "", "" // which is nearly always so, and quickly found out
	}
	for better, word := range ourWords {
		for _, text := range [...]string{spelled(line), line} {
			if found := word.FindString(text); found != "" {
				return strings.Trim(found, "_"), better
			}
		}
	}
	return "", ""
}

func TestWordsOfOursAreFound(t *testing.T) {
	for line, want := range map[string]string{
		"// What is Buried comes back.":     "buried",
		"func (s *Sender) takeHeritage() {": "heritage",
		"belfry_roster_restates_total":      "restates",
		`counter("deposed_total", "…")`:     "deposed",
		"the peer says everything again":    "says everything again",
		"type memPart struct {":             "type memPart",
		"type holders [2]uint64":            "type holders",
		"limbo.go":                          "limbo",
		"a part of theirs is in either":     "",
		"useState, nodestate, readOptional": "",
	} {
		if got, _ := oursIn(line); got != want {
			t.Errorf("oursIn(%q) = %q, want %q", line, got, want)
		}
	}
}

// TestWordsAreTheFieldsOwn: no line of code, comments, pages, metrics or flags
// has a word that only we used.
func TestWordsAreTheFieldsOwn(t *testing.T) {
	used := make([]bool, len(allowances))
	eachText(t, func(file, text string) {
		number := 0
		for line := range strings.Lines(text) {
			number++
			found, better := oursIn(line)
			if found == "" {
				continue
			}
			if i := slices.IndexFunc(allowances, func(a allowance) bool { return a.covers(file, line) }); i >= 0 {
				used[i] = true
				continue
			}
			t.Errorf("%s:%d: %q is a word of ours; the field says: %s", file, number, found, better)
		}
	})
	for i, a := range allowances {
		if !used[i] {
			t.Errorf("nothing needs the exception for %s %q (%s): take it out", a.files, a.text, a.why)
		}
	}
}

// eachText calls f with every text of ours.
func eachText(t *testing.T, f func(file, text string)) {
	t.Helper()
	skipped := []string{"node_modules", ".venv", ".git", "dist", "build", "bin", "testdata"}
	kinds := []string{".go", ".md", ".yaml", ".yml", ".sh", ".html", ".js", ".mjs", ".ts", ".tsx", ".css", ""}
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains(skipped, d.Name()):
			return fs.SkipDir
		case !d.Type().IsRegular() || !slices.Contains(kinds, path.Ext(file)):
			return nil
		}
		text, err := os.ReadFile(file)
		if err == nil && !strings.Contains(string(text), "\x00") {
			f(filepath.ToSlash(file), string(text))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestSharedNounsAreInTheGlossary: an exported type whose name another package
// has as well stands in ARCHITECTURE.md, under Words.
func TestSharedNounsAreInTheGlossary(t *testing.T) {
	page, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, glossary, found := strings.Cut(string(page), "\n## Words\n")
	if !found {
		t.Fatal("ARCHITECTURE.md has no section Words")
	}
	glossary, _, _ = strings.Cut(glossary, "\n## ")
	glossary = strings.ToLower(glossary)
	for name, packages := range exportedTypes(t) {
		noun := strings.ToLower(strings.TrimSpace(spelled(name)))
		if len(packages) > 1 && !strings.Contains(glossary, "\n| "+noun+" |") {
			t.Errorf("%s is a type of %s: give it one meaning, in a row %q of Words in ARCHITECTURE.md, or give one of them another name", name, strings.Join(packages, ", "), noun)
		}
	}
}

// exportedTypes are those of our packages, but for the public libraries, which
// have the words of their users, and packages for tests.
func exportedTypes(t *testing.T) map[string][]string {
	t.Helper()
	all := make(map[string][]string)
	eachText(t, func(file, text string) {
		dir := path.Dir(file)
		ours := strings.HasPrefix(file, "internal/") || strings.HasPrefix(file, "protocol/")
		if !ours || path.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") || strings.HasSuffix(dir, "test") {
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE {
				continue
			}
			for _, s := range g.Specs {
				name := s.(*ast.TypeSpec).Name.Name
				if ast.IsExported(name) && !slices.Contains(all[name], dir) {
					all[name] = append(all[name], dir)
				}
			}
		}
	})
	return all
}
