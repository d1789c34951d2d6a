package client

import (
	"cmp"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// An Endpoint says where an app lives. There is a Host or a Cluster: none is
// assumed, so that nothing goes to somebody else's service by mistake.
type Endpoint struct {
	Host string // wins over Cluster
	// Cluster is a cluster of the hosted service, such as "eu": the host is
	// then ws-eu.pusher.com.
	Cluster  string
	Port     int    // default 443, or 80 with Insecure
	Path     string // stands in front of /app/KEY; default none
	Insecure bool   // ws and http instead of wss and https

	// Where the HTTP transports are, if elsewhere.
	HTTPHost string // default Host, or sockjs-CLUSTER.pusher.com
	HTTPPort int    // default Port
	HTTPPath string // stands in front of /app/KEY; default Path and "/pusher"; "/" is none
}

// check refuses an endpoint that has no address.
func (e Endpoint) check() error {
	if e.Host == "" && e.Cluster == "" {
		return configError("no host and no cluster; none is assumed")
	}
	for _, host := range []string{e.Host, e.HTTPHost} {
		if strings.ContainsAny(host, "/@?# \t\r\n") || strings.Count(host, ":") == 1 {
			return configError("the host %q is no host; the port has a field of its own", host)
		}
	}
	if strings.ContainsAny(e.Cluster, "/:@?#. \t\r\n") {
		return configError("the cluster %q is no name such as \"eu\"", e.Cluster)
	}
	for _, port := range []int{e.Port, e.HTTPPort} {
		if port < 0 || port > 65535 {
			return configError("there is no port %d", port)
		}
	}
	for _, path := range []string{e.Path, e.HTTPPath} {
		if strings.ContainsAny(path, "?#") {
			return configError("the path %q has a ? or #", path)
		}
	}
	return nil
}

// webSocketURL is where WebSocket connections for an app are made.
func (e Endpoint) webSocketURL(key, query string) *url.URL {
	host := e.Host
	if host == "" {
		host = "ws-" + e.Cluster + ".pusher.com"
	}
	return e.url("ws", host, e.Port, e.Path, key, query)
}

// httpURL is where sessions of the HTTP transports for an app are.
func (e Endpoint) httpURL(key string) *url.URL {
	host := cmp.Or(e.HTTPHost, e.Host)
	if host == "" {
		host = "sockjs-" + e.Cluster + ".pusher.com"
	}
	return e.url("http", host, cmp.Or(e.HTTPPort, e.Port), cmp.Or(e.HTTPPath, strings.TrimRight(e.Path, "/")+"/pusher"), key, "")
}

func (e Endpoint) url(scheme, host string, port int, path, key, query string) *url.URL {
	standard := 80
	if !e.Insecure {
		scheme, standard = scheme+"s", 443
	}
	if path = strings.Trim(path, "/"); path != "" {
		path = "/" + path
	}
	escaped := url.URL{Path: path}
	return &url.URL{
		Scheme:   scheme,
		Host:     net.JoinHostPort(strings.Trim(host, "[]"), strconv.Itoa(cmp.Or(port, standard))),
		Path:     path + "/app/" + key,
		RawPath:  escaped.EscapedPath() + "/app/" + url.PathEscape(key),
		RawQuery: query,
	}
}
