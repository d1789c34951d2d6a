package pushtest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Web is the push service of a browser, and the browsers that are subscribed.
type Web struct {
	recorder
	*httptest.Server

	mu2  sync.Mutex
	subs map[string]*subscription
}

// subscription is one of a browser's, which has the key.
type subscription struct {
	key    *ecdh.PrivateKey
	auth   []byte
	sender string // the VAPID key that it was made with
}

// Start begins to serve, over TLS. Call Close at the end.
func (p *Web) Start() {
	p.Server = httptest.NewUnstartedServer(p)
	p.EnableHTTP2 = true
	p.Config.ErrorLog = discard
	p.StartTLS()
}

// Subscribe makes a subscription with a VAPID key, in base64url. Its JSON is what a page
// gets of the browser.
func (p *Web) Subscribe(id, sender string) (text []byte, err error) {
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	auth := make([]byte, 16)
	if _, err := rand.Read(auth); err != nil {
		return nil, err
	}
	p.mu2.Lock()
	defer p.mu2.Unlock()
	if p.subs == nil {
		p.subs = make(map[string]*subscription)
	}
	p.subs["/wp/"+id] = &subscription{key, auth, sender}
	return json.Marshal(map[string]any{
		"endpoint": p.URL + "/wp/" + id, "expirationTime": nil,
		"keys": map[string]string{
			"p256dh": base64.RawURLEncoding.EncodeToString(key.PublicKey().Bytes()),
			"auth":   base64.RawURLEncoding.EncodeToString(auth),
		},
	})
}

// ServeHTTP implements [http.Handler].
func (p *Web) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	p.mu2.Lock()
	s := p.subs[r.URL.Path]
	p.mu2.Unlock()
	if s == nil {
		w.WriteHeader(http.StatusGone)
		return
	}
	if f := p.fault(r.URL.Path, r.RemoteAddr); f != nil && !f.respond(w, r, func() string { return "" }) {
		return
	}
	status, why := p.check(r, s, body)
	if why == "" {
		if body, err = s.decrypt(body); err != nil {
			status, why = http.StatusBadRequest, err.Error()
		}
	}
	if why != "" {
		p.wrong(why)
		http.Error(w, why, status)
		return
	}
	p.accept(Delivery{r.URL.Path, r.Header.Clone(), body, r.Host, r.RemoteAddr})
	w.Header().Set("Location", p.URL+"/message/1")
	w.WriteHeader(http.StatusCreated)
}

// check is what push services check; an empty text is that all is well.
func (p *Web) check(r *http.Request, s *subscription, body []byte) (int, string) {
	if ttl, err := strconv.Atoi(r.Header.Get("TTL")); err != nil || ttl < 0 || ttl > 2419200 {
		return http.StatusBadRequest, "TTL is missing or wrong"
	}
	switch {
	case r.Method != http.MethodPost:
		return http.StatusMethodNotAllowed, "the method is not POST"
	case r.Header.Get("Content-Encoding") != "aes128gcm":
		return http.StatusUnsupportedMediaType, "the encoding is not aes128gcm"
	case len(body) > 4096:
		return http.StatusRequestEntityTooLarge, "the body is too large"
	}
	return p.checkVAPID(r.Header.Get("Authorization"), s)
}

func (p *Web) checkVAPID(header string, s *subscription) (int, string) {
	const no = http.StatusForbidden
	fields := make(map[string]string)
	for field := range strings.SplitSeq(strings.TrimPrefix(header, "vapid "), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		fields[name] = value
	}
	point, err := base64.RawURLEncoding.DecodeString(fields["k"])
	if err != nil || !strings.HasPrefix(header, "vapid ") {
		return http.StatusUnauthorized, "there is no VAPID key"
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return no, "the VAPID key is no point"
	}
	_, claims, err := jwtES256(fields["t"], key)
	if err != nil {
		return no, err.Error()
	}
	ends := seconds(claims, "exp")
	contact, _ := claims["sub"].(string)
	u, err := url.Parse(contact)
	switch {
	case claims["aud"] != p.URL:
		return no, fmt.Sprintf("the audience is %v", claims["aud"])
	case time.Until(ends) > 24*time.Hour || time.Until(ends) < 0:
		return no, "exp is not within a day"
	case err != nil || u.Scheme != "mailto" && u.Scheme != "https" || strings.Contains(contact, "localhost"):
		return no, "BadJwtToken"
	case fields["k"] != s.sender:
		return no, "the subscription is of another VAPID key"
	}
	return 0, ""
}

// decrypt does what a browser does with a message (RFC 8291, RFC 8188).
func (s *subscription) decrypt(body []byte) ([]byte, error) {
	const saltBytes, pointBytes = 16, 65
	if len(body) < saltBytes+5+pointBytes || body[20] != pointBytes || binary.BigEndian.Uint32(body[16:]) < uint32(len(body)-86) {
		return nil, errors.New("the header of the message is wrong")
	}
	salt, point, sealed := body[:saltBytes], body[21:86], body[86:]
	theirs, err := ecdh.P256().NewPublicKey(point)
	if err != nil {
		return nil, err
	}
	shared, err := s.key.ECDH(theirs)
	if err != nil {
		return nil, err
	}
	info := "WebPush: info\x00" + string(s.key.PublicKey().Bytes()) + string(point)
	input, err := hkdf.Key(sha256.New, shared, s.auth, info, 32)
	if err != nil {
		return nil, err
	}
	key, err := hkdf.Key(sha256.New, input, salt, "Content-Encoding: aes128gcm\x00", 16)
	if err != nil {
		return nil, err
	}
	nonce, err := hkdf.Key(sha256.New, input, salt, "Content-Encoding: nonce\x00", 12)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	opener, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	plain, err := opener.Open(nil, nonce, sealed, nil)
	if err != nil {
		return nil, errors.New("the message does not decrypt")
	}
	for i := len(plain) - 1; i >= 0; i-- {
		switch plain[i] {
		case 0: // padding
		case 2:
			return plain[:i], nil
		default:
			return nil, errors.New("the message has no delimiter")
		}
	}
	return nil, errors.New("the message has no delimiter")
}
