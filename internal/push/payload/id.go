package payload

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"
)

const (
	idPrefix = "pubid-"
	// ReportsFor is how long reports of a publish are taken.
	ReportsFor = 28 * 24 * time.Hour
	// tagBits is how much of an id proves that it is one of ours.
	tagBits = 34
)

// NewID returns the id of a publish: a UUID of version 7, whose last bits prove to those
// who know the secret that it was made with it. So reports need no list of publishes.
func NewID(secret string, now time.Time) string {
	var b [16]byte
	rand.Read(b[:])
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(now.UnixMilli()))
	copy(b[:6], ms[2:])
	b[6], b[8] = 7<<4|b[6]&0x0f, 0x80|b[8]&0x3f
	low := binary.BigEndian.Uint64(b[8:])
	binary.BigEndian.PutUint64(b[8:], low&^(1<<tagBits-1)|tag(secret, b))
	text := hex.EncodeToString(b[:])
	return idPrefix + strings.Join([]string{text[:8], text[8:12], text[12:16], text[16:20], text[20:]}, "-")
}

// tag is what the last bits of an id are.
func tag(secret string, b [16]byte) uint64 {
	low := binary.BigEndian.Uint64(b[8:])
	binary.BigEndian.PutUint64(b[8:], low&^(1<<tagBits-1))
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(idPrefix))
	m.Write(b[:])
	return binary.BigEndian.Uint64(m.Sum(nil)) & (1<<tagBits - 1)
}

// Made reports whether an id was made with the secret, and lately enough for reports.
func Made(secret, id string, now time.Time) bool {
	text, ok := strings.CutPrefix(id, idPrefix)
	digits := strings.ReplaceAll(text, "-", "")
	if !ok || len(text) != 36 || len(digits) != 32 {
		return false
	}
	var b [16]byte
	if _, err := hex.Decode(b[:], []byte(digits)); err != nil {
		return false
	}
	if binary.BigEndian.Uint64(b[8:])&(1<<tagBits-1) != tag(secret, b) {
		return false
	}
	at := time.UnixMilli(int64(binary.BigEndian.Uint64(b[:8]) >> 16))
	return now.Sub(at) < ReportsFor && at.Sub(now) < time.Hour
}
