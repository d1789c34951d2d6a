package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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
