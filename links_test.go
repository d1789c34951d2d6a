package belfry

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var (
	heading = regexp.MustCompile(`(?m)^#{1,6} +(.*?) *#*$`)
	target  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	// A page that code names, with a heading of it.
	named = regexp.MustCompile(`(?:docs/)?([a-z-]+(?:/[a-z-]+)?\.md)#([a-z0-9_-]+)`)
)

// anchors are the names under which the headings of a page are linked to, as
// GitHub makes them.
func anchors(text string) map[string]bool {
	all := make(map[string]bool)
	for _, h := range heading.FindAllStringSubmatch(codeBlock.ReplaceAllString(text, ""), -1) {
		title := link.ReplaceAllString(h[1], "$1")
		base := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, title)
		name := base
		for n := 1; all[name]; n++ {
			name = fmt.Sprintf("%s-%d", base, n)
		}
		all[name] = true
	}
	return all
}

func TestAnchorsAreThoseOfGitHub(t *testing.T) {
	got := anchors("# `belfry` and *you*\n```\n# no heading\n```\n## A, b & c_d\n## [Why?](x.md)\n## Why?\n")
	for _, want := range []string{"belfry-and-you", "a-b--c_d", "why", "why-1"} {
		if !got[want] {
			t.Errorf("anchors = %v, want %s among them", got, want)
		}
	}
	if len(got) != 4 {
		t.Errorf("anchors = %v, want 4", got)
	}
}

// lead reports what is wrong with a link of a page.
func lead(page, to string) error {
	file, anchor, _ := strings.Cut(to, "#")
	if file == "" {
		file = page
	} else {
		file = path.Join(path.Dir(page), file)
	}
	if _, err := os.Stat(filepath.FromSlash(file)); err != nil {
		return fmt.Errorf("there is no %s", file)
	}
	if anchor == "" {
		return nil
	}
	text, err := os.ReadFile(filepath.FromSlash(file))
	if err != nil {
		return err
	}
	if !anchors(string(text))[anchor] {
		return fmt.Errorf("%s has no heading for #%s", file, anchor)
	}
	return nil
}

// TestLinksLeadSomewhere: what our pages link to within the repository is there,
// and so are the headings. The same goes for pages that code names with a heading.
func TestLinksLeadSomewhere(t *testing.T) {
	eachText(t, func(file, text string) {
		if strings.HasSuffix(file, "_test.go") || strings.HasSuffix(file, ".test.ts") {
			return // these have pages of their own making
		}
		if path.Ext(file) != ".md" {
			for _, m := range named.FindAllStringSubmatch(text, -1) {
				if err := lead("docs/x.md", m[1]+"#"+m[2]); err != nil {
					t.Errorf("%s names %s: %v", file, m[0], err)
				}
			}
			return
		}
		prose := inlineCode.ReplaceAllString(codeBlock.ReplaceAllString(text, ""), "code")
		for _, m := range target.FindAllStringSubmatch(prose, -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			if err := lead(file, m[1]); err != nil {
				t.Errorf("%s links to %s: %v", file, m[1], err)
			}
		}
	})
}
