package install

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestFirstEventFromTheSource runs the two commands of the README in a network
// without anything else, with the modules that this machine has.
func TestFirstEventFromTheSource(t *testing.T) {
	dist(t)
	need(t, os.Geteuid() == 0, "only root makes networks")
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	commands := readme(t, "git clone")
	if len(commands) != 2 {
		t.Fatalf("the README needs %q", commands)
	}
	const published = "https://github.com/belfryhq/belfry"
	if !strings.Contains(commands[0], published) {
		t.Fatalf("%q does not clone %s", commands[0], published)
	}
	repository := filepath.Join(t.TempDir(), "belfry") // of the name that a clone has
	if err := os.Symlink(root, repository); err != nil {
		t.Fatal(err)
	}
	clone := strings.Replace(commands[0], published, "file://"+repository, 1)
	script := "ip link set lo up\n" + firstEvent(t, "\"$program\"", true, clone, commands[1])
	// The other terminals have the program of the archive.
	script = "program=" + filepath.Join(here(t), "belfry") + "\n" + script
	command := exec.CommandContext(t.Context(), "timeout", "--signal=KILL", "300", "unshare", "--net", "--pid", "--fork", "--kill-child", "sh", "-c", script)
	command.Dir = t.TempDir()
	command.Env = append(os.Environ(), "GOPROXY=off")
	out, err := command.CombinedOutput()
	if err != nil || !strings.Contains(string(out), seen) {
		log, _ := filepath.Glob(filepath.Join(command.Dir, "*", "service.log"))
		t.Errorf("the source did not show an event: %v\n%s\n%s", err, out, contents(log...))
	}
}
