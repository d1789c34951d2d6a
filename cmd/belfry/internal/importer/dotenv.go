package importer

import (
	"fmt"
	"regexp"
	"strings"
)

// variables are those of .env files, by name.
type variables map[string]variable

type variable struct {
	text  string
	place Place
}

// maxValue is how much other variables may add to one.
const maxValue = 64 << 10

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)

// read adds those of f, whose later lines win.
func (v variables) read(f File) error {
	lines := strings.Split(strings.ReplaceAll(string(f.Text), "\r\n", "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		place := Place{f.Name, i + 1}
		line := strings.TrimSpace(lines[i])
		if line == "" || line[0] == '#' {
			continue
		}
		name, text, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		name = strings.TrimSpace(name)
		if !ok || !variableName.MatchString(name) {
			return fmt.Errorf("%s: is not NAME=value, so this is no .env file; give the .env, JSON, PHP file or dump of the server", place)
		}
		text = strings.TrimSpace(text)
		if text != "" && (text[0] == '"' || text[0] == '\'') {
			quote := text[:1]
			if !closed(text[1:], quote) {
				text += "\n" + strings.Join(lines[i+1:], "\n")
			}
			stop := end(text[1:], quote)
			if stop < 0 {
				return fmt.Errorf("%s: %s: its quote %s does not end", place, name, quote)
			}
			text = text[:stop+2]
			i += strings.Count(text, "\n")
		}
		v[name] = variable{v.value(text), place}
		if len(v) > maxEntries {
			return fmt.Errorf("%s: has too many variables", place)
		}
	}
	return nil
}

// end is where the quoted text ends, or -1.
func end(text, quote string) int {
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && quote == `"`:
			i++
		case text[i] == quote[0]:
			return i
		}
	}
	return -1
}

func closed(text, quote string) bool { return end(text, quote) >= 0 }

var reference = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_.]*)\}`)

// value is what a text means: without quotes and comments, and with the
// variables that it refers to.
func (v variables) value(text string) string {
	switch {
	case strings.HasPrefix(text, "'"):
		return text[1 : 1+end(text[1:], "'")]
	case strings.HasPrefix(text, `"`):
		text = text[1 : 1+end(text[1:], `"`)]
		text = strings.NewReplacer(`\n`, "\n", `\"`, `"`, `\\`, `\`, `\$`, "$").Replace(text)
	default:
		if strings.HasPrefix(text, "#") {
			return ""
		}
		text, _, _ = strings.Cut(text, " #")
		text = strings.TrimSpace(text)
	}
	room := maxValue
	return reference.ReplaceAllStringFunc(text, func(r string) string {
		to := v[r[2:len(r)-1]].text
		if room -= len(to); room < 0 {
			return ""
		}
		return to
	})
}
