package hostname

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestPatternsAreKeptAsClientsSendThem(t *testing.T) {
	for text, want := range map[string]string{
		"example.com": "example.com", "Example.COM": "example.com", "*.example.com": "*.example.com", "*": "*", "app-*": "app-*",
		"bücher.example": "xn--bcher-kva.example", "*.BÜCHER.example": "*.xn--bcher-kva.example", "xn--bcher-kva.example": "xn--bcher-kva.example",
		"例え.テスト": "xn--r8jz45g.xn--zckzah", "my_host": "my_host",
	} {
		if got, err := Pattern(text); err != nil || got != want {
			t.Errorf("Pattern(%q) = %q, %v, want %q", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"":                    "has an empty element",
		"https://a.example/x": "write the host alone, such as a.example",
		"a.example:8443":      "write the host alone, a.example",
		"a.example/x":         "is not a host or a pattern",
		"b*ücher.example":     "write its xn-- form",
	} {
		if got, err := Pattern(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Pattern(%q) = %q, %v, want an error with %q", text, got, err, want)
		}
	}
}

func TestOf(t *testing.T) {
	for text, want := range map[string]string{
		"a.example": "a.example", "A.example.:6002": "a.example", "127.0.0.1:6002": "127.0.0.1", "[::1]:6002": "::1", "[::1]": "::1", "::1": "::1", "": "", ":6002": "",
	} {
		if got := Of(text); got != want {
			t.Errorf("Of(%q) = %q, want %q", text, got, want)
		}
	}
}

// A star is what .* is to a regular expression.
func TestMatchIsARegularExpression(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringMatching(`[ab.*]{0,8}`).Draw(t, "pattern")
		host := rapid.StringMatching(`[ab.]{0,10}`).Draw(t, "host")
		parts := strings.Split(pattern, "*")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		want := regexp.MustCompile(`\A` + strings.Join(parts, ".*") + `\z`).MatchString(host)
		if got := Match(pattern, host); got != want {
			t.Fatalf("Match(%q, %q) = %t, want %t", pattern, host, got, want)
		}
	})
}

func TestPlainHostsCanBeWrittenAnywhere(t *testing.T) {
	for host, want := range map[string]bool{
		"a.example": true, "a.example:6001": true, "a.example.": true, "my_host": true, "127.0.0.1:1": true, "[::1]:6001": true,
		"": false, "a b": false, "a;b": false, "a'b": false, "*": false, "a,b": false, "[::1": false, "a:x": false, "a/b": false, "ä": false, "a\nb": false,
	} {
		if got := Plain(host); got != want {
			t.Errorf("Plain(%q) = %t, want %t", host, got, want)
		}
	}
}
