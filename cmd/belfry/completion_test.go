package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
)

func TestBashCompletes(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	status, script, stderr := runCommand(t, setup{}, "completion", "bash")
	if status != 0 {
		t.Fatalf("completion bash = %d %s", status, stderr)
	}
	for line, want := range map[string]string{
		"belfry heal":          "health",
		"belfry import so":     "soketi",
		"belfry serve --data-": "--data-dir",
		"belfry ma":            "",
	} {
		words := strings.Fields(line)
		command := exec.Command(bash, "--norc", "-c", script+`
# What the package bash-completion has.
_get_comp_words_by_ref() { cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=("${COMP_WORDS[@]}") cword=$COMP_CWORD; }
COMP_LINE=$1 COMP_POINT=${#1} COMP_WORDS=($1) COMP_CWORD=$(($2 - 1)) COMP_TYPE=9
compopt() { :; }
__start_belfry
echo "${COMPREPLY[*]}"`, "bash", line, strconv.Itoa(len(words)))
		command.Env = append(environment(), "PATH="+filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH"))
		out, err := command.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want && !strings.HasPrefix(got, want+" ") {
			t.Errorf("%s completes to %q (%v), want %q", line, got, err, want)
		}
	}
}

func TestCompletionsOfOtherShells(t *testing.T) {
	for shell, want := range map[string]string{"zsh": "#compdef belfry", "fish": "complete -c belfry", "powershell": "Register-ArgumentCompleter"} {
		if status, out, err := runCommand(t, setup{}, "completion", shell); status != 0 || !strings.Contains(out, want) {
			t.Errorf("completion %s = %d %q", shell, status, err)
		}
	}
	if status, out, err := runCommand(t, setup{}, "completion", "csh"); status != 2 || out != "" || !strings.Contains(err, "bash, zsh, fish or powershell") {
		t.Errorf("completion csh = %d %q %q", status, out, err)
	}
}

func TestEveryCommandHasAPageOfMan(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "man1")
	s := setup{env: []string{"SOURCE_DATE_EPOCH=1700000000"}}
	if status, _, err := runCommand(t, s, "man", dir); status != 0 {
		t.Fatalf("man = %d %s", status, err)
	}
	forEach(newRoot(cli.Streams{}), func(c *cobra.Command) {
		if c.Hidden {
			return
		}
		name := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".1"
		page, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.Contains(string(page), `"Nov 2023"`) || !strings.Contains(string(page), "SYNOPSIS") {
			t.Errorf("%s: %v\n%.200s", name, err, page)
		}
	})
}
