package devices

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/push/notification"
)

// A key is the id of a device in few bytes: its kind, and the 16 bytes of a UUID. Keys
// are ordered as the ids are that they stand for.
type key [17]byte

// kinds are what ids begin with, in their order.
var kinds = [...]string{"apns-", "fcm-", "native-", "web-"}

const (
	kindNative = 2
	kindWeb    = 3
)

// kindOf is the kind of ids of devices that one API registers on a platform.
func kindOf(api notification.API, p notification.Platform) byte {
	switch {
	case api == notification.Native:
		return kindNative
	case p == notification.APNs:
		return 0
	case p == notification.Web:
		return kindWeb
	}
	return 1
}

// newKey returns a key that nobody has had. The later ones of a kind are the greater
// ones, so that what is ordered by them grows at its end.
func newKey(kind byte, now time.Time) key {
	var k key
	k[0] = kind
	rand.Read(k[1:])
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(now.UnixMilli()))
	copy(k[1:7], ms[2:])
	return k.version(7)
}

// nativeKey is the key of the device that registers a token first by the API of 2016.
// So two nodes that are asked at the same moment make one device.
func nativeKey(app, token string) key {
	h := sha256.New()
	h.Write([]byte(app))
	h.Write([]byte{0})
	h.Write([]byte(token))
	var k key
	k[0] = kindNative
	copy(k[1:], h.Sum(nil))
	return k.version(8)
}

// version makes the bytes those of a UUID of a version (RFC 9562).
func (k key) version(v byte) key {
	k[7] = v<<4 | k[7]&0x0f
	k[9] = 0x80 | k[9]&0x3f
	return k
}

// String is the id.
func (k key) String() string {
	b := make([]byte, 0, len("native-")+36)
	b = append(b, kinds[k[0]]...)
	for i, n := range []int{4, 2, 2, 2, 6} {
		if i > 0 {
			b = append(b, '-')
		}
		from := 1 + []int{0, 4, 6, 8, 10}[i]
		b = hex.AppendEncode(b, k[from:from+n])
	}
	return string(b)
}

// parseKey reads an id. What is no id of a device is false.
func parseKey(id string) (k key, ok bool) {
	for i, kind := range kinds {
		rest, found := strings.CutPrefix(id, kind)
		if !found {
			continue
		}
		k[0] = byte(i)
		digits := strings.ReplaceAll(rest, "-", "")
		if len(digits) != 32 {
			return key{}, false
		}
		if _, err := hex.Decode(k[1:], []byte(digits)); err != nil {
			return key{}, false
		}
		return k, k.String() == id
	}
	return key{}, false
}

// bucketKey is where a device of an app stands in the bucket. A dot would divide the
// key, and an id of an app has no equals sign.
func bucketKey(app, id string) string { return strings.ReplaceAll(app, ".", "=") + "." + id }

// dropped is what stands under an app instead of the id of a device when the app was
// deleted: what was written of it before is no more.
const dropped = "dropped"

// fromBucket reads a key of the bucket.
func fromBucket(text string) (app, id string, ok bool) {
	app, id, ok = strings.Cut(text, ".")
	return strings.ReplaceAll(app, "=", "."), id, ok
}
