package backend

import (
	"crypto/md5"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/belfryhq/belfry/protocol"
)

// reserved are the parameters that signing adds.
var reserved = []string{"auth_key", "auth_timestamp", "auth_version", "auth_signature", "body_md5"}

// SignQuery returns query with the parameters that sign a request: method,
// path (below the app, as in "/channels"), query and body. Query itself stays
// unchanged. The hash of the body is added if there is one. A query that has
// one of the parameters that signing adds is refused.
func (c *Client) SignQuery(method, path string, query url.Values, body []byte) (url.Values, error) {
	return c.signQuery("", method, path, query, body)
}

// signQuery is SignQuery for an API whose paths begin with a prefix.
func (c *Client) signQuery(api, method, path string, query url.Values, body []byte) (url.Values, error) {
	for name := range query {
		if slices.Contains(reserved, strings.ToLower(name)) {
			return nil, invalid(ErrInvalidParameter, "query", name, "signing adds it")
		}
	}
	signed := maps.Clone(query)
	if signed == nil {
		signed = url.Values{}
	}
	signed.Set("auth_key", c.token.Key)
	signed.Set("auth_timestamp", strconv.FormatInt(c.now().Unix(), 10))
	signed.Set("auth_version", "1.0")
	if len(body) > 0 {
		sum := md5.Sum(body)
		signed.Set("body_md5", hex.EncodeToString(sum[:]))
	}
	text := protocol.RequestText(method, c.signed+api+"/apps/"+c.appID+path, params(signed))
	signed.Set("auth_signature", protocol.Sign(c.token.Secret, text))
	return signed, nil
}

// params lists the values of a query, those of one name in their order.
func params(query url.Values) []protocol.Param {
	list := make([]protocol.Param, 0, len(query))
	for _, name := range slices.Sorted(maps.Keys(query)) {
		for _, value := range query[name] {
			list = append(list, protocol.Param{Key: name, Value: value})
		}
	}
	return list
}

// SignedURL returns the whole URL of a request, signed as SignQuery does. The
// path is that below the app, and is sent as it is: what needs escapes in a
// path has them already.
func (c *Client) SignedURL(method, path string, query url.Values, body []byte) (string, error) {
	return c.signedURL("", method, path, query, body)
}

// signedURL is SignedURL for an API whose paths begin with a prefix.
func (c *Client) signedURL(api, method, path string, query url.Values, body []byte) (string, error) {
	signed, err := c.signQuery(api, method, path, query, body)
	if err != nil {
		return "", err
	}
	return c.url(api+"/apps/"+c.appID+path) + "?" + signed.Encode(), nil
}

// url is where a path below that of the service is.
func (c *Client) url(path string) string {
	return c.base.Scheme + "://" + c.base.Host + c.base.EscapedPath() + path
}

// checkPath refuses a path that would not arrive as it was signed.
func checkPath(method, path string) error {
	switch {
	case !strings.HasPrefix(path, "/"):
		return invalid(ErrInvalidParameter, "path", path, "it does not start with /")
	case strings.ContainsAny(path, "?# ") || strings.ContainsFunc(path, isControl):
		return invalid(ErrInvalidParameter, "path", path, "it has characters that need escapes")
	case method != http.MethodGet && method != http.MethodPost:
		return invalid(ErrInvalidParameter, "method", method, "the HTTP API has GET and POST")
	}
	return nil
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }
