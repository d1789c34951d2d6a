package httpapi

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/keyuse"
	"github.com/belfryhq/belfry/protocol"
)

// timestampWindow is how many seconds a timestamp may not be away from now:
// one less is the last that passes.
const timestampWindow = int64(protocol.SignatureWindow / time.Second)

// authenticate finds out which app signed the request. It needs no body: the
// signature covers the parameter body_md5, and checkBodyHash compares that
// with the body afterwards.
func (a *Handler) authenticate(c *call) error {
	c.params = appendParams(c.params[:0], c.query, true)
	if len(c.params) > maxParams {
		return badRequest("Too many query parameters (more than " + strconv.Itoa(maxParams) + ")")
	}
	key, ok := c.param("auth_key")
	if !ok {
		return unauthorized("Missing parameter: auth_key")
	}
	app := a.apps.ByKey(key)
	if app == nil || !c.names(app) {
		return a.errUnknownKey()
	}
	if err := c.checkVersion(); err != nil {
		return err
	}
	now := c.began
	if err := c.checkTimestamp(now); err != nil {
		return err
	}
	signer := app.Signer(key)
	if signer == nil {
		return a.errUnknownKey()
	}
	if err := a.checkSignature(c, signer); err != nil {
		return err
	}
	c.app = app
	a.keyUses.Note(now, app.ID, key, keyuse.Request, agent(c.r.Header))
	return nil
}

// agent is what a backend says that it is: its library, or the program.
func agent(h http.Header) string {
	if library := h.Get("X-Pusher-Library"); library != "" {
		return library
	}
	return h.Get("User-Agent")
}

// names reports whether the path leads to that app. One path names none, and
// means the app of the key.
func (c *call) names(app *apps.App) bool { return c.appID == "" || app.Called(c.appID) }

const unknownKey = "Unknown auth_key"

func (a *Handler) errUnknownKey() error {
	return &statusError{status: a.unknownKey, message: unknownKey}
}

func (c *call) checkVersion() error {
	switch version, ok := c.param("auth_version"); {
	case !ok:
		return unauthorized("Version required")
	case version != "1.0":
		return unauthorized("Version not supported")
	}
	return nil
}

// checkTimestamp keeps a request that somebody wrote down from being sent
// again much later.
func (c *call) checkTimestamp(now time.Time) error {
	given, ok := c.param("auth_timestamp")
	if !ok {
		return unauthorized("Timestamp required")
	}
	t := timestamp(given)
	if d := t - now.Unix(); -timestampWindow < d && d < timestampWindow {
		return nil
	}
	return unauthorized(fmt.Sprintf("Timestamp expired: Given timestamp (%s) not within %ds of server time (%s)",
		time.Unix(t, 0).UTC().Format(time.RFC3339), timestampWindow, now.UTC().Format(time.RFC3339)))
}

// timestamp reads seconds since 1970. What is no such number, or is beyond the
// years that have four digits, counts as 0.
func timestamp(s string) int64 {
	const year10000 = 253402300800
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil || n >= year10000 {
		return 0
	}
	return int64(n)
}

// checkSignature verifies the signature over what the client can have meant.
// The query is tried decoded, which is what the protocol says, and then as
// on the wire, for libraries that forget to escape it. If that is what was
// signed, it is also what the parameters are.
func (a *Handler) checkSignature(c *call, signer *protocol.Signer) error {
	given, ok := c.param("auth_signature")
	if !ok {
		return c.errSignature("nil")
	}
	if a.verify(c, c.params, signer, given) {
		return nil
	}
	if strings.ContainsAny(c.query, "%+") {
		raw := appendParams(nil, c.query, false)
		if a.verify(c, raw, signer, given) {
			c.params = raw
			return nil
		}
	}
	return c.errSignature(`"` + inspect(given) + `"`)
}

// signed reports whether the request is signed over that path and those
// parameters.
func (c *call) signed(path string, params []protocol.Param, signer *protocol.Signer, given string) bool {
	c.text = protocol.AppendRequestText(c.text[:0], c.r.Method, path, params)
	return signer.Verify(c.text, given)
}

// errSignature shows what should have been signed. That holds no secret, and
// is what the author of a library looks for.
func (c *call) errSignature(given string) error {
	return unauthorized(`Invalid signature: you should have sent HmacSHA256Hex("` +
		inspect(protocol.RequestText(c.r.Method, c.path, c.params)) +
		`", your_secret_key), but you sent ` + given)
}

// checkBodyHash compares the body with the hash that was signed. Without a
// body there need not be one, but some libraries send it.
func (c *call) checkBodyHash() error {
	given, ok := c.param("body_md5")
	if !ok && len(c.body) == 0 {
		return nil
	}
	sum := md5.Sum(c.body)
	var want [2 * md5.Size]byte
	hex.Encode(want[:], sum[:])
	switch {
	case !ok:
		return unauthorized("Invalid body_md5: a request with a body needs one")
	case given != string(want[:]):
		return unauthorized(`Invalid body_md5: the body received has "` + string(want[:]) + `", but you sent "` + inspect(given) + `"`)
	}
	return nil
}

func unauthorized(message string) error {
	return &statusError{status: http.StatusUnauthorized, message: message}
}
