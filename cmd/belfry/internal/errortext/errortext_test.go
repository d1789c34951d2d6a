package errortext

import (
	"errors"
	"io/fs"
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
		if got := Plain(errors.New(text)); got != want {
			t.Errorf("Plain(%q) = %q, want %q", text, got, want)
		}
	}
}

// TestEveryPackageIsKnown walks over the packages whose errors commands print.
func TestEveryPackageIsKnown(t *testing.T) {
	var found []string
	for _, root := range []string{"../../../../internal", "..", "../../../../backend", "../../../../client", "../../../../protocol", "../../../../belfrytest", "../../../../web"} {
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
