package adminclient

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/belfryhq/belfry/internal/hostname"
)

const (
	// DefaultListen is the administration port that is asked where none is named.
	DefaultListen = "127.0.0.1:6002"
	// defaultDataDir is where a service of this directory has its data.
	defaultDataDir = "belfry-data"
	// tokenFile is where the data directory keeps the token.
	tokenFile = "admin-token"
)

// Where names a service and its token, as far as the command line does.
type Where struct {
	URL       string // of the administration port
	TokenFile string // a file that has the token
	DataDir   string // of the service, which has the token
}

// DevToken is the token of belfry dev, for which a service of this machine is taken.
const DevToken = "admin-token-of-dev"

// A UsageError says that a service or its token is not named as it should be.
type UsageError struct{ text string }

func (e *UsageError) Error() string { return e.text }

// Find finds the service and its token, asking environ for variables. Its
// errors never repeat a token.
func (w Where) Find(environ func(string) string) (Client, error) {
	source, text := "--admin", w.URL
	if text == "" {
		source, text = "BELFRY_ADMIN_URL", environ("BELFRY_ADMIN_URL")
	}
	base, err := url.Parse(cmp.Or(text, "http://"+DefaultListen))
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Hostname() == "" {
		return Client{}, &UsageError{fmt.Sprintf("%s is not a URL such as http://%s", source, DefaultListen)}
	}
	c := Client{base: &url.URL{Scheme: base.Scheme, Host: base.Host, Path: strings.TrimRight(base.Path, "/")}}
	if w.TokenFile != "" {
		return c, c.readToken(w.TokenFile)
	}
	if c.token = environ("BELFRY_ADMIN_TOKEN"); c.token != "" {
		c.from = "BELFRY_ADMIN_TOKEN"
		return c, nil
	}
	dir := cmp.Or(w.DataDir, environ("BELFRY_DATA_DIR"))
	err = c.readToken(filepath.Join(cmp.Or(dir, defaultDataDir), tokenFile))
	if dir == "" && errors.Is(err, fs.ErrNotExist) {
		if !hostname.Loopback(base.Hostname()) {
			return c, &UsageError{"the token of the service is needed; set BELFRY_ADMIN_TOKEN, or give --token-file or --data-dir"}
		}
		c.token, c.from, err = DevToken, "belfry dev", nil
	}
	return c, err
}

// readToken takes the token from a file.
func (c *Client) readToken(name string) error {
	text, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w\nthe token is for the user that the service runs as; act as that user, or set BELFRY_ADMIN_TOKEN", err)
	case err != nil:
		return err
	}
	if c.token = strings.TrimSpace(string(text)); c.token == "" {
		return fmt.Errorf("there is no token in %s", name)
	}
	c.from = name
	return nil
}
