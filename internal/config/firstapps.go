package config

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"

	"github.com/belfryhq/belfry/internal/apps"
)

// FirstAppsFile is the name of a file in the data directory. It is written like belfry.yaml and
// has apps only, so that it can be edited or moved into one.
const FirstAppsFile = "apps.yaml"

const firstAppText = `# Made by belfry on its first start, because no app was configured. The
# credentials are random and are used until belfry.yaml has apps of its own.
# Keep this file to yourself: whoever knows a secret can send events.
apps:
  - id: "%s"
    name: first app
    keys: [{key: "%s", secret: "%s"}]
`

// FirstApps returns the apps that the data directory keeps, which serve a
// service where none are configured. If there are none yet it makes the
// directory, and in it one app with random credentials; made is then true.
// Of several processes that start on one directory at the same time, one
// makes the app and all return it.
func FirstApps(dir string) (list []*apps.App, made bool, err error) {
	list, err = KeptApps(dir)
	if err != nil || len(list) > 0 {
		return list, false, err
	}
	text, err := newFirstApp()
	if err != nil {
		return nil, false, fmt.Errorf("config: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, false, fmt.Errorf("config: the data directory can not be made: %w; name another with --data-dir", err)
	}
	made, err = writeOnce(filepath.Join(dir, FirstAppsFile), text)
	if err != nil {
		return nil, false, fmt.Errorf("config: the first app can not be kept: %w; name another data directory with --data-dir", err)
	}
	list, err = KeptApps(dir)
	return list, made && err == nil, err
}

// KeptApps returns the apps that the data directory keeps, or none. Mistakes
// in their file are of type [Problems].
func KeptApps(dir string) ([]*apps.App, error) {
	name := filepath.Join(dir, FirstAppsFile)
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
	if len(list) == 0 && len(problems) == 0 {
		problems.add(Place{Source: name, Layer: layerFile}, "apps", "has no app; remove the file to have one made")
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return list, nil
}

// newFirstApp returns the file of an app that nobody else has.
func newFirstApp() ([]byte, error) {
	id, err := rand.Int(rand.Reader, big.NewInt(900_000))
	if err != nil {
		return nil, err
	}
	credentials := make([]byte, 10+20)
	if _, err := rand.Read(credentials); err != nil {
		return nil, err
	}
	number := 100_000 + id.Int64()
	key, secret := hex.EncodeToString(credentials[:10]), hex.EncodeToString(credentials[10:])
	return fmt.Appendf(nil, firstAppText, fmt.Sprint(number), key, secret), nil
}

// writeOnce makes a file that only its owner may read, unless there is one of
// that name, and reports whether it did. The file is there whole and on disk,
// or not at all.
func writeOnce(name string, text []byte) (made bool, err error) {
	dir := filepath.Dir(name)
	temporary, err := os.CreateTemp(dir, FirstAppsFile+".*") // made with mode 0600
	if err != nil {
		return false, err
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(text)
	if err := errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
		return false, err
	}
	switch err := os.Link(temporary.Name(), name); {
	case errors.Is(err, fs.ErrExist):
		return false, nil
	case err != nil: // some file systems have no links
		if err := os.Rename(temporary.Name(), name); err != nil {
			return false, err
		}
	}
	return true, syncDir(dir)
}

// syncDir makes a new name in dir survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
