package backend

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"

	"golang.org/x/crypto/nacl/secretbox"
)

// An Envelope is the data of an event on an encrypted channel, as JSON.
type Envelope struct {
	Nonce      string `json:"nonce"`      // 24 bytes in standard base64
	Ciphertext string `json:"ciphertext"` // the secretbox in standard base64
}

// masterKey returns the key of a configuration, or nil if it has none.
func masterKey(cfg Config) (*[32]byte, error) {
	switch {
	case cfg.EncryptionMasterKey != nil && cfg.EncryptionMasterKeyBase64 != "":
		return nil, fmt.Errorf("%w: it is given twice", ErrMasterKey)
	case cfg.EncryptionMasterKey != nil:
		key := *cfg.EncryptionMasterKey
		return &key, nil
	case cfg.EncryptionMasterKeyBase64 == "":
		return nil, nil
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(cfg.EncryptionMasterKeyBase64)
	if err != nil {
		return nil, fmt.Errorf("%w: not standard base64", ErrMasterKey)
	}
	if len(raw) != 32 {
		return nil, fmt.Errorf("%w: %d bytes instead of 32", ErrMasterKey, len(raw))
	}
	return (*[32]byte)(raw), nil
}

// GenerateMasterKey returns a new random key for Config.EncryptionMasterKeyBase64.
func GenerateMasterKey() (string, error) {
	var key [32]byte
	if _, err := rand.Read(key[:]); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(key[:]), nil
}

// DeriveSharedSecret returns the key of an encrypted channel: the SHA-256 of
// its name followed by the master key, of whatever length that is.
func DeriveSharedSecret(channel string, masterKey []byte) [32]byte {
	h := sha256.New()
	h.Write([]byte(channel))
	h.Write(masterKey)
	return [32]byte(h.Sum(nil))
}

// SharedSecret returns the key of an encrypted channel, which its subscribers
// get with their authorization. The error is ErrMasterKey.
func (c *Client) SharedSecret(channel string) ([32]byte, error) {
	if c.master == nil {
		return [32]byte{}, fmt.Errorf("%w: the configuration has none", ErrMasterKey)
	}
	return DeriveSharedSecret(channel, c.master[:]), nil
}

// EncryptData returns plaintext as it is published on an encrypted channel:
// an [Envelope] as JSON, with a new nonce. The length of an envelope for n
// bytes is 60 + 4·⌈(n+16)/3⌉.
func (c *Client) EncryptData(channel string, plaintext []byte) (string, error) {
	key, err := c.SharedSecret(channel)
	if err != nil {
		return "", err
	}
	var nonce [24]byte
	if _, err := io.ReadFull(c.rand, nonce[:]); err != nil {
		return "", fmt.Errorf("backend: no random bytes for a nonce: %w", err)
	}
	box := secretbox.Seal(nil, plaintext, &nonce, &key)
	envelope, err := encodeJSON(Envelope{
		Nonce:      base64.StdEncoding.EncodeToString(nonce[:]),
		Ciphertext: base64.StdEncoding.EncodeToString(box),
	})
	return string(envelope), err
}

// DecryptData is the opposite of EncryptData. The error is ErrDecrypt if the
// envelope is not one that was made for the channel with the same master key.
func (c *Client) DecryptData(channel, envelope string) ([]byte, error) {
	key, err := c.SharedSecret(channel)
	if err != nil {
		return nil, err
	}
	var e Envelope
	if err := json.Unmarshal([]byte(envelope), &e); err != nil {
		return nil, fmt.Errorf("%w: not an envelope", ErrDecrypt)
	}
	nonce, err := base64.StdEncoding.DecodeString(e.Nonce)
	if err != nil || len(nonce) != 24 {
		return nil, fmt.Errorf("%w: the nonce is not 24 bytes of base64", ErrDecrypt)
	}
	box, err := base64.StdEncoding.DecodeString(e.Ciphertext)
	if err != nil || len(box) < secretbox.Overhead {
		return nil, fmt.Errorf("%w: the ciphertext is too short, or not base64", ErrDecrypt)
	}
	plaintext, ok := secretbox.Open(nil, box, (*[24]byte)(nonce), &key)
	if !ok {
		return nil, ErrDecrypt
	}
	return plaintext, nil
}
