package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"
)

const (
	adminListen = "127.0.0.1:6002"
	// tokenFile is where the data directory keeps the token.
	tokenFile = "admin-token"
)

// adminFlags name a service as seen from its operator.
type adminFlags struct {
	url, dataDir, tokenFile string
	json                    bool
}

// adminHelp is the same in the help of every command that speaks to the admin
// API.
const adminHelp = `Which service: --admin or BELFRY_ADMIN_URL, by default http://` + adminListen + `. Its token
is BELFRY_ADMIN_TOKEN, or stands in the file --token-file names, or in the data
directory of the service (--data-dir or BELFRY_DATA_DIR, by default belfry-data).
Without any of it, a service of this machine is taken for belfry dev.`

func (f *adminFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.url, "admin", "", "the administration port of the service, as `http://host:port` (BELFRY_ADMIN_URL)")
	flags.StringVar(&f.tokenFile, "token-file", "", "a `file` that has the token")
	flags.StringVar(&f.dataDir, "data-dir", "", "the data `directory` of the service, which has the token (BELFRY_DATA_DIR)")
	flags.BoolVar(&f.json, "json", false, "print the answer of the service as it is")
}

// An adminClient speaks to the admin API of one service.
type adminClient struct {
	base  *url.URL
	token string
	from  string // where the token comes from
}

// resolve finds the service and its token, asking environ for variables.
func (f *adminFlags) resolve(environ func(string) string) (adminClient, error) {
	source, text := "--admin", f.url
	if text == "" {
		source, text = "BELFRY_ADMIN_URL", environ("BELFRY_ADMIN_URL")
	}
	text = cmp.Or(text, "http://"+adminListen)
	base, err := url.Parse(text)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Hostname() == "" {
		return adminClient{}, usagef("%s is not a URL such as http://%s", source, adminListen)
	}
	c := adminClient{base: &url.URL{Scheme: base.Scheme, Host: base.Host, Path: strings.TrimRight(base.Path, "/")}}
	if f.tokenFile != "" {
		return c, c.readToken(f.tokenFile)
	}
	if c.token = environ("BELFRY_ADMIN_TOKEN"); c.token != "" {
		c.from = "BELFRY_ADMIN_TOKEN"
		return c, nil
	}
	dir := cmp.Or(f.dataDir, environ("BELFRY_DATA_DIR"))
	err = c.readToken(filepath.Join(cmp.Or(dir, "belfry-data"), tokenFile))
	if dir == "" && errors.Is(err, fs.ErrNotExist) {
		if !loopback(base.Hostname()) {
			return c, usagef("the token of the service is needed; set BELFRY_ADMIN_TOKEN, or give --token-file or --data-dir")
		}
		c.token, c.from, err = devToken, "belfry dev", nil
	}
	return c, err
}

// readToken takes the token from a file.
func (c *adminClient) readToken(name string) error {
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

// call asks the service for something and returns its answer, which is JSON or
// nothing. The path is escaped. A nil body sends none; a revision that is not
// zero is the only one that may be changed.
func (c adminClient) call(ctx context.Context, method, path string, query url.Values, body any, revision uint64) ([]byte, error) {
	var text io.Reader
	if body != nil {
		text = bytes.NewReader(jsonBytes(body))
	}
	address := c.base.String() + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, address, text)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if revision != 0 {
		r.Header.Set("If-Match", fmt.Sprintf(`"%d"`, revision))
	}
	response, err := plainClient.Do(r)
	if err != nil {
		return nil, c.explainUnreachable(err)
	}
	defer response.Body.Close()
	reply, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, c.explainUnreachable(err)
	}
	if response.StatusCode/100 != 2 {
		return nil, c.explainStatus(response, reply)
	}
	return bytes.TrimSpace(reply), nil
}

// plainClient follows no redirects: the token is for the address that was
// given.
var plainClient = &http.Client{
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func (c adminClient) explainUnreachable(err error) error {
	t := target{base: c.base}
	return fmt.Errorf("%w\n%s", t.explainUnreachable(err), "the administration port is the one of admin.listen; name it with --admin or BELFRY_ADMIN_URL")
}

// explainStatus says what the service objects to.
func (c adminClient) explainStatus(response *http.Response, reply []byte) error {
	var problem struct {
		Detail   string
		Mistakes []struct{ Name, Text string }
	}
	if response.StatusCode == http.StatusUnauthorized {
		return fmt.Errorf("the service does not know the token (from %s)\nset BELFRY_ADMIN_TOKEN, or give --token-file or the --data-dir of the service", c.from)
	}
	if json.Unmarshal(reply, &problem) != nil || problem.Detail == "" {
		return fmt.Errorf("the service answered %s: is %s the administration port of a Belfry?", response.Status, c.base)
	}
	lines := []string{problem.Detail}
	for _, m := range problem.Mistakes {
		lines = append(lines, m.Name+": "+m.Text)
	}
	return errors.New(strings.Join(lines, "\n"))
}
