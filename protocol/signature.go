package protocol

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// Sign returns the lower-case hexadecimal HMAC-SHA256 of text, which is what
// every signature of the protocol is.
func Sign(secret, text string) string {
	var b [digestLen]byte
	return string(appendDigest(b[:0], secret, text))
}

// VerifySignature reports whether digest is what Sign returns. The time it
// takes says nothing about how much of the digest is right. Upper-case digits
// are wrong.
func VerifySignature(secret, text, digest string) bool {
	var b [digestLen]byte
	return hmac.Equal(appendDigest(b[:0], secret, text), []byte(digest))
}

const digestLen = 2 * sha256.Size

func appendDigest(dst []byte, secret, text string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text)) // never fails
	var sum [sha256.Size]byte
	return hex.AppendEncode(dst, mac.Sum(sum[:0]))
}

// ChannelText returns what an application signs to let a connection subscribe
// to a private channel, or to a presence channel as the user it is signed in as.
func ChannelText(id SocketID, channel string) string {
	return id.String() + ":" + channel
}

// ChannelDataText returns what an application signs to let a connection
// subscribe to a channel with channel_data, which is part of it as it stands.
func ChannelDataText(id SocketID, channel, channelData string) string {
	return id.String() + ":" + channel + ":" + channelData
}

// UserText returns what an application signs to sign a user in on a connection.
func UserText(id SocketID, userData string) string {
	return id.String() + "::user::" + userData
}

// SplitAuth splits a token at its first colon into the app's key and the
// digest. It is ok if there is a colon; neither part is checked.
func SplitAuth(auth string) (key, digest string, ok bool) {
	return strings.Cut(auth, ":")
}

// A Param is one query parameter of a request to the HTTP API, decoded. The
// key of an array's element ends in "[]".
type Param struct {
	Key, Value string
}

// RequestText returns what a backend signs to call the HTTP API. It is the
// method in upper case, the path as it is, and the parameters sorted by key,
// on a line each. Keys are taken in lower case, and auth_signature is left
// out. Elements of an array sort under the name without "[]"; what sorts
// equal keeps its order. The params themselves stay unchanged.
func RequestText(method, path string, params []Param) string {
	return string(AppendRequestText(nil, method, path, params))
}

// AppendRequestText appends the text that RequestText returns.
func AppendRequestText(dst []byte, method, path string, params []Param) []byte {
	var few [12]Param
	sorted := few[:0]
	size := len(method) + len(path) + 2
	for _, p := range params {
		p.Key = strings.ToLower(p.Key)
		if p.Key == "auth_signature" {
			continue
		}
		sorted = append(sorted, p)
		size += len(p.Key) + len(p.Value) + 2
	}
	slices.SortStableFunc(sorted, func(a, b Param) int {
		return strings.Compare(strings.TrimSuffix(a.Key, "[]"), strings.TrimSuffix(b.Key, "[]"))
	})
	text := append(slices.Grow(dst, size), strings.ToUpper(method)...)
	text = append(text, '\n')
	text = append(text, path...)
	separator := byte('\n')
	for _, p := range sorted {
		text = append(text, separator)
		text = append(text, p.Key...)
		text = append(text, '=')
		text = append(text, p.Value...)
		separator = '&'
	}
	if len(sorted) == 0 {
		text = append(text, separator)
	}
	return text
}

// SignWebhook returns the signature of a webhook's body. Receivers find it in
// the header X-Pusher-Signature.
func SignWebhook(secret string, body []byte) string {
	return Sign(secret, string(body))
}

// VerifyWebhook reports whether signature is that of the body. It is constant
// in time, as VerifySignature is.
func VerifyWebhook(secret string, body []byte, signature string) bool {
	return VerifySignature(secret, string(body), signature)
}
