package main

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
	"github.com/belfryhq/belfry/internal/config"
)

// userPages are the README and the pages of docs, but for design, which says what
// was so on its day.
func userPages(t *testing.T) map[string]string {
	t.Helper()
	pages := make(map[string]string)
	read := func(name string) error {
		text, err := os.ReadFile(name)
		pages[strings.TrimPrefix(filepath.ToSlash(name), "../../")] = string(text)
		return err
	}
	err := read("../../README.md")
	if err == nil {
		err = filepath.WalkDir("../../docs", func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.Name() == "design":
				return fs.SkipDir
			case filepath.Ext(name) == ".md":
				return read(name)
			}
			return nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

var (
	pageCode   = regexp.MustCompile("(?ms)^ *```([a-z]*)[^\n]*\n(.*?)^ *```")
	pageInline = regexp.MustCompile("`([^`\n]+)`")
	// A call of belfry, up to what a shell does with it.
	pageCall    = regexp.MustCompile(`(?:^|[\s(/])belfry((?: +[^\s|;&#<>)]+)+)`)
	pageCommand = regexp.MustCompile(`^[a-z]+$`)
	pageFlag    = regexp.MustCompile(`^--[a-z][a-z-]+$`)
	pageEnv     = regexp.MustCompile(`\bBELFRY_[A-Z_]*[A-Z]\b`)
	// Settings have a dot, as names of files and hosts do.
	pageSetting = regexp.MustCompile(`^[a-z_]+(?:\.[a-z_]+)+$`)
)

// dockerFlags are those of docker run that pages name alone.
var dockerFlags = []string{"--env", "--volume", "--stop-timeout"}

// calls are the command lines of a page, and the flags that it names alone.
func calls(text string) (lines [][]string, flags []string) {
	var code []string
	for _, m := range pageCode.FindAllStringSubmatch(text, -1) {
		if slices.Contains([]string{"sh", "", "yaml", "ini"}, m[1]) {
			code = append(code, strings.Split(strings.ReplaceAll(m[2], "\\\n", " "), "\n")...)
		}
	}
	for _, m := range pageInline.FindAllStringSubmatch(pageCode.ReplaceAllString(text, ""), -1) {
		code = append(code, m[1])
		if name, _, _ := strings.Cut(strings.Fields(m[1] + " ")[0], "="); pageFlag.MatchString(name) && !slices.Contains(dockerFlags, name) {
			flags = append(flags, name)
		}
	}
	for _, line := range code {
		if strings.Contains(line, "go build") || strings.Contains(line, "go test") ||
			slices.ContainsFunc([]string{"docker ", "helm ", "mv "}, func(other string) bool { return strings.HasPrefix(line, other) }) {
			continue // which name the package, the container, the chart or a directory
		}
		for _, m := range pageCall.FindAllStringSubmatch(line, -1) {
			if !strings.Contains(m[1], ": ") { // else it is what a command has written
				lines = append(lines, strings.Fields(m[1]))
			}
		}
	}
	return lines, flags
}

// TestPagesNameCommandsThatExist and flags that those commands have.
func TestPagesNameCommandsThatExist(t *testing.T) {
	root := newRoot(cli.Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard})
	every := make(map[string]bool)
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		c.InitDefaultHelpFlag()
		c.Flags().VisitAll(func(f *pflag.Flag) { every["--"+f.Name] = true })
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(root)
	found := 0
	for page, text := range userPages(t) {
		lines, flags := calls(text)
		for _, name := range flags {
			if !every[name] {
				t.Errorf("%s names the flag %s, which no command has", page, name)
			}
		}
		for _, words := range lines {
			found++
			checkCall(t, root, page, words)
		}
	}
	if found < 100 {
		t.Errorf("only %d calls were found in all pages", found)
	}
}

// checkCall looks for a command and its flags.
func checkCall(t *testing.T, root *cobra.Command, page string, words []string) {
	t.Helper()
	line := "belfry " + strings.Join(words, " ")
	for i, word := range words {
		words[i], _, _ = strings.Cut(word, "|") // one of several
	}
	command, rest, err := root.Find(words)
	if err != nil || command == root && !strings.HasPrefix(words[0], "-") {
		t.Errorf("%s: %s: there is no such command", page, line)
		return
	}
	for i, word := range rest {
		if word == "--" {
			return // what follows is somebody else's
		}
		name, _, _ := strings.Cut(word, "=")
		if !pageFlag.MatchString(name) {
			if i == 0 && command.HasSubCommands() && pageCommand.MatchString(word) {
				t.Errorf("%s: %s: %s has no command %s", page, line, command.CommandPath(), word)
			}
			continue
		}
		if !hasFlag(command, name[2:]) {
			t.Errorf("%s: %s: %s has no flag %s", page, line, command.CommandPath(), name)
		}
	}
}

// hasFlag reports whether a command has a flag, or, where it stands for several,
// one of them.
func hasFlag(command *cobra.Command, name string) bool {
	if command.Flag(name) != nil || name == "help" {
		return true
	}
	return slices.ContainsFunc(command.Commands(), func(c *cobra.Command) bool { return hasFlag(c, name) })
}

// knownSettings are those of the reference, which is made from the table.
func knownSettings(t *testing.T, pages map[string]string) map[string]bool {
	t.Helper()
	known := make(map[string]bool)
	row := regexp.MustCompile("(?m)^\\| `([a-z_.\\[\\]]+)` \\|")
	for _, m := range row.FindAllStringSubmatch(pages["docs/configuration.md"], -1) {
		name := strings.ReplaceAll(m[1], "[]", "")
		for known[name] = true; strings.Contains(name, "."); {
			name = name[:strings.LastIndex(name, ".")]
			known[name] = true
		}
	}
	return known
}

// TestPagesNameSettingsThatExist: in text those with a dot, in YAML all.
func TestPagesNameSettingsThatExist(t *testing.T) {
	pages := userPages(t)
	known := knownSettings(t, pages)
	groups := make(map[string]bool)
	for name := range known {
		if group, _, ok := strings.Cut(name, "."); ok {
			groups[group] = true
		}
	}
	for page, text := range pages {
		for _, m := range pageInline.FindAllStringSubmatch(pageCode.ReplaceAllString(text, ""), -1) {
			name, _, _ := strings.Cut(m[1], ":")
			group, _, _ := strings.Cut(name, ".")
			if pageSetting.MatchString(name) && !strings.HasSuffix(name, ".yaml") && groups[group] && !known[name] {
				t.Errorf("%s names the setting %s, which there is not", page, name)
			}
		}
		for _, m := range pageCode.FindAllStringSubmatch(text, -1) {
			var file map[string]any
			if m[1] != "yaml" || yaml.Unmarshal([]byte(m[2]), &file) != nil || !ofBelfry(file, known) {
				continue
			}
			for _, name := range keys(file, "") {
				if !known[name] {
					t.Errorf("%s has a file with the setting %s, which there is not", page, name)
				}
			}
		}
	}
}

// ofBelfry reports whether a YAML text is a belfry.yaml, or a part of one.
func ofBelfry(file map[string]any, known map[string]bool) bool {
	for name := range file {
		if known[name] || name == "apps" {
			return true
		}
	}
	return false
}

// keys are the names of the settings in a file. Those of an app stand alone.
func keys(file map[string]any, prefix string) (all []string) {
	for name, value := range file {
		switch v := value.(type) {
		case map[string]any:
			all = append(all, keys(v, prefix+name+".")...)
		case []any:
			if name == "apps" && prefix == "" {
				prefix, name = "", ""
			} else {
				all = append(all, prefix+name)
			}
			for _, element := range v {
				if m, ok := element.(map[string]any); ok && name == "" {
					all = append(all, keys(m, "")...)
				}
			}
		default:
			all = append(all, prefix+name)
		}
	}
	return all
}

// TestPagesNameVariablesThatExist: those of settings, of the flags of belfry dev,
// and those that stand for something else.
func TestPagesNameVariablesThatExist(t *testing.T) {
	pages := userPages(t)
	variable := func(name string) string {
		return "BELFRY_" + strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(name))
	}
	known := map[string]bool{
		"BELFRY_CONFIG": true, "BELFRY_APPS": true,
		"BELFRY_LOG_LEVL": true,                       // the mistake of an example
		"BELFRY_VERSION":  true, "BELFRY_IMAGE": true, // which are warned of
	}
	for name := range knownSettings(t, pages) {
		known[variable(name)] = true
	}
	newDev(cli.Streams{}).Flags().VisitAll(func(f *pflag.Flag) { known[variable(f.Name)] = true })
	for page, text := range pages {
		for _, name := range pageEnv.FindAllString(text, -1) {
			if !known[name] && !config.Foreign(name, "") {
				t.Errorf("%s names the variable %s, which nothing reads", page, name)
			}
		}
	}
}
