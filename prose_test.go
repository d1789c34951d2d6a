package belfry

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// maxWords is how many words a sentence of ours may have. Most readers have
// another first language.
const maxWords = 30

// Of text that is not prose nothing is counted: code, and where links lead.
var (
	codeBlock  = regexp.MustCompile("(?ms)^[ \t]*```.*?^[ \t]*```[ \t]*$")
	comment    = regexp.MustCompile(`(?s)<!--.*?-->`)
	inlineCode = regexp.MustCompile("``[^`]+``|`[^`]+`")
	link       = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)|<(https?:[^>]*)>`)
	// A new block is a heading, a list entry, a quotation, a table row or an
	// empty line.
	newBlock = regexp.MustCompile(`^\s*([-*+] |\d+\. |#|>|\||$)`)
	// A sentence ends with its mark, and what closes behind it.
	sentenceEnd = regexp.MustCompile(`[.!?]["')\]*_]*(\s+|$)`)
	// These end no sentence.
	abbreviation = regexp.MustCompile(`\b(e\.g|i\.e|etc|vs|cf|No|Nos|ca|approx)\.\s`)
)

// sentences returns the sentences of a Markdown text.
func sentences(text string) []string {
	text = codeBlock.ReplaceAllString(text, "\n")
	text = comment.ReplaceAllString(text, "")
	var blocks []string
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(strings.TrimSpace(line), "|"):
			blocks = append(blocks, strings.Split(strings.TrimSpace(line), "|")...)
			blocks = append(blocks, "")
		case newBlock.MatchString(line) || len(blocks) == 0:
			blocks = append(blocks, line)
		default:
			blocks[len(blocks)-1] += " " + line
		}
	}
	var all []string
	for _, block := range blocks {
		block = inlineCode.ReplaceAllString(block, "code")
		block = link.ReplaceAllString(block, "$1")
		block = abbreviation.ReplaceAllStringFunc(block, func(s string) string { return strings.ReplaceAll(s, ".", "") })
		for _, s := range sentenceEnd.Split(block, -1) {
			if s = strings.Join(strings.Fields(strings.TrimLeft(s, " \t#>*-+0123456789.")), " "); s != "" {
				all = append(all, s)
			}
		}
	}
	return all
}

// words counts the words of a sentence: what has a letter or a digit.
func words(sentence string) (n int) {
	for _, w := range strings.Fields(sentence) {
		if strings.ContainsFunc(w, func(r rune) bool { return r > 127 || 'a' <= r|0x20 && r|0x20 <= 'z' || '0' <= r && r <= '9' }) {
			n++
		}
	}
	return n
}

// long are documents that may have longer sentences, and why.
var long = map[string]string{}

// A document is a text of ours that people read.
type document struct{ name, text string }

// documents are the pages and the package comments.
func documents(t *testing.T) []document {
	t.Helper()
	var all []document
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{"node_modules", ".venv", "testdata", ".git", "dist", "build", "bin"}, d.Name()):
			return fs.SkipDir
		case strings.HasSuffix(path, ".md"):
			text, err := os.ReadFile(path)
			all = append(all, document{path, string(text)})
			return err
		case strings.HasSuffix(path, ".go"):
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.PackageClauseOnly|parser.ParseComments)
			if err == nil && f.Doc != nil && !ast.IsGenerated(f) {
				all = append(all, document{path, goDoc(f.Doc.Text())})
			}
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// goDoc is a doc comment as Markdown: what is indented is code.
func goDoc(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "\t") {
			line = "\n"
		}
		b.WriteString(line)
	}
	return strings.NewReplacer("[", "", "]", "").Replace(b.String())
}

func TestSentencesAreShort(t *testing.T) {
	for _, d := range documents(t) {
		if why, ok := long[d.name]; ok {
			t.Logf("%s is left out: %s", d.name, why)
			continue
		}
		for _, s := range sentences(d.text) {
			if n := words(s); n > maxWords {
				t.Errorf("%s: a sentence has %d words, at most %d are easy to read: %q", d.name, n, maxWords, s)
			}
		}
	}
}

func TestSentencesAreFound(t *testing.T) {
	for text, want := range map[string][]string{
		"One. Two, e.g. three!":                      {"One", "Two, eg three"},
		"A heading\n\n* an entry\n* another\n  line": {"A heading", "an entry", "another line"},
		"| a cell. | `code` |":                       {"a cell", "code"},
		"see [this](http://a.b/c.d) page.":           {"see this page"},
		"```\ncode. More.\n```\nText.":               {"Text"},
		"version 1.2 of it":                          {"version 1.2 of it"},
	} {
		if got := sentences(text); !slices.Equal(got, want) {
			t.Errorf("sentences(%q) = %q, want %q", text, got, want)
		}
	}
}
