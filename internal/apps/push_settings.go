package apps

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/belfryhq/belfry/internal/setting"
)

// pushSettings are those of push notifications.
var pushSettings = []setting.Setting[App]{
	setting.Row("push.enabled", "false", setting.KindBool,
		"Whether the app has push notifications; see docs/push.md. Off, its devices are kept, and calls about push are refused.",
		setting.Scalar(func(a *App) *bool { return &a.Push.Enabled }, setting.Bool)),
	pushText("instance_id", "The UUID that clients and backends of Beams call the app by. Empty: the app is not reached by Beams.",
		func(p *Push) *string { return &p.InstanceID }, parseInstanceID),
	pushSecret("secret_key", "The secret key of Beams: backends send it, and tokens of users are signed with it. Make one with: openssl rand -hex 32.",
		func(p *Push) *string { return &p.SecretKey }, parsePushSecret),
	pushText("apns_team_id", "For Apple: the team that the key belongs to, ten characters.",
		func(p *Push) *string { return &p.APNsTeamID }, parseAppleID),
	pushText("apns_key_id", "For Apple: the id of the key, ten characters.",
		func(p *Push) *string { return &p.APNsKeyID }, parseAppleID),
	pushSecret("apns_key", "For Apple: the text of the .p8 file.",
		func(p *Push) *string { return &p.APNsKey }, parseAPNsKey),
	pushSecret("apns_certificate", "For Apple, in place of a key: PEM of the certificate and its key, or base64 of the .p12 file.",
		func(p *Push) *string { return &p.APNsCertificate }, parseAPNsCertificate),
	pushSecret("apns_certificate_password", "The password of the .p12 file.",
		func(p *Push) *string { return &p.APNsCertificatePassword }, setting.Any),
	setting.Row("push.apns_environment", "auto", "auto, production or sandbox",
		"Which of Apple's two services knows the devices. auto finds out for each with its first notification.",
		setting.Scalar(func(a *App) *string { return &a.Push.APNsEnvironment }, setting.Choice("auto", "production", "sandbox"))),
	pushText("apns_topic", "For Apple: the bundle identifier of devices that name none, as those of the API of 2016.",
		func(p *Push) *string { return &p.APNsTopic }, parseTopic),
	pushSecret("fcm_service_account", "For Android: the JSON of a service account that may send messages of the Firebase project.",
		func(p *Push) *string { return &p.FCMServiceAccount }, parseServiceAccount),
	pushSecret("vapid_key", "For browsers: the private key of their subscriptions, 32 bytes in base64url without padding; docs/push.md says how to make one. Who changes it moves the former one to vapid_former_keys.",
		func(p *Push) *string { return &p.VAPIDKey }, parseVAPIDKey),
	setting.Secret(setting.Row("push.vapid_former_keys", "[]", "list of keys",
		"For browsers: keys that vapid_key was before. Subscriptions that were made with them are reached with them.",
		setting.List(func(a *App) *[]string { return &a.Push.VAPIDFormerKeys }, secretOr(parseVAPIDKey)))),
	pushText("vapid_contact", "For browsers: whom push services write to if something is wrong, a URL of mailto or https.",
		func(p *Push) *string { return &p.VAPIDContact }, parseContact),
	setting.Row("push.webhooks", "[]", "list of URLs",
		"Endpoints of the backend that hear of notifications to users, as those of Beams do.",
		setting.List(func(a *App) *[]string { return &a.Push.Webhooks }, parsePushWebhook)),
	pushSecret("webhook_secret", "What requests to push.webhooks are signed with.",
		func(p *Push) *string { return &p.WebhookSecret }, parsePushSecret),
	setting.Row("push.webhook_events", "[]", "list of events",
		"What push.webhooks hear of: `v1.PublishToUsersAttempt`, `v1.UserNotificationAcknowledgement`, `v1.UserNotificationOpen`. Empty: all.",
		setting.List(func(a *App) *[]string { return &a.Push.WebhookEvents }, setting.Choice(PushEvents...))),
}

// PushEvents are what webhooks of Beams hear of.
var PushEvents = []string{"v1.PublishToUsersAttempt", "v1.UserNotificationAcknowledgement", "v1.UserNotificationOpen"}

func pushText(name, doc string, field func(*Push) *string, read func(string) (string, error)) setting.Setting[App] {
	return setting.Row("push."+name, `""`, setting.KindText, doc, setting.Scalar(func(a *App) *string { return field(&a.Push) }, orEmpty(read)))
}

func pushSecret(name, doc string, field func(*Push) *string, read func(string) (string, error)) setting.Setting[App] {
	return setting.Secret(setting.Row("push."+name, `""`, setting.KindText, doc, setting.Scalar(func(a *App) *string { return field(&a.Push) }, secretOr(read))))
}

func orEmpty(read func(string) (string, error)) func(string) (string, error) {
	return func(text string) (string, error) {
		if text == "" {
			return "", nil
		}
		return read(text)
	}
}

// What texts of settings look like.
var (
	uuid    = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	appleID = regexp.MustCompile(`^[A-Z0-9]{10}$`)
	topic   = regexp.MustCompile(`^[A-Za-z0-9.\-]{1,155}$`)
)

func parseInstanceID(text string) (string, error) {
	if id := strings.ToLower(text); uuid.MatchString(id) {
		return id, nil
	}
	return "", fmt.Errorf("%q is not a UUID", text)
}

// minPushSecret is how short a secret may be that others can try to guess.
const minPushSecret = 16

func parsePushSecret(text string) (string, error) {
	switch {
	case len(text) < minPushSecret:
		return "", fmt.Errorf("is shorter than %d characters; make one with: openssl rand -hex 32", minPushSecret)
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", errors.New("has a space or a character that is not ASCII; make one with: openssl rand -hex 32")
	}
	return text, nil
}

func parseAppleID(text string) (string, error) {
	if !appleID.MatchString(text) {
		return "", fmt.Errorf("%q is not ten capital letters and digits, as Apple's developer site shows it", text)
	}
	return text, nil
}

func parseTopic(text string) (string, error) {
	if !topic.MatchString(text) {
		return "", fmt.Errorf("%q is not a bundle identifier such as com.example.shop", text)
	}
	return text, nil
}

func parseAPNsKey(text string) (string, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return "", errors.New("is not PEM; give the whole text of the .p8 file, from -----BEGIN PRIVATE KEY----- on")
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if ec, ok := k.(*ecdsa.PrivateKey); err != nil || !ok || ec.Curve != elliptic.P256() {
		return "", errors.New("is not a private key of P-256, as there is in a .p8 file")
	}
	return text, nil
}

func parseAPNsCertificate(text string) (string, error) {
	if strings.Contains(text, "-----BEGIN") {
		if _, err := tls.X509KeyPair([]byte(text), []byte(text)); err != nil {
			return "", errors.New("is not PEM of a certificate and of the key that belongs to it")
		}
		return text, nil
	}
	if _, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text)); err != nil {
		return "", errors.New("is neither PEM nor base64 of a .p12 file")
	}
	return text, nil
}

func parseServiceAccount(text string) (string, error) {
	var account struct {
		Type        string `json:"type"`
		ProjectID   string `json:"project_id"`
		PrivateKey  string `json:"private_key"`
		ClientEmail string `json:"client_email"`
		TokenURI    string `json:"token_uri"`
	}
	if json.Unmarshal([]byte(text), &account) != nil {
		return "", errors.New("is not JSON; give the whole text of the file that the Firebase console has made")
	}
	for name, value := range map[string]string{"project_id": account.ProjectID, "private_key": account.PrivateKey, "client_email": account.ClientEmail, "token_uri": account.TokenURI} {
		if value == "" {
			return "", fmt.Errorf("has no %s; give the file of a service account, not google-services.json", name)
		}
	}
	if block, _ := pem.Decode([]byte(account.PrivateKey)); block == nil {
		return "", errors.New("has a private_key that is not PEM")
	}
	return text, nil
}

// DecodeVAPIDKey reads a private key for browsers: 32 bytes, in base64 of either alphabet.
// Its errors say nothing of it.
func DecodeVAPIDKey(text string) (*ecdh.PrivateKey, error) {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(text), "="))
	if err != nil {
		return nil, errors.New("is not base64url")
	}
	k, err := ecdh.P256().NewPrivateKey(b)
	if err != nil {
		return nil, errors.New("is not a private key of P-256, 32 bytes in base64url")
	}
	return k, nil
}

func parseVAPIDKey(text string) (string, error) {
	_, err := DecodeVAPIDKey(text)
	return text, err
}

func parseContact(text string) (string, error) {
	const want = "; write mailto:ops@example.com, or a URL of https"
	u, err := url.Parse(text)
	switch {
	case err != nil || strings.ContainsAny(text, " \t"):
		return "", errors.New("is not a URL" + want)
	case u.Scheme == "mailto":
		a, err := mail.ParseAddress(u.Opaque)
		if err != nil || a.Name != "" {
			return "", errors.New("has no address of mail" + want)
		}
		return text, checkContactHost(a.Address[strings.LastIndexByte(a.Address, '@')+1:])
	case u.Scheme == "https" && u.Hostname() != "":
		return text, checkContactHost(u.Hostname())
	}
	return "", errors.New("is a URL of neither mailto nor https" + want)
}

// checkContactHost refuses hosts for which Apple's push service answers 403.
func checkContactHost(host string) error {
	for _, bad := range []string{"localhost", "invalid"} {
		if host = strings.ToLower(host); host == bad || strings.HasSuffix(host, "."+bad) {
			return fmt.Errorf("is at a host under %s, which push services refuse", bad)
		}
	}
	return nil
}

func parsePushWebhook(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || !slices.Contains([]string{"http", "https"}, u.Scheme):
		return "", errors.New("has an element that is not a URL of http or https")
	case u.User != nil:
		return "", errors.New("has an element with a user; requests are signed with push.webhook_secret instead")
	}
	return text, nil
}
