package migrate

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/belfrytest"
)

// moved is what docs/migrate.md says is to be changed.
const moved = `-	"github.com/pusher/pusher-http-go/v5"
+	"github.com/belfryhq/belfry/backend/pusher"
-	client := pusher.Client{
+	client, err := pusher.New(pusher.Client{
-	}
+	})
+	if err != nil {
+		log.Fatal(err)
+	}
`

func lines(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, code, ok := strings.Cut(string(text), "package main\n")
	if !ok {
		t.Fatalf("%s is no program", file)
	}
	return strings.Split(code, "\n")
}

// TestOnlyImportAndConstructorDiffer undoes the change in the one program and
// compares it with the other.
func TestOnlyImportAndConstructorDiffer(t *testing.T) {
	before, after := lines(t, filepath.Join("before", "main.go")), lines(t, filepath.Join("after", "main.go"))
	var difference strings.Builder
	for _, change := range []struct{ from, to []string }{
		{[]string{"\t\"github.com/pusher/pusher-http-go/v5\""}, []string{"\t\"github.com/belfryhq/belfry/backend/pusher\""}},
		{[]string{"\tclient := pusher.Client{"}, []string{"\tclient, err := pusher.New(pusher.Client{"}},
		{[]string{"\t}"}, []string{"\t})", "\tif err != nil {", "\t\tlog.Fatal(err)", "\t}"}},
	} {
		i := slices.Index(after, change.to[0])
		if i < 0 || !slices.Equal(after[i:i+len(change.to)], change.to) {
			t.Fatalf("the program does not have %q", change.to)
		}
		after = slices.Concat(after[:i], change.from, after[i+len(change.to):])
		difference.WriteString("-" + strings.Join(change.from, "\n-") + "\n+" + strings.Join(change.to, "\n+") + "\n")
	}
	if !slices.Equal(before, after) {
		t.Errorf("the programs differ in more than that:\n%s\n---\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
	if difference.String() != moved {
		t.Errorf("the difference is\n%s", difference.String())
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "migrate.md"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(strings.TrimSpace(moved), "\n") {
		if !strings.Contains(string(page), line) {
			t.Errorf("docs/migrate.md does not show %s", line)
		}
	}
}

// TestBothDoTheSame runs both programs against a service.
func TestBothDoTheSame(t *testing.T) {
	s := belfrytest.Start(t, belfrytest.Config{})
	watcher := s.Client(t, "watcher")
	events := belfrytest.Collect(t, watcher)
	for _, name := range []string{"orders", "presence-shop", "private-encrypted-orders"} {
		if _, err := watcher.Subscribe(name); err != nil {
			t.Fatal(err)
		}
	}
	belfrytest.Connect(t, watcher)
	belfrytest.AwaitSubscribed(t, watcher.Channels()...)
	var outputs, seen []string
	for _, program := range []string{"before", "after"} {
		binary := filepath.Join(t.TempDir(), program)
		if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./"+program).CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
		command := exec.CommandContext(t.Context(), binary)
		command.Env = append(os.Environ(), "APP_ID="+belfrytest.AppID, "APP_KEY="+belfrytest.Key, "APP_SECRET="+belfrytest.Secret,
			"APP_HOST="+s.Addr(), "APP_MASTER_KEY="+belfrytest.MasterKey)
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", program, err, out)
		}
		outputs = append(outputs, string(out))
		var list []string
		for len(list) < 5 {
			if e := events.Next(t); !strings.HasPrefix(e.Name, "pusher:") {
				list = append(list, e.Channel+" "+e.Name+" "+e.Data)
			}
		}
		slices.Sort(list)
		seen = append(seen, strings.Join(list, "\n"))
	}
	if outputs[0] != outputs[1] || !strings.Contains(outputs[0], "presence-shop has 1 users") {
		t.Errorf("before prints\n%s\nafter prints\n%s", outputs[0], outputs[1])
	}
	if seen[0] != seen[1] || !strings.Contains(seen[0], "private-encrypted-orders created 9") {
		t.Errorf("before sends\n%s\nafter sends\n%s", seen[0], seen[1])
	}
}
