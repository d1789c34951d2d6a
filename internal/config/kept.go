package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/belfryhq/belfry/internal/apps"
)

// KeptFile is the name of a file in the data directory in which the first
// version of the service kept the app that it had made. It is written like
// belfry.yaml and has apps only.
const KeptFile = "apps.yaml"

// KeptApps returns the apps of [KeptFile], or none. Mistakes in it are of type
// [Problems].
func KeptApps(dir string) ([]*apps.App, error) {
	name := filepath.Join(dir, KeptFile)
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var problems Problems
	var list []*apps.App
	d, top := readFile(name, &problems)
	if top != nil {
		found := d.read(top, block{lists: []string{"apps"}})
		if node := found.nodes["apps"]; node != nil {
			list, _ = d.apps(node)
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return list, nil
}

// PutAway renames [KeptFile] once its apps are kept elsewhere, and returns its
// new name.
func PutAway(dir string) (string, error) {
	name := filepath.Join(dir, KeptFile)
	return name + ".imported", os.Rename(name, name+".imported")
}
