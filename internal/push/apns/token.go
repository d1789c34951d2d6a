package apns

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// renewAfter is how old a token may become: Apple takes none older than an hour.
	renewAfter = 50 * time.Minute
	// renewAtMost is how often Apple takes a new one.
	renewAtMost = 20 * time.Minute
	// keyIDLength is that of the names of Apple's keys, and of teams.
	keyIDLength = 10
)

// A signer makes the tokens by which Apple knows a team.
type signer struct {
	teamID, keyID string
	key           *ecdsa.PrivateKey
	now           func() time.Time

	mu     sync.Mutex
	token  string
	issued time.Time // by the wall clock, as it stands in the token
	forced time.Time // when one was renewed because Apple said so
}

// newSigner reads the key of a .p8 file.
func newSigner(teamID, keyID string, p8 []byte, now func() time.Time) (*signer, error) {
	if len(teamID) != keyIDLength || len(keyID) != keyIDLength {
		return nil, fmt.Errorf("the team id and the key id have %d characters each", keyIDLength)
	}
	block, _ := pem.Decode(p8)
	if block == nil {
		return nil, errors.New("the .p8 file is not PEM; give the file as Apple has made it")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("the .p8 file has no private key in PKCS #8")
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("the .p8 file has a key that is not of P-256")
	}
	return &signer{teamID: teamID, keyID: keyID, key: key, now: now}, nil
}

// current returns the token, which it renews when it becomes old, or when the clock was
// set so that Apple would not take it.
func (s *signer) current() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now().Round(0)
	if age := now.Sub(s.issued); s.token != "" && age < renewAfter && age > -time.Minute {
		return s.token, nil
	}
	return s.signLocked(now)
}

// renew returns another token than one that Apple calls expired. It reports false if the
// last one was renewed for that reason just now: then another would not help.
func (s *signer) renew(expired string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token != expired {
		return s.token, true // somebody else has renewed it meanwhile
	}
	now := s.now().Round(0)
	if !s.forced.IsZero() && now.Sub(s.forced).Abs() < renewAtMost {
		return "", false
	}
	s.forced = now
	token, err := s.signLocked(now)
	return token, err == nil
}

func (s *signer) signLocked(now time.Time) (string, error) {
	header, _ := json.Marshal(map[string]string{"alg": "ES256", "kid": s.keyID})
	claims, _ := json.Marshal(map[string]any{"iss": s.teamID, "iat": now.Unix()})
	text := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(claims)
	digest := sha256.Sum256([]byte(text))
	r, t, err := ecdsa.Sign(rand.Reader, s.key, digest[:])
	if err != nil {
		return "", fmt.Errorf("apns: sign a token: %w", err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	t.FillBytes(signature[32:])
	s.token, s.issued = text+"."+base64.RawURLEncoding.EncodeToString(signature), now
	return s.token, nil
}
