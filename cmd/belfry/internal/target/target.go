// Package target is a service and an app on it, as backends and clients see them. It
// knows how they are named by a URL, where clients connect, and how an event is sent.
//
// Which one is meant, and where that is said, is up to the commands. The package
// takes no locks and keeps nothing.
package target

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/belfryhq/belfry/client"
	"github.com/belfryhq/belfry/internal/apps"
)

// A Target is a service and an app on it, as seen from a backend or client.
type Target struct {
	Base  *url.URL // scheme, host and, where there is one, the path prefix
	AppID string
	Pair  apps.Key
}

// Parse reads a URL. Its errors never repeat it, because it may have a
// secret in it.
func Parse(text string) (Target, error) {
	if !strings.Contains(text, "://") {
		return Target{}, fmt.Errorf("has no scheme; write http://host:port or https://host")
	}
	u, err := url.Parse(text)
	if err != nil {
		return Target{}, fmt.Errorf("is not a URL such as http://key:secret@host:6001/apps/1")
	}
	t := Target{Base: &url.URL{Scheme: u.Scheme, Host: u.Host}}
	switch u.Scheme {
	case "ws":
		t.Base.Scheme = "http"
	case "wss":
		t.Base.Scheme = "https"
	case "http", "https":
	default:
		return Target{}, fmt.Errorf("has the scheme %s; http, https, ws and wss are known", u.Scheme)
	}
	if u.Hostname() == "" {
		return Target{}, fmt.Errorf("has no host")
	}
	if u.User != nil {
		t.Pair.Key = u.User.Username()
		t.Pair.Secret, _ = u.User.Password()
	}
	prefix, id, ok := strings.Cut(strings.TrimRight(u.Path, "/"), "/apps/")
	if ok {
		t.AppID = id
	}
	t.Base.Path = prefix
	return t, nil
}

// Endpoint is where clients of the app connect.
func (t Target) Endpoint() client.Endpoint {
	port, _ := strconv.Atoi(t.Base.Port()) // url.Parse has seen to it that it is digits or nothing
	return client.Endpoint{
		Host: t.Base.Hostname(), Port: port,
		Path: t.Base.Path, Insecure: t.Base.Scheme == "http",
	}
}
