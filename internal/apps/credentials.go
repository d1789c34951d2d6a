package apps

import (
	"crypto/rand"
	"encoding/hex"
	"math/big"
	"strconv"
	"time"
)

// NewKey returns a pair that nobody else has, made at now.
func NewKey(now time.Time) Key {
	var b [10 + 20]byte
	rand.Read(b[:]) // never fails
	return Key{
		Key:     hex.EncodeToString(b[:10]),
		Secret:  hex.EncodeToString(b[10:]),
		Created: now.UTC().Truncate(time.Second),
	}
}

// NewID returns a random id for an app. It has digits only, which is what
// libraries that take a URL can read.
func NewID() string {
	const first, last = 1_000_000, 9_999_999
	n, err := rand.Int(rand.Reader, big.NewInt(last-first+1))
	if err != nil {
		panic(err) // it never fails
	}
	return strconv.FormatInt(first+n.Int64(), 10)
}
