package client

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"golang.org/x/crypto/nacl/secretbox"
)

// While the key of an encrypted channel is asked for anew, its events wait:
const (
	maxHeld      = 64              // so many
	maxHoldTime  = 5 * time.Second // so long
	refreshPause = time.Second     // and after a refresh that did not help, no other one is made for that time
)

// encryption is what an encrypted channel knows of its key. It is guarded like
// the channel.
type encryption struct {
	key     *[32]byte
	held    []heldEvent // wait for another key
	job     *authJob    // asks for it; nil: nobody does
	pausing bool        // no refresh is made now
	timer   *timer      // ends the wait, or the pause
}

// A heldEvent is one that could not be decrypted, or that came after one.
type heldEvent struct {
	event Event
	box   box
}

// A box is the data of an event on an encrypted channel.
type box struct {
	nonce      [24]byte
	ciphertext []byte
}

// errKey is data that another key may decrypt.
var errKey = errors.New("the key does not fit")

// parseBox reads the data of an event.
func parseBox(text string) (b box, err error) {
	var envelope struct {
		Nonce      string `json:"nonce"`
		Ciphertext string `json:"ciphertext"`
	}
	if err := json.Unmarshal([]byte(text), &envelope); err != nil {
		return b, errors.New("the data is no JSON object with nonce and ciphertext")
	}
	nonce, err := base64.StdEncoding.DecodeString(envelope.Nonce)
	if err != nil || len(nonce) != len(b.nonce) {
		return b, errors.New("the nonce is not 24 bytes of base64")
	}
	b.ciphertext, err = base64.StdEncoding.DecodeString(envelope.Ciphertext)
	if err != nil || len(b.ciphertext) < secretbox.Overhead {
		return b, errors.New("the ciphertext is too short, or not base64")
	}
	copy(b.nonce[:], nonce)
	return b, nil
}

// open decrypts a box.
func (b *box) open(key *[32]byte) (string, bool) {
	if key == nil {
		return "", false
	}
	plain, ok := secretbox.Open(nil, b.ciphertext, &b.nonce, key)
	return string(plain), ok
}

// encryptedLocked takes an event on an encrypted channel. If the key does not
// fit, the event and those after it wait for another one.
func (s *subscriptions) encryptedLocked(ch *Channel, cn *conn, e Event) {
	b, err := parseBox(e.Data)
	if err != nil {
		s.d.fail(&DecryptError{ch.name, e.Name, err})
		return
	}
	enc := &ch.encryption
	if enc.job == nil {
		if plain, ok := b.open(enc.key); ok {
			e.Data = plain
			s.d.published(&ch.binder, e)
			return
		}
	}
	switch {
	case enc.job == nil && enc.pausing, len(enc.held) >= maxHeld:
		s.d.fail(&DecryptError{ch.name, e.Name, errKey})
		return
	case enc.job == nil:
		s.refreshLocked(ch, cn)
	}
	enc.held = append(enc.held, heldEvent{e, b})
}

// refreshLocked asks for the key of a channel anew.
func (s *subscriptions) refreshLocked(ch *Channel, cn *conn) {
	s.log.Info("asking for another key", "channel", ch.name)
	enc := &ch.encryption
	s.authorizeLocked(&enc.job, &authJob{
		cn: cn, name: ch.name, with: ch.authorizerOf(),
		granted: func(a Auth, _ UserAuth) {
			key, _ := a.key() // it was checked
			s.rekeyLocked(ch, cn, key)
		},
		refused: func(_ error, willRetry bool) {
			if !willRetry {
				s.rekeyLocked(ch, cn, nil)
			}
		},
	})
	s.afterLocked(cn, &enc.timer, maxHoldTime, func() { s.rekeyLocked(ch, cn, nil) })
}

// rekeyLocked decrypts what waited, with another key if there is one.
func (s *subscriptions) rekeyLocked(ch *Channel, cn *conn, key *[32]byte) {
	enc := &ch.encryption
	held := enc.held
	enc.forgetLocked(s.auth)
	if key != nil {
		enc.key = key
		if w := s.wires[ch.name]; w != nil {
			w.key = key
		}
	}
	helped := key != nil
	for _, h := range held {
		plain, ok := h.box.open(enc.key)
		if !ok {
			helped = false
			s.d.fail(&DecryptError{ch.name, h.event.Name, errKey})
			continue
		}
		h.event.Data = plain
		s.d.published(&ch.binder, h.event)
	}
	if !helped {
		enc.pausing = true
		s.afterLocked(cn, &enc.timer, refreshPause, func() { enc.pausing = false })
	}
}

// forgetLocked drops what waits for a key. The key stays until there is
// another.
func (e *encryption) forgetLocked(auth *authorizations) {
	auth.cancel(e.job)
	e.held, e.job, e.timer, e.pausing = nil, nil, nil, false
}
