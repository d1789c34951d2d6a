package webpush

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/belfryhq/belfry/internal/push/notification"
)

const (
	saltBytes  = 16
	recordSize = 4096 // which push services have to take
	delimiter  = 0x02 // of the last record
)

// encrypt encrypts a text for a subscription, as RFC 8291 says: one record of aes128gcm,
// with a key pair and a salt of its own.
func encrypt(s notification.Subscription, text []byte) ([]byte, error) {
	private, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("webpush: %w", err)
	}
	return encryptWith(s, text, private, rand.Reader)
}

// encryptWith does so with a given key pair, and a salt that it reads.
func encryptWith(s notification.Subscription, text []byte, private *ecdh.PrivateKey, salts io.Reader) ([]byte, error) {
	salt := make([]byte, saltBytes)
	if _, err := io.ReadFull(salts, salt); err != nil {
		return nil, fmt.Errorf("webpush: %w", err)
	}
	theirs, err := ecdh.P256().NewPublicKey(s.P256DH)
	if err != nil {
		return nil, fmt.Errorf("webpush: the subscription's key: %w", err)
	}
	shared, err := private.ECDH(theirs)
	if err != nil {
		return nil, fmt.Errorf("webpush: %w", err)
	}
	ours := private.PublicKey().Bytes()
	input, err := hkdf.Key(sha256.New, shared, s.Auth, "WebPush: info\x00"+string(s.P256DH)+string(ours), 32)
	if err != nil {
		return nil, fmt.Errorf("webpush: %w", err)
	}
	key, err := hkdf.Key(sha256.New, input, salt, "Content-Encoding: aes128gcm\x00", 16)
	if err != nil {
		return nil, fmt.Errorf("webpush: %w", err)
	}
	nonce, err := hkdf.Key(sha256.New, input, salt, "Content-Encoding: nonce\x00", 12)
	if err != nil {
		return nil, fmt.Errorf("webpush: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("webpush: %w", err)
	}
	sealer, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("webpush: %w", err)
	}
	out := binary.BigEndian.AppendUint32(salt, recordSize)
	out = append(out, byte(len(ours)))
	out = append(out, ours...)
	plain := append(append(make([]byte, 0, len(text)+1), text...), delimiter)
	return sealer.Seal(out, nonce, plain, nil), nil
}
