package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestErrorsAreToldWithoutNamesOfPackages(t *testing.T) {
	for text, want := range map[string]string{
		"server: first app: appstore: the engine does not answer": "first app: the engine does not answer",
		"admin: datadir: data_dir: x is a file":                   "data_dir: x is a file",
		"client: closed\nserver: stop hub: late":                  "closed\nstop hub: late",
		"nothing of ours: dial tcp: refused":                      "nothing of ours: dial tcp: refused",
		"lookup a: server misbehaving":                            "lookup a: server misbehaving",
		"what is this: server":                                    "what is this: server",
		"":                                                        "",
	} {
		if got := plain(errors.New(text)); got != want {
			t.Errorf("plain(%q) = %q, want %q", text, got, want)
		}
	}
}

// TestEveryPackageIsKnown walks over the packages whose errors commands print.
func TestEveryPackageIsKnown(t *testing.T) {
	var found []string
	for _, root := range []string{"../../internal", "internal", "../../backend", "../../client", "../../protocol", "../../belfrytest", "../../web"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return err
			}
			if sources, _ := filepath.Glob(filepath.Join(path, "*.go")); len(sources) > 0 {
				found = append(found, filepath.Base(path))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(found)
	if got := strings.Join(packages, " "); got != strings.Join(slices.Compact(found), " ") {
		t.Errorf("packages = %s\nwant %s", got, strings.Join(found, " "))
	}
}

// A directory that can not be used is named, and nothing that is inside.
func TestDataDirectoryThatCanNotBeUsedIsNamed(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "data")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for data, want := range map[string]string{
		file:                          "data_dir: " + file + " is a file and not a directory",
		filepath.Join(file, "inside"): "data_dir: " + filepath.Join(file, "inside") + " can not be used: ",
	} {
		for _, command := range [][]string{{"serve", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"}, {"serve", "--listen=127.0.0.1:0", "--admin-listen=off"}} {
			status, _, err := runCommand(t, setup{dir: dir}, append(command, "--data-dir="+data)...)
			last := err[strings.LastIndex(strings.TrimSpace(err), "\n")+1:]
			if status != 1 || !strings.Contains(last, want) || strings.Contains(err, "apps.yaml") || strings.Contains(last, "datadir:") || strings.Contains(last, "admin:") {
				t.Errorf("%v with --data-dir=%s = %d %s", command, data, status, err)
			}
		}
	}
}

func TestClientsOfTheAdminPortAreToldSo(t *testing.T) {
	r := serveIn(t, t.TempDir())
	for _, args := range [][]string{{"trigger", "news", "hello"}, {"subscribe", "news"}} {
		status, _, err := runCommand(t, withURL("http://k:s@"+r.admin+"/apps/1"), args...)
		if status != 1 || !strings.Contains(err, "is the administration port") || !strings.Contains(err, "--url") {
			t.Errorf("%v to the administration port = %d %s", args, status, err)
		}
	}
}
