// Package pushtest has providers of push notifications for tests: of Apple, of Google, and
// of browsers. They speak the protocols over real sockets, check what the real ones check,
// and answer what they are told to.
//
// Each keeps what it has accepted. Tokens and faults say what becomes of a request. The
// program in its directory providers runs them for tests that know nothing inside.
package pushtest

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"time"
)

// A Delivery is a notification that a provider has accepted.
type Delivery struct {
	Token  string      `json:"token"` // of Web: the path of the endpoint
	Header http.Header `json:"header"`
	Body   []byte      `json:"body"` // of Web: decrypted
	Host   string      `json:"host,omitempty"`
	Conn   string      `json:"conn,omitempty"` // the address that it came from
}

// A Fault is how a provider answers instead of accepting.
type Fault struct {
	Status     int               `json:"status"`
	Reason     string            `json:"reason,omitempty"`      // Apple's reason, or Google's error code
	Body       string            `json:"body,omitempty"`        // instead of what the reason makes
	RetryAfter string            `json:"retry_after,omitempty"` // a header
	Header     map[string]string `json:"header,omitempty"`
	Timestamp  int64             `json:"timestamp,omitempty"` // of Apple's 410, in milliseconds
	// Times is how often; zero means each time.
	Times int `json:"times,omitempty"`
	// Reset ends the connection without an answer; Accept takes the notification all the same.
	Reset  bool `json:"reset,omitempty"`
	Accept bool `json:"accept,omitempty"`
	// Silent gives no answer until the client goes away.
	Silent bool `json:"silent,omitempty"`
}

// recorder keeps what was accepted, and the faults. It is what the providers share.
type recorder struct {
	mu       sync.Mutex
	counts   map[string]int
	kept     []Delivery
	requests int
	conns    map[string]int // requests by the address of the client
	faults   map[string]*Fault
	each     func(token string, request int) *Fault
	errors   []string // what was wrong with requests
}

// maxKept is how many deliveries are kept whole.
const maxKept = 20_000

// Fail has the provider answer a token with a fault; the token "*" is all of them.
func (r *recorder) Fail(token string, f Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.faults == nil {
		r.faults = make(map[string]*Fault)
	}
	r.faults[token] = &f
}

// Heal forgets the faults.
func (r *recorder) Heal() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.faults)
	r.each = nil
}

// FailEach has f say what becomes of each request, by its number from 1. Nil accepts it.
func (r *recorder) FailEach(f func(token string, request int) *Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.each = f
}

// fault is that of one request, which it counts.
func (r *recorder) fault(token, conn string) *Fault {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests++
	if r.conns == nil {
		r.conns = make(map[string]int)
	}
	r.conns[conn]++
	if r.each != nil {
		return r.each(token, r.requests)
	}
	for _, key := range []string{token, "*"} {
		f := r.faults[key]
		if f == nil {
			continue
		}
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				delete(r.faults, key)
			}
		}
		answer := *f
		return &answer
	}
	return nil
}

func (r *recorder) accept(d Delivery) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts == nil {
		r.counts = make(map[string]int)
	}
	r.counts[d.Token]++
	if len(r.kept) < maxKept {
		r.kept = append(r.kept, d)
	}
}

// wrong notes what is wrong with a request.
func (r *recorder) wrong(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	const most = 100
	if len(r.errors) < most {
		r.errors = append(r.errors, text)
	}
}

// Deliveries are those that were accepted, the first ones of very many.
func (r *recorder) Deliveries() []Delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Delivery(nil), r.kept...)
}

// Counts are how often each token was accepted.
func (r *recorder) Counts() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make(map[string]int, len(r.counts))
	for token, n := range r.counts {
		all[token] = n
	}
	return all
}

// Requests are all that came, whatever became of them.
func (r *recorder) Requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests
}

// Connections are how many connections requests have come over.
func (r *recorder) Connections() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.conns)
}

// Errors are what was wrong with requests that the real provider would refuse too.
func (r *recorder) Errors() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.errors...)
}

// Forget forgets deliveries, counts and errors, not the faults.
func (r *recorder) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts, r.kept, r.requests, r.conns, r.errors = nil, nil, 0, nil, nil
}

// respond answers with a fault in the way of its provider. It reports whether the
// notification is taken all the same.
func (f *Fault) respond(w http.ResponseWriter, r *http.Request, body func() string) bool {
	switch {
	case f.Silent:
		<-r.Context().Done()
		return f.Accept
	case f.Reset:
		if f.Accept {
			return true
		}
		panic(http.ErrAbortHandler)
	}
	for k, v := range f.Header {
		w.Header().Set(k, v)
	}
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(f.Status)
	text := f.Body
	if text == "" {
		text = body()
	}
	_, _ = w.Write([]byte(text)) // a client that has gone is its own
	return f.Accept
}

// jwtES256 checks a token of ES256 and returns its header and claims.
func jwtES256(token string, key *ecdsa.PublicKey) (header, claims map[string]any, err error) {
	header, claims, signed, signature, err := jwtParts(token)
	if err != nil {
		return nil, nil, err
	}
	if header["alg"] != "ES256" || len(signature) != 64 {
		return nil, nil, errors.New("the token is not of ES256")
	}
	digest := sha256.Sum256([]byte(signed))
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	if !ecdsa.Verify(key, digest[:], r, s) {
		return nil, nil, errors.New("the signature of the token is wrong")
	}
	return header, claims, nil
}

func jwtParts(token string) (header, claims map[string]any, signed string, signature []byte, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, nil, "", nil, errors.New("the token has not three parts")
	}
	for i, into := range []*map[string]any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return nil, nil, "", nil, err
		}
		if err := json.Unmarshal(text, into); err != nil {
			return nil, nil, "", nil, err
		}
	}
	signature, err = base64.RawURLEncoding.DecodeString(parts[2])
	return header, claims, parts[0] + "." + parts[1], signature, err
}

// seconds is a time among the claims of a token.
func seconds(claims map[string]any, name string) time.Time {
	n, _ := claims[name].(float64)
	return time.Unix(int64(n), 0)
}
