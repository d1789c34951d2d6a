package webpush

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/push/notification"
)

const (
	// lasts is how long a token of ours is valid: push services take a day at most.
	lasts = 12 * time.Hour
	// renewAfter is how old one may become. Apple asks for no more than one an hour.
	renewAfter = 6 * time.Hour
	// maxOrigins is how many push services' tokens are kept for one key.
	maxOrigins = 1024
)

// A voucher makes the tokens by which push services know the sender, one for each
// service, with one key.
type voucher struct {
	id      string
	key     *ecdsa.PrivateKey
	public  string // as browsers have it
	contact string
	now     func() time.Time

	mu   sync.Mutex
	made map[string]made // by origin
}

type made struct {
	token  string
	issued time.Time
}

func newVoucher(k notification.VAPIDKey, contact string, now func() time.Time) (*voucher, error) {
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), k.Private)
	if err != nil {
		return nil, errors.New("a VAPID key is not 32 bytes of P-256")
	}
	public, err := private.PublicKey.Bytes()
	if err != nil {
		return nil, errors.New("a VAPID key has no public key")
	}
	return &voucher{
		id: k.ID, key: private, public: base64.RawURLEncoding.EncodeToString(public), contact: contact, now: now,
		made: make(map[string]made),
	}, nil
}

// PublicKey is what browsers are given for a key: the point in base64url, without padding.
func PublicKey(k notification.VAPIDKey) (string, error) {
	private, err := ecdh.P256().NewPrivateKey(k.Private)
	if err != nil {
		return "", errors.New("webpush: a VAPID key is not 32 bytes of P-256")
	}
	return base64.RawURLEncoding.EncodeToString(private.PublicKey().Bytes()), nil
}

// NewKey makes a key.
func NewKey(id string) (notification.VAPIDKey, error) {
	private, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return notification.VAPIDKey{}, fmt.Errorf("webpush: %w", err)
	}
	return notification.VAPIDKey{ID: id, Private: private.Bytes()}, nil
}

// CheckContact says what is wrong with a contact. Apple refuses one that nobody can be
// reached at.
func CheckContact(contact string) error {
	u, err := url.Parse(contact)
	host := ""
	switch {
	case err != nil || strings.ContainsAny(contact, " \t\n<>"):
		return errors.New("the contact of VAPID is not a URL such as mailto:ops@example.com")
	case u.Scheme == "mailto":
		_, host, _ = strings.Cut(u.Opaque, "@")
	case u.Scheme == "https":
		host = u.Hostname()
	}
	switch {
	case host == "":
		return errors.New("the contact of VAPID is not a URL such as mailto:ops@example.com")
	case host == "localhost" || strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".invalid"):
		return errors.New("the contact of VAPID is at a host that Apple refuses: give an address where somebody reads")
	}
	return nil
}

// authorization is the header for a push service.
func (v *voucher) authorization(origin string) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.now().Round(0)
	if m, ok := v.made[origin]; ok {
		if age := now.Sub(m.issued); age < renewAfter && age > -time.Minute {
			return m.token, nil
		}
	}
	token, err := v.sign(origin, now)
	if err != nil {
		return "", err
	}
	if len(v.made) >= maxOrigins {
		clear(v.made)
	}
	m := made{"vapid t=" + token + ", k=" + v.public, now}
	v.made[origin] = m
	return m.token, nil
}

func (v *voucher) sign(origin string, now time.Time) (string, error) {
	claims, err := json.Marshal(map[string]any{"aud": origin, "exp": now.Add(lasts).Unix(), "sub": v.contact})
	if err != nil {
		return "", fmt.Errorf("webpush: %w", err)
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"JWT","alg":"ES256"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	digest := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, v.key, digest[:])
	if err != nil {
		return "", fmt.Errorf("webpush: %w", err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}
