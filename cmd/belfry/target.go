package main

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/belfryhq/belfry/client"
	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/hostname"
)

// The credentials of belfry dev. They are known to everybody, which is why
// dev answers on loopback only.
const (
	devAppID  = "1"      // digits, which some libraries insist on
	devAlias  = "app-id" // what many tutorials have
	devKey    = "app-key"
	devSecret = "app-secret"
	devToken  = "admin-token-of-dev"
	devListen = "127.0.0.1:6001"
)

// A target is a service and an app on it, as seen from a backend or client.
type target struct {
	base  *url.URL // scheme, host and, where there is one, the path prefix
	appID string
	pair  apps.Key
}

// targetFlags are the flags that name a target. Each overrides its part of
// the URL.
type targetFlags struct {
	url, appID, key, secret string
}

// targetHelp is the same in the help of every command that has a target.
const targetHelp = `Which service, app and credentials: BELFRY_URL, or else PUSHER_URL, has all in one,
http://KEY:SECRET@HOST:PORT/apps/APP_ID. Flags override its parts. Without any of
it, or for an address of this machine without credentials, it is the app of
belfry dev. A secret in a flag can be read by other users of the machine; prefer
the variable.`

func (f *targetFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.url, "url", "", "the service, as `http://host:port` or with credentials and app (BELFRY_URL, PUSHER_URL)")
	flags.StringVar(&f.appID, "app-id", "", "`id` of the app")
	flags.StringVar(&f.key, "key", "", "`key` of the app")
	flags.StringVar(&f.secret, "secret", "", "`secret` that belongs to the key")
}

// resolve finds the target, asking environ for variables. What is missing is
// left empty.
func (f *targetFlags) resolve(environ func(string) string) (target, error) {
	source, text := "--url", f.url
	for _, variable := range []string{"BELFRY_URL", "PUSHER_URL"} {
		if text == "" {
			source, text = variable, environ(variable)
		}
	}
	if text == "" {
		source, text = "", "http://"+devListen
	}
	t, err := parseTarget(text)
	if err != nil {
		return target{}, usagef("%s %v", source, err)
	}
	t.appID, t.pair.Key, t.pair.Secret = cmp.Or(f.appID, t.appID), cmp.Or(f.key, t.pair.Key), cmp.Or(f.secret, t.pair.Secret)
	if t.appID+t.pair.Key+t.pair.Secret == "" && hostname.Loopback(t.base.Hostname()) {
		t.appID, t.pair = devAppID, apps.Key{Key: devKey, Secret: devSecret}
	}
	return t, nil
}

// parseTarget reads a URL. Its errors never repeat it, because it may have a
// secret in it.
func parseTarget(text string) (target, error) {
	if !strings.Contains(text, "://") {
		return target{}, fmt.Errorf("has no scheme; write http://host:port or https://host")
	}
	u, err := url.Parse(text)
	if err != nil {
		return target{}, fmt.Errorf("is not a URL such as http://key:secret@host:6001/apps/1")
	}
	t := target{base: &url.URL{Scheme: u.Scheme, Host: u.Host}}
	switch u.Scheme {
	case "ws":
		t.base.Scheme = "http"
	case "wss":
		t.base.Scheme = "https"
	case "http", "https":
	default:
		return target{}, fmt.Errorf("has the scheme %s; http, https, ws and wss are known", u.Scheme)
	}
	if u.Hostname() == "" {
		return target{}, fmt.Errorf("has no host")
	}
	if u.User != nil {
		t.pair.Key = u.User.Username()
		t.pair.Secret, _ = u.User.Password()
	}
	prefix, id, ok := strings.Cut(strings.TrimRight(u.Path, "/"), "/apps/")
	if ok {
		t.appID = id
	}
	t.base.Path = prefix
	return t, nil
}

// loopbackAddress reports whether listening there is for this machine only. Of
// names it trusts one alone: others below localhost may be looked up elsewhere.
func loopbackAddress(address string) bool {
	host, _, err := net.SplitHostPort(address)
	addr, notIP := netip.ParseAddr(host)
	return err == nil && (notIP == nil && addr.IsLoopback() || strings.EqualFold(host, "localhost"))
}

// endpoint is where clients of the app connect.
func (t target) endpoint() client.Endpoint {
	port, _ := strconv.Atoi(t.base.Port()) // url.Parse has seen to it that it is digits or nothing
	return client.Endpoint{
		Host: t.base.Hostname(), Port: port,
		Path: t.base.Path, Insecure: t.base.Scheme == "http",
	}
}

// needKey and needSecret say what is missing for what the command must do.
func (t target) needKey() error {
	if t.pair.Key == "" {
		return usagef("which app? Give its key with --key, or set BELFRY_URL=http://KEY:SECRET@HOST:PORT/apps/APP_ID")
	}
	return nil
}

func (t target) needSecret() error {
	if err := t.needKey(); err != nil {
		return err
	}
	if t.pair.Secret == "" {
		return usagef("the secret of the key %s is needed; set BELFRY_URL=http://KEY:SECRET@HOST:PORT/apps/APP_ID, or give --secret", t.pair.Key)
	}
	return nil
}

// getenv is the environment of the process.
func getenv(name string) string { return os.Getenv(name) }
