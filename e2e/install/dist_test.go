package install

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/hex"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// dist is the directory with what was built.
func dist(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("E2E_DIST")
	need(t, dir != "", "E2E_DIST does not name what make dist has built: make acceptance-install does")
	return dir
}

// need skips a test, or fails it where all must run.
func need(t testing.TB, there bool, missing string) {
	t.Helper()
	if !there && os.Getenv("E2E_REQUIRED") != "" {
		t.Fatal(missing)
	}
	if !there {
		t.Skip(missing)
	}
}

// one is the one file that was built with that ending.
func one(t testing.TB, ending string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dist(t), "*"+ending))
	if err != nil || len(names) != 1 {
		t.Fatalf("%q end in %s (%v), want one file", names, ending, err)
	}
	return names[0]
}

// output is what a command writes.
func output(t testing.TB, name string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, args...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, &stderr)
	}
	return string(out)
}

func sum(t testing.TB, name string) string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// published are the files that have checksums, with those.
func published(t testing.TB, dir string) map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "checksums.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sums := map[string]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		hash, name, ok := strings.Cut(lines.Text(), "  ")
		if !ok {
			t.Fatalf("checksums.txt has a line %q", lines.Text())
		}
		sums[name] = hash
	}
	return sums
}

func TestEveryFileHasItsChecksum(t *testing.T) {
	dir := dist(t)
	sums := published(t, dir)
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name() == "checksums.txt" || f.Name() == "notes.md" {
			continue
		}
		if got := sum(t, filepath.Join(dir, f.Name())); sums[f.Name()] != got {
			t.Errorf("checksums.txt says %q of %s, which has %s", sums[f.Name()], f.Name(), got)
		}
		delete(sums, f.Name())
	}
	if len(sums) > 0 {
		t.Errorf("checksums.txt has files that are not there: %v", sums)
	}
	for _, ending := range []string{
		"_linux_amd64.tar.gz", "_linux_arm64.tar.gz", "_darwin_amd64.tar.gz", "_darwin_arm64.tar.gz", "_windows_amd64.zip", "_windows_arm64.zip",
		"_linux_amd64.deb", "_linux_arm64.deb", "_linux_amd64.rpm", "_linux_arm64.rpm", "_sbom.cdx.json", "notes.md",
	} {
		one(t, ending)
	}
}

func TestProgramsAreForTheirPlatforms(t *testing.T) {
	dist(t)
	for platform, check := range map[string]func(io.ReaderAt) (string, error){
		"linux_amd64":  elfMachine,
		"linux_arm64":  elfMachine,
		"darwin_amd64": machoMachine,
		"darwin_arm64": machoMachine,
	} {
		dir := t.TempDir()
		output(t, "tar", "-xzf", one(t, "_"+platform+".tar.gz"), "-C", dir, "--strip-components=1")
		f, err := os.Open(filepath.Join(dir, "belfry"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if got, err := check(f); err != nil || !strings.HasSuffix(platform, got) {
			t.Errorf("the program for %s is for %s (%v)", platform, got, err)
		}
	}
}

func elfMachine(r io.ReaderAt) (string, error) {
	f, err := elf.NewFile(r)
	if err != nil {
		return "", err
	}
	if libraries, err := f.ImportedLibraries(); err != nil || len(libraries) > 0 {
		return "a program that needs libraries " + strings.Join(libraries, " "), err
	}
	return map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64"}[f.Machine], nil
}

func machoMachine(r io.ReaderAt) (string, error) {
	f, err := macho.NewFile(r)
	if err != nil {
		return "", err
	}
	return map[macho.Cpu]string{macho.CpuAmd64: "amd64", macho.CpuArm64: "arm64"}[f.Cpu], nil
}

// here is the archive for this machine, unpacked.
func here(t testing.TB) (dir string) {
	t.Helper()
	need(t, runtime.GOOS == "linux", "this test is for Linux")
	dir = t.TempDir()
	output(t, "tar", "-xzf", one(t, "_linux_"+runtime.GOARCH+".tar.gz"), "-C", dir, "--strip-components=1")
	return dir
}

func TestArchiveHasWhatItNeeds(t *testing.T) {
	dir := here(t)
	for _, name := range []string{
		"LICENSE", "THIRD_PARTY.txt", "README.md", "CHANGELOG.md", "belfry.yaml",
		"completions/belfry.bash", "completions/_belfry", "completions/belfry.fish", "completions/belfry.ps1", "man1/belfry.1", "man1/belfry-apps-create.1",
	} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("the archive lacks %s (%v)", name, err)
		}
	}
	version := strings.Fields(output(t, filepath.Join(dir, "belfry"), "version"))
	if want := regexp.MustCompile(`^belfry_(.+)_linux_`).FindStringSubmatch(filepath.Base(one(t, "_linux_"+runtime.GOARCH+".tar.gz"))); len(version) < 2 || version[1] != "v"+want[1] {
		t.Errorf("belfry version = %q, want v%s", version, want[1])
	}
	if out := output(t, filepath.Join(dir, "belfry"), "check", "--config", filepath.Join(dir, "belfry.yaml")); !strings.Contains(out, "0.0.0.0:6001") {
		t.Errorf("the example is no configuration:\n%s", out)
	}
	licences, err := os.ReadFile(filepath.Join(dir, "THIRD_PARTY.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Go standard library", "github.com/nats-io/nats-server/v2", "github.com/inconshreveable/mousetrap", "Pusher, Ltd", "preact"} {
		if !strings.Contains(string(licences), name) {
			t.Errorf("THIRD_PARTY.txt does not name %s", name)
		}
	}
}

func TestWindowsArchive(t *testing.T) {
	dist(t)
	need(t, func() bool { _, err := exec.LookPath("python3"); return err == nil }(), "there is no python3 to unpack zip with")
	dir := t.TempDir()
	output(t, "python3", "-m", "zipfile", "-e", one(t, "_windows_amd64.zip"), dir)
	names, err := filepath.Glob(filepath.Join(dir, "*", "belfry.exe"))
	if err != nil || len(names) != 1 {
		t.Fatalf("programs in the archive: %q %v", names, err)
	}
	f, err := pe.Open(names[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Machine != pe.IMAGE_FILE_MACHINE_AMD64 {
		t.Errorf("the program is for machine %#x", f.Machine)
	}
}

func TestBillOfMaterials(t *testing.T) {
	text, err := os.ReadFile(one(t, "_sbom.cdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, purl := range []string{"pkg:golang/github.com/nats-io/nats-server/v2@", "pkg:golang/std@", "pkg:npm/pusher-js@", "pkg:npm/preact@"} {
		if !bytes.Contains(text, []byte(`"purl": "`+purl)) {
			t.Errorf("the bill of materials does not have %s", purl)
		}
	}
}

// inPackages are the files of the packages, with who has them and may do what.
var inPackages = map[string]string{
	"/usr/bin/belfry":                               "-rwxr-xr-x root root",
	"/usr/lib/systemd/system/belfry.service":        "-rw-r--r-- root root",
	"/etc/belfry":                                   "drwxr-x--- root belfry",
	"/etc/belfry/belfry.yaml":                       "-rw-r----- root belfry",
	"/var/lib/belfry":                               "drwxr-x--- belfry belfry",
	"/usr/share/man/man1/belfry-serve.1":            "-rw-r--r-- root root",
	"/usr/share/bash-completion/completions/belfry": "-rw-r--r-- root root",
	"/usr/share/doc/belfry/THIRD_PARTY.txt":         "-rw-r--r-- root root",
}

func TestPackagesHaveWhatTheyNeed(t *testing.T) {
	dist(t)
	for kind, list := range map[string]func(t *testing.T, file string) map[string]string{"deb": inDeb, "rpm": inRPM} {
		for _, arch := range []string{"amd64", "arm64"} {
			got := list(t, one(t, "_linux_"+arch+"."+kind))
			for name, want := range inPackages {
				if got[name] != want {
					t.Errorf("the %s for %s has %s as %q, want %q", kind, arch, name, got[name], want)
				}
			}
		}
	}
}

func inDeb(t *testing.T, file string) map[string]string {
	_, err := exec.LookPath("dpkg-deb")
	need(t, err == nil, "there is no dpkg-deb")
	if conffiles := output(t, "dpkg-deb", "--info", file, "conffiles"); conffiles != "/etc/belfry/belfry.yaml\n" {
		t.Errorf("conffiles = %q", conffiles)
	}
	found := map[string]string{}
	for line := range strings.Lines(output(t, "dpkg-deb", "--contents", file)) {
		if f := strings.Fields(line); len(f) >= 6 {
			found["/"+strings.Trim(strings.TrimPrefix(f[5], "."), "/")] = f[0] + " " + strings.Replace(f[1], "/", " ", 1)
		}
	}
	return found
}

func inRPM(t *testing.T, file string) map[string]string {
	_, err := exec.LookPath("rpm")
	need(t, err == nil, "there is no rpm: apt-get install rpm")
	if config := output(t, "rpm", "-q", "--configfiles", "-p", file); config != "/etc/belfry/belfry.yaml\n" {
		t.Errorf("configuration files = %q", config)
	}
	found := map[string]string{}
	for line := range strings.Lines(output(t, "rpm", "-q", "--queryformat", "[%{FILENAMES} %{FILEMODES:perms} %{FILEUSERNAME} %{FILEGROUPNAME}\n]", "-p", file)) {
		if name, rest, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			found[name] = rest
		}
	}
	return found
}

// TestSameBytesTwice builds a platform again from a clone elsewhere.
func TestSameBytesTwice(t *testing.T) {
	first := published(t, dist(t))
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	changed := output(t, "git", "-C", root, "status", "--porcelain")
	need(t, changed == "", "the sources have changes that a clone does not have:\n"+changed)
	clone := filepath.Join(t.TempDir(), "clone")
	output(t, "git", "clone", "--quiet", "--no-local", "--depth=1", "file://"+root, clone)
	name := filepath.Base(one(t, "_linux_amd64.tar.gz"))
	version := "v" + strings.TrimSuffix(strings.TrimPrefix(name, "belfry_"), "_linux_amd64.tar.gz")
	again := exec.CommandContext(t.Context(), "go", "run", "./internal/release", "-version", version, "-platforms", "linux/amd64")
	again.Dir = clone
	if out, err := again.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	second := published(t, filepath.Join(clone, "bin", "dist"))
	if len(second) < 3 {
		t.Errorf("the second build has only %v", second)
	}
	for name := range second { // the bill of materials is that of the first platform in both
		if first[name] != second[name] {
			t.Errorf("%s differs: %s and %s", name, first[name], second[name])
		}
	}
}
