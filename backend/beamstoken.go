package backend

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"
)

// userToken is a JWT that says until when a device may become one of a user.
func (b *Beams) userToken(user string, expires time.Time) string {
	const header = `{"alg":"HS256","typ":"JWT"}`
	claims, err := json.Marshal(struct {
		Subject string `json:"sub"`
		Expires int64  `json:"exp"`
		Issuer  string `json:"iss"`
	}{user, expires.Unix(), "https://" + b.cfg.InstanceID + ".pushnotifications.pusher.com"})
	if err != nil {
		panic(err) // texts and a number can be written
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	mac := hmac.New(sha256.New, []byte(b.cfg.SecretKey))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
