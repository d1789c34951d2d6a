package notification

import (
	"crypto/ecdh"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// A Subscription is the address of a browser, as it gives it to pages.
type Subscription struct {
	Endpoint string
	P256DH   []byte // the public key of the browser, 65 bytes, uncompressed
	Auth     []byte // the secret that the browser and the sender share, 16 bytes
}

const (
	maxEndpoint = 2048 // bytes; push services use some hundred
	authBytes   = 16
)

// DefaultHosts are the push services of the browsers that there are. A name that begins
// with a dot stands for all names that end in it.
var DefaultHosts = []string{
	"fcm.googleapis.com", "jmt17.google.com", ".push.services.mozilla.com", ".push.apple.com", ".notify.windows.com",
}

// wire is how pages and devices have a subscription.
type wire struct {
	Endpoint string `json:"endpoint"`
	Keys     struct {
		P256DH string `json:"p256dh"`
		Auth   string `json:"auth"`
	} `json:"keys"`
}

// ParseSubscription reads the JSON of a PushSubscription. It checks all but whether the
// host is one that is allowed; [Subscription.HostIn] does. Errors say what is wrong,
// and have nothing of the text in them.
func ParseSubscription(text []byte) (Subscription, error) {
	var w wire
	if err := json.Unmarshal(text, &w); err != nil {
		return Subscription{}, errors.New("the subscription is not JSON of a PushSubscription")
	}
	u, err := url.Parse(w.Endpoint)
	switch {
	case len(w.Endpoint) > maxEndpoint:
		return Subscription{}, fmt.Errorf("the endpoint has more than %d bytes", maxEndpoint)
	case err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil:
		return Subscription{}, errors.New("the endpoint is not a URL of https")
	case u.Fragment != "":
		return Subscription{}, errors.New("the endpoint has a fragment")
	}
	s := Subscription{Endpoint: w.Endpoint}
	if s.P256DH, err = decode(w.Keys.P256DH); err == nil {
		_, err = ecdh.P256().NewPublicKey(s.P256DH)
	}
	if err != nil {
		return Subscription{}, errors.New("keys.p256dh is not a point of P-256, 65 bytes in base64url")
	}
	if s.Auth, err = decode(w.Keys.Auth); err != nil || len(s.Auth) != authBytes {
		return Subscription{}, fmt.Errorf("keys.auth is not %d bytes in base64url", authBytes)
	}
	return s, nil
}

// decode reads base64 of either alphabet, padded or not.
func decode(text string) ([]byte, error) {
	text = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(text, "="))
	return base64.RawURLEncoding.DecodeString(text)
}

// Token is the subscription as devices have it: the same text for the same one.
func (s Subscription) Token() string {
	w := wire{Endpoint: s.Endpoint}
	w.Keys.P256DH = base64.RawURLEncoding.EncodeToString(s.P256DH)
	w.Keys.Auth = base64.RawURLEncoding.EncodeToString(s.Auth)
	text, _ := json.Marshal(w) // of strings alone
	return string(text)
}

// HostIn reports whether the endpoint is at the default port of one of the hosts, which
// are written like [DefaultHosts]. A host with a port stands for that port alone.
func (s Subscription) HostIn(hosts []string) bool {
	u, err := url.Parse(s.Endpoint)
	if err != nil {
		return false
	}
	at := strings.ToLower(u.Host)
	if u.Port() == "443" {
		at = strings.ToLower(u.Hostname())
	}
	for _, h := range hosts {
		h = strings.ToLower(h)
		if at == h || strings.HasPrefix(h, ".") && strings.HasSuffix(at, h) {
			return true
		}
	}
	return false
}
