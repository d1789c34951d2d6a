package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

// venv has the libraries for Python.
const venv = "python/.venv"

// requireProgram skips the test where a program or library is not installed.
func requireProgram(t testing.TB, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = os.Stat(path)
	require(t, err == nil, path+" is not installed: run scripts/setup")
	return path
}

// follow runs a command as a reader of the documentation does, whose path has
// belfry, and returns what it wrote.
func follow(t testing.TB, dir string, env []string, command ...string) string {
	t.Helper()
	program := command[0]
	if program == "belfry" {
		program = service.Binary()
	}
	c := exec.CommandContext(t.Context(), program, command[1:]...)
	c.Dir = dir
	c.Env = append(service.Environment(), "PATH="+filepath.Dir(service.Binary())+string(os.PathListSeparator)+os.Getenv("PATH"))
	c.Env = append(c.Env, env...)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", command, err, out)
	}
	return string(out)
}

// linkModules lets what is in dir import the JavaScript libraries.
func linkModules(t testing.TB, dir string) {
	t.Helper()
	requireModules(t)
	modules, err := filepath.Abs("node_modules")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
}

func TestRecipeForPytest(t *testing.T) {
	t.Parallel()
	requireProgram(t, venv+"/bin/pytest")
	python := requireProgram(t, venv+"/bin/python")
	dir := writePage(t, "docs/testing.md", "pytest")
	out := follow(t, dir, nil, python, "-m", "pytest", "-q", "-p", "no:cacheprovider")
	if !strings.Contains(out, "1 passed") {
		t.Errorf("pytest wrote\n%s", out)
	}
}

// TestRecipeForNode runs the test in one line, and as a runner does that is told
// of a globalSetup: Jest calls a globalTeardown, Playwright and Vitest what
// globalSetup has returned.
func TestRecipeForNode(t *testing.T) {
	t.Parallel()
	dir := writePage(t, "docs/testing.md", "Jest, Vitest, Playwright and Node's own runner")
	linkModules(t, dir)
	const runner = `
import { spawnSync } from "node:child_process"
import globalSetup from "./global-setup.mjs"
import globalTeardown from "./global-teardown.mjs"
const returned = await globalSetup()
const { status } = spawnSync("node", ["--test", "orders.test.mjs"], { stdio: "inherit" })
await (process.argv[2] === "jest" ? globalTeardown() : returned())
console.log("tests ended with", status)`
	if err := os.WriteFile(filepath.Join(dir, "runner.mjs"), []byte(runner), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, command := range map[string][]string{
		"# pass 1":           {"belfry", "test-server", "--", "node", "--test", "orders.test.mjs"},
		"tests ended with 0": {"node", "runner.mjs", "jest"},
		"ended with 0\n":     {"node", "runner.mjs", "playwright"},
	} {
		if out := follow(t, dir, nil, command...); !strings.Contains(out, want) {
			t.Errorf("%v wrote\n%s", command, out)
		}
	}
}
