package install

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// readme returns the commands of the one block of the README that has that
// line, a line each.
func readme(t testing.TB, has string) []string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range regexp.MustCompile("(?s)\n```sh\n(.*?)```\n").FindAllStringSubmatch(string(text), -1) {
		if lines := strings.Split(strings.TrimSpace(block[1]), "\n"); strings.Contains(block[1], has) {
			return lines
		}
	}
	t.Fatalf("the README has no block of commands with %q", has)
	return nil
}

// firstEvent is a script that runs commands of the README, the last of which
// goes on, or none does. Then it sees an event, as the README says, with a
// program that is called so.
func firstEvent(t testing.TB, program string, goesOn bool, before ...string) string {
	t.Helper()
	script := []string{"set -eu"}
	if goesOn {
		last := len(before) - 1
		script = append(append(script, before[:last]...), before[last]+" >service.log 2>&1 &", "service=$!")
	} else {
		script = append(script, before...)
	}
	see := readme(t, "belfry subscribe news")
	if len(see) != 2 {
		t.Fatalf("the README needs %q to see an event", see)
	}
	for i, line := range see {
		see[i] = strings.Replace(line, "./belfry", program, 1)
	}
	return strings.Join(append(script,
		"until "+program+" health; do sleep 0.2; done",
		"{ "+see[0]+"\n} >seen 2>said &",
		"until grep -q 'subscribed to news' said; do sleep 0.2; done",
		see[1],
		"until grep -q hi seen; do sleep 0.2; done",
		"cat seen",
	), "\n")
}

// seen is what a subscriber prints of the event of the README.
const seen = `{"event":"hello","channel":"news","data":"{\"text\": \"hi\"}"}`

// debian makes a bare Debian with a few packages more, for all tests.
func debian(t *testing.T) (root string) {
	t.Helper()
	dist(t)
	for program, from := range map[string]string{"mmdebstrap": "mmdebstrap", "systemd-nspawn": "systemd-container"} {
		_, err := exec.LookPath(program)
		need(t, err == nil, "there is no "+program+": apt-get install "+from)
	}
	need(t, os.Geteuid() == 0, "only root makes a root file system")
	root = filepath.Join(t.TempDir(), "root")
	output(t, "mmdebstrap", "--variant=minbase", "--include=systemd,systemd-sysv,dbus,sudo", "bookworm", root)
	return root
}

// inside is the arguments of systemd-nspawn for a system in a directory, with no
// network but loopback, that does not outlive the test.
func inside(root string, args ...string) []string {
	return append([]string{"--quiet", "--directory=" + root, "--register=no", "--keep-unit", "--private-network", "--kill-signal=SIGKILL"}, args...)
}

func copyTo(t testing.TB, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(name)), text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestFirstEventInABareDebian(t *testing.T) {
	root := debian(t)
	home := filepath.Join(root, "root")
	t.Run("archive", func(t *testing.T) {
		copyTo(t, home, one(t, "_linux_"+runtime.GOARCH+".tar.gz"))
		script := firstEvent(t, "./belfry", true, readme(t, "tar -xzf")...) + "\nkill $service"
		script = strings.ReplaceAll(script, "_amd64.", "_"+runtime.GOARCH+".")
		command := exec.CommandContext(t.Context(), "systemd-nspawn", inside(root, "--pipe", "--chdir=/root", "timeout", "60", "sh", "-c", script)...)
		out, err := command.CombinedOutput()
		if err != nil || !strings.Contains(string(out), seen) {
			log, _ := filepath.Glob(filepath.Join(home, "*", "service.log"))
			t.Errorf("%v: %q did not show an event:\n%s\n%s", err, script, out, contents(log...))
		}
	})
	t.Run("deb", func(t *testing.T) { debWithSystemd(t, root) })
}

// debWithSystemd boots the system. What is to be done in it is a unit, which ends
// it.
func debWithSystemd(t *testing.T, root string) {
	home := filepath.Join(root, "root")
	copyTo(t, home, one(t, "_linux_"+runtime.GOARCH+".deb"))
	install := readme(t, "sudo apt install")
	script := strings.ReplaceAll(firstEvent(t, "belfry", false, install...), "_amd64.", "_"+runtime.GOARCH+".") + `
echo "state: $(systemctl show --property=ActiveState,SubState belfry | paste -sd ' ')"
echo "user: $(stat -c %U /proc/$(systemctl show --property=MainPID --value belfry))"
systemctl reload belfry
echo "after reload: $(systemctl is-active belfry)"
before=$(systemctl show --property=InvocationID belfry)
apt-get install --reinstall --yes ./belfry_*.deb >/dev/null
until [ "$(systemctl show --property=InvocationID belfry)" != "$before" ]; do sleep 0.2; done
until belfry health >/dev/null 2>&1; do sleep 0.2; done
echo "after update: $(systemctl is-active belfry)"
apt-get purge --yes belfry >/dev/null 2>&1
echo "after removal: $(systemctl is-active belfry) $(ls /var/lib/belfry | grep -c first-app.env) $(ls /etc/belfry 2>/dev/null | wc -l)"
`
	unit := "[Service]\nType=oneshot\nWorkingDirectory=/root\nEnvironment=HOME=/root DEBIAN_FRONTEND=noninteractive\n" +
		"ExecStart=timeout 60 sh /root/script\nExecStopPost=systemctl --no-block poweroff\nStandardOutput=file:/root/output\nStandardError=file:/root/errors\n"
	system := filepath.Join(root, "etc", "systemd", "system")
	wanted := filepath.Join(system, "multi-user.target.wants")
	err := errors.Join(
		os.WriteFile(filepath.Join(home, "script"), []byte(script), 0o644),
		os.WriteFile(filepath.Join(system, "script.service"), []byte(unit), 0o644),
		os.MkdirAll(wanted, 0o755),
		os.Symlink("../script.service", filepath.Join(wanted, "script.service")),
	)
	if err != nil {
		t.Fatal(err)
	}
	boot := exec.CommandContext(t.Context(), "systemd-nspawn", inside(root, "--boot", "--console=pipe", "systemd.unit=multi-user.target")...)
	console, err := boot.CombinedOutput()
	got := contents(filepath.Join(home, "output"))
	for _, want := range []string{
		seen, "ActiveState=active SubState=running\n", "user: belfry\n",
		"after reload: active\n", "after update: active\n", "after removal: inactive 1 0\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the system did not say %q (%v):\n%s\nerrors:\n%s\nconsole:\n%s", want, err, got, contents(filepath.Join(home, "errors")), console)
		}
	}
}

// contents is what is in files that may not be there.
func contents(names ...string) string {
	var all []byte
	for _, name := range names {
		text, _ := os.ReadFile(name)
		all = append(all, text...)
	}
	return string(all)
}
