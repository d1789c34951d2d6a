package main

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/cmd/belfry/internal/terminal"
)

// firstAppPath is where a service that was started in a directory says which
// app it has made.
var firstAppPath = filepath.Join("belfry-data", firstAppFile)

// readFirstApp returns what the first start in dir has written.
func readFirstApp(t testing.TB, dir string) (url, secret string) {
	t.Helper()
	name := filepath.Join(dir, firstAppPath)
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%s: %v %v, want one that only its owner can read", name, info.Mode(), err)
	}
	m := firstAppLines.FindStringSubmatch(string(text))
	if m == nil {
		t.Fatalf("%s has no credentials:\n%s", name, text)
	}
	return m[1], m[2]
}

var firstAppLines = regexp.MustCompile(`(?m)^BELFRY_URL=(http://[0-9a-f]+:([0-9a-f]+)@127\.0\.0\.1:\d+/apps/\d+)\nPUSHER_APP_ID=\d+\nPUSHER_APP_KEY=[0-9a-f]+\nPUSHER_APP_SECRET=[0-9a-f]+\n$`)

func TestServeMakesAnAppOnce(t *testing.T) {
	dir := t.TempDir()
	first, address, _ := startServe(t, dir)
	url, secret := readFirstApp(t, dir)
	if !strings.Contains(url, address) {
		t.Errorf("BELFRY_URL=%s, want that of %s", url, address)
	}
	if status, _, err := runCommand(t, withURL(url), "trigger", "news", "hello"); status != 0 {
		t.Errorf("trigger with the credentials of the first start: %s", err)
	}
	if status := first.stop(); status != 0 {
		t.Errorf("serve stopped with %d:\n%s", status, first.err)
	}
	if said := first.out.String() + first.err.String(); strings.Contains(said, secret) || !strings.Contains(said, firstAppPath) {
		t.Errorf("the log must name the file and not the secret:\n%s", said)
	}
	if err := os.Remove(filepath.Join(dir, firstAppPath)); err != nil {
		t.Fatal(err)
	}

	second, address, _ := startServe(t, dir)
	url = strings.Replace(url, url[strings.Index(url, "@"):strings.Index(url, "/apps/")], "@"+address, 1)
	if status, _, err := runCommand(t, withURL(url), "trigger", "news", "hello"); status != 0 {
		t.Errorf("trigger after the second start: %s", err)
	}
	if out := second.out.String() + second.err.String(); strings.Contains(out, secret) || strings.Contains(out, firstAppFile) {
		t.Errorf("the second start tells again:\n%s", out)
	}
	if _, err := os.Stat(filepath.Join(dir, firstAppPath)); err == nil {
		t.Error("the second start writes the file again")
	}
}

// TestCredentialsOfAFirstStartThatFailsAreNotLost is about a start where the
// port is taken, and the one after it.
func TestCredentialsOfAFirstStartThatFailsAreNotLost(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().String()
	peers := "127.0.0.1:1,127.0.0.1:2,127.0.0.1:3" // nobody is there: a node would wait for them
	for name, args := range map[string][]string{
		"the port of clients":   {"--listen", port, "--admin-listen", "off"},
		"the port of operators": {"--listen", "127.0.0.1:0", "--admin-listen", port},
		"a node of a cluster":   {"--listen", port, "--admin-listen", "off", "--cluster-listen", unusedAddress(t), "--join", peers},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := setup{dir: dir, env: []string{"BELFRY_CLUSTER_SECRET=0123456789012345678901234567890123456789"}}
			status, out, err := runCommand(t, s, append([]string{"serve"}, args...)...)
			if status != 1 || !strings.Contains(err, "another program listens on "+port) {
				t.Errorf("serve on a taken port = %d %s", status, err)
			}
			if _, err := os.Stat(filepath.Join(dir, firstAppPath)); err == nil || strings.Contains(out, "secret") {
				t.Errorf("a start that failed has told of an app: %s", out)
			}
			_, address, _ := startServe(t, dir)
			url, _ := readFirstApp(t, dir)
			if status, _, err := runCommand(t, withURL(url), "trigger", "news", "hello"); status != 0 || !strings.Contains(url, address) {
				t.Errorf("trigger with the credentials of the start that succeeded (%s): %s", address, err)
			}
		})
	}
}

// TestCredentialsThatCouldNotBeWrittenAreToldByTheNextStart has a directory in
// the place of the file.
func TestCredentialsThatCouldNotBeWrittenAreToldByTheNextStart(t *testing.T) {
	dir := t.TempDir()
	inTheWay := filepath.Join(dir, firstAppPath, "x")
	if err := os.MkdirAll(inTheWay, 0o700); err != nil {
		t.Fatal(err)
	}
	status, _, err := runCommand(t, setup{dir: dir}, append([]string{"serve"}, onEphemeralPorts...)...)
	if status != 1 || !strings.Contains(err, firstAppFile+" can not be written") {
		t.Errorf("serve = %d %s", status, err)
	}
	if err := os.RemoveAll(filepath.Dir(inTheWay)); err != nil {
		t.Fatal(err)
	}
	r := serveIn(t, dir)
	url, _ := readFirstApp(t, dir)
	if status, _, err := runCommand(t, withURL(url), "trigger", "news", "hello"); status != 0 {
		t.Errorf("trigger with the credentials of the second start: %s", err)
	}
	if list := r.do("list", "--json"); strings.Count(list, `"id"`) != 1 {
		t.Errorf("the two starts made %s, want one app", list)
	}
}

// TestNowhereIsNoTerminal has a service whose log goes to the null device,
// which is a device as terminals are.
func TestNowhereIsNoTerminal(t *testing.T) {
	nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer nowhere.Close()
	if terminal.Is(nowhere) {
		t.Error("the null device passes for a terminal")
	}
}
