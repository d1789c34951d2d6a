package beams

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/push/payload"
)

const (
	// leeway is by how much clocks may differ.
	leeway = 60 * time.Second
	// maxToken is how long a token may be. The id of a user is its longest part.
	maxToken = 8 << 10
	// issuerHost follows the instance in the issuer of tokens. SDKs can not change it.
	issuerHost = ".pushnotifications.pusher.com"
)

func errToken(format string, args ...any) error {
	return refuse(http.StatusUnauthorized, "Unauthorized", format, args...)
}

// userOf returns the user that a token of the instance is about. It is a JWT that the
// backend has signed with the secret key.
func userOf(token, secret, instance string, now time.Time) (string, error) {
	parts := strings.Split(token, ".")
	if len(token) > maxToken || len(parts) != 3 {
		return "", errToken("The token is not a JWT.")
	}
	var header struct {
		Algorithm string `json:"alg"`
	}
	if !part(parts[0], &header) || header.Algorithm != "HS256" {
		return "", errToken("The token is not signed with HS256.")
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(parts[0] + "." + parts[1]))
	given, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || secret == "" || !hmac.Equal(given, mac.Sum(nil)) {
		return "", errToken("The signature of the token is not one of the instance's secret key.")
	}
	var claims struct {
		Subject *string      `json:"sub"`
		Issuer  *string      `json:"iss"`
		Expires *json.Number `json:"exp"`
	}
	if !part(parts[1], &claims) {
		return "", badRequest("The claims of the token can not be read.")
	}
	missing := func(name string) error {
		return badRequest("The token has no %s.", name)
	}
	switch {
	case claims.Expires == nil:
		return "", missing("exp")
	case claims.Subject == nil:
		return "", missing("sub")
	case claims.Issuer == nil:
		return "", missing("iss")
	case strings.TrimPrefix(*claims.Issuer, "https://") != instance+issuerHost:
		return "", refuse(http.StatusForbidden, "Forbidden", "The issuer of the token is not https://%s%s.", instance, issuerHost)
	case !isUser(*claims.Subject):
		return "", badRequest("The sub of the token is not 1 to %d characters.", payload.MaxName)
	}
	seconds, err := claims.Expires.Float64()
	if err != nil {
		return "", badRequest("The exp of the token is not a number.")
	}
	if float64(now.Add(-leeway).Unix()) >= seconds {
		return "", errToken("The token has expired.")
	}
	return *claims.Subject, nil
}

// part reads one part of a JWT.
func part(text string, v any) bool {
	b, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && json.Unmarshal(b, v) == nil
}
