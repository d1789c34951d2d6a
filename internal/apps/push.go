package apps

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/belfryhq/belfry/internal/setting"
)

// Push says how an app sends push notifications: its instance for Beams, and what it has
// for the providers. Empty fields mean that the app does not have it.
type Push struct {
	Enabled bool

	InstanceID string // for Beams: a UUID in lower case
	SecretKey  string // for Beams: backends send it, and tokens of users are signed with it

	APNsTeamID, APNsKeyID   string
	APNsKey                 string // PEM, as in a .p8 file
	APNsCertificate         string // PEM of the certificate and its key, or base64 of a .p12 file
	APNsCertificatePassword string // of a .p12 file
	APNsEnvironment         string // auto, production or sandbox
	APNsTopic               string // of devices that have none

	FCMServiceAccount string // JSON, as in the file

	VAPIDKey        string   // the private key of new subscriptions, base64url
	VAPIDFormerKeys []string // those that subscriptions were made with before
	VAPIDContact    string   // a URL of mailto or https

	Webhooks      []string // of Beams; URLs
	WebhookSecret string
	WebhookEvents []string // empty: all
}

// samePush reports whether both are equal; lists without elements are.
func samePush(a, b *Push) bool {
	c, d := *a, *b
	for _, p := range []*Push{&c, &d} {
		p.VAPIDFormerKeys, p.Webhooks, p.WebhookEvents = nil, nil, nil
	}
	return reflect.DeepEqual(c, d) && slices.Equal(a.VAPIDFormerKeys, b.VAPIDFormerKeys) &&
		slices.Equal(a.Webhooks, b.Webhooks) && slices.Equal(a.WebhookEvents, b.WebhookEvents)
}

// A SubscriptionKey is a pair of keys that browsers' subscriptions are bound to.
type SubscriptionKey struct {
	ID      string // made of the public key
	Public  []byte // the point, 65 bytes
	Private []byte // 32 bytes
}

// VAPIDKeys are those of an app. The first is for new subscriptions; without one there are
// none.
func (a *App) VAPIDKeys() (list []SubscriptionKey) {
	if a.Push.VAPIDKey == "" {
		return nil
	}
	for _, text := range append([]string{a.Push.VAPIDKey}, a.Push.VAPIDFormerKeys...) {
		k, err := DecodeVAPIDKey(text)
		if err != nil {
			continue // it is a fingerprint, of a secret that is not known
		}
		public := k.PublicKey().Bytes()
		sum := sha256.Sum256(public)
		list = append(list, SubscriptionKey{hex.EncodeToString(sum[:6]), public, k.Bytes()})
	}
	return list
}

// fingerprintPrefix begins what stands for a secret in what is told of an app.
const fingerprintPrefix = "sha256:"

// Fingerprint is what is told of a secret: enough to compare it, and nothing of it. That
// of a fingerprint is itself, and that of nothing is empty.
func Fingerprint(secret string) string {
	if secret == "" || isFingerprint(secret) {
		return secret
	}
	sum := sha256.Sum256([]byte(secret))
	return fingerprintPrefix + hex.EncodeToString(sum[:8])
}

func isFingerprint(text string) bool {
	digits, ok := strings.CutPrefix(text, fingerprintPrefix)
	return ok && len(digits) == 16 && strings.Trim(digits, "0123456789abcdef") == ""
}

// secretOr returns a reader of secrets: of fingerprints, which stand for what was there
// before, and of what read takes. Empty text is no secret.
func secretOr(read func(string) (string, error)) func(string) (string, error) {
	return func(text string) (string, error) {
		if text == "" || isFingerprint(text) {
			return text, nil
		}
		return read(text)
	}
}

// shown is a setting of an app as it may be told.
func shown(s setting.Setting[App], a *App) any {
	got := s.Get(a)
	if !s.Secret {
		return got
	}
	switch got := got.(type) {
	case string:
		return Fingerprint(got)
	case []string:
		list := make([]string, len(got))
		for i, text := range got {
			list[i] = Fingerprint(text)
		}
		return list
	}
	return ""
}

// RestoreSecrets completes settings that come back as they were told with the secrets of
// the app as it was before; nil if there was none. A fingerprint that is not of one of
// those is a mistake.
func RestoreSecrets(now, before *App) Mistakes {
	var mistakes Mistakes
	for _, s := range Settings {
		if !s.Secret {
			continue
		}
		var known []string
		if before != nil {
			known = textsOf(s.Get(before))
		}
		missing := false
		restore := func(text string) string {
			if !isFingerprint(text) {
				return text
			}
			i := slices.IndexFunc(known, func(k string) bool { return Fingerprint(k) == text })
			if i < 0 {
				missing = true
				return text
			}
			return known[i]
		}
		v := setting.Value{}
		if s.IsList() {
			v.IsList = true
			for _, text := range textsOf(s.Get(now)) {
				v.List = append(v.List, restore(text))
			}
		} else {
			for _, text := range textsOf(s.Get(now)) {
				v.Text = restore(text)
			}
		}
		if missing {
			mistakes = append(mistakes, Mistake{s.Name, "is the fingerprint of a secret that the app does not have; give the secret itself"})
			continue
		}
		if err := s.Set(now, v); err != nil {
			mistakes = append(mistakes, Mistake{s.Name, err.Error()})
		}
	}
	return mistakes
}

func textsOf(got any) []string {
	switch got := got.(type) {
	case string:
		return []string{got}
	case []string:
		return got
	}
	return nil
}

// CheckPush returns what is wrong with the settings of an app's push notifications
// beside each other.
func CheckPush(a *App) Mistakes {
	p, mistakes := &a.Push, Mistakes(nil)
	wrong := func(name, format string, args ...any) {
		mistakes = append(mistakes, Mistake{"push." + name, fmt.Sprintf(format, args...)})
	}
	switch {
	case p.APNsKey != "" && (p.APNsTeamID == "" || p.APNsKeyID == ""):
		wrong("apns_key", "needs apns_team_id and apns_key_id, which Apple's developer site shows beside the key")
	case p.APNsKey != "" && p.APNsCertificate != "":
		wrong("apns_certificate", "stands beside apns_key; keep one of them")
	}
	if p.VAPIDKey != "" && p.VAPIDContact == "" {
		wrong("vapid_contact", "is missing: push services want to know whom to write to, as in mailto:ops@example.com")
	}
	if p.SecretKey == "" && p.InstanceID != "" {
		wrong("secret_key", "is missing; make one with: openssl rand -hex 32")
	}
	if p.InstanceID == "" && p.SecretKey != "" {
		wrong("instance_id", "is missing: a UUID that clients of Beams call the app")
	}
	if len(p.Webhooks) > 0 && p.WebhookSecret == "" {
		wrong("webhook_secret", "is missing: requests to push.webhooks are signed with it")
	}
	return mistakes
}
