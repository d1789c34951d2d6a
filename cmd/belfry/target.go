package main

import (
	"cmp"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
	"github.com/belfryhq/belfry/cmd/belfry/internal/target"
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
	devListen = "127.0.0.1:6001"
)

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
func (f *targetFlags) resolve(environ func(string) string) (target.Target, error) {
	source, text := "--url", f.url
	for _, variable := range []string{"BELFRY_URL", "PUSHER_URL"} {
		if text == "" {
			source, text = variable, environ(variable)
		}
	}
	if text == "" {
		source, text = "", "http://"+devListen
	}
	t, err := target.Parse(text)
	if err != nil {
		return target.Target{}, cli.Usagef("%s %v", source, err)
	}
	t.AppID, t.Pair.Key, t.Pair.Secret = cmp.Or(f.appID, t.AppID), cmp.Or(f.key, t.Pair.Key), cmp.Or(f.secret, t.Pair.Secret)
	if t.AppID+t.Pair.Key+t.Pair.Secret == "" && hostname.Loopback(t.Base.Hostname()) {
		t.AppID, t.Pair = devAppID, apps.Key{Key: devKey, Secret: devSecret}
	}
	return t, nil
}

// loopbackAddress reports whether listening there is for this machine only. Of
// names it trusts one alone: others below localhost may be looked up elsewhere.
func loopbackAddress(address string) bool {
	host, _, err := net.SplitHostPort(address)
	addr, notIP := netip.ParseAddr(host)
	return err == nil && (notIP == nil && addr.IsLoopback() || strings.EqualFold(host, "localhost"))
}

// needKey and needSecret say what is missing for what the command must do.
func needKey(t target.Target) error {
	if t.Pair.Key == "" {
		return cli.Usagef("which app? Give its key with --key, or set BELFRY_URL=http://KEY:SECRET@HOST:PORT/apps/APP_ID")
	}
	return nil
}

func needSecret(t target.Target) error {
	if err := needKey(t); err != nil {
		return err
	}
	if t.Pair.Secret == "" {
		return cli.Usagef("the secret of the key %s is needed; set BELFRY_URL=http://KEY:SECRET@HOST:PORT/apps/APP_ID, or give --secret", t.Pair.Key)
	}
	return nil
}

// getenv is the environment of the process.
func getenv(name string) string { return os.Getenv(name) }
