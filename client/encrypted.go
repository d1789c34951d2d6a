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

// encryption is what an encrypted channel knows of its key.
type encryption struct {
	key     *[32]byte
	held    []heldEvent // wait for another key
	job     *authJob    // asks for it; nil: nobody does
	timeout *timer      // of the wait
	s       *session    // whose timer that is
	pausing bool        // no refresh is made now
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
func (c *Client) encryptedLocked(ch *Channel, cn *conn, e Event) {
	b, err := parseBox(e.Data)
	if err != nil {
		c.failLocked(&DecryptError{ch.name, e.Name, err})
		return
	}
	enc := &ch.encryption
	if enc.job == nil {
		if plain, ok := b.open(enc.key); ok {
			e.Data = plain
			c.publishedLocked(&ch.binder, e)
			return
		}
	}
	switch {
	case enc.job == nil && enc.pausing, len(enc.held) >= maxHeld:
		c.failLocked(&DecryptError{ch.name, e.Name, errKey})
		return
	case enc.job == nil:
		c.refreshLocked(ch, cn)
	}
	enc.held = append(enc.held, heldEvent{e, b})
}

// refreshLocked asks for the key of a channel anew.
func (c *Client) refreshLocked(ch *Channel, cn *conn) {
	enc := &ch.encryption
	c.log.Info("asking for another key", "channel", ch.name)
	job := &authJob{name: ch.name, with: ch.authorizerLocked()}
	job.granted = func(a Auth, _ UserAuth) {
		key, _ := sharedSecret(a.SharedSecret) // it was checked
		c.rekeyLocked(ch, key)
	}
	job.refused = func(err error, willRetry bool) {
		if !willRetry {
			c.rekeyLocked(ch, nil)
		}
	}
	enc.job, enc.s = job, cn.s
	enc.timeout = cn.s.afterLocked(maxHoldTime, func() { c.rekeyLocked(ch, nil) })
	c.authorizeLocked(cn, job)
}

// rekeyLocked decrypts what waited, with another key if there is one.
func (c *Client) rekeyLocked(ch *Channel, key *[32]byte) {
	enc := &ch.encryption
	held, s := enc.held, enc.s
	enc.forget(c)
	if key != nil {
		enc.key = key
		if w := ch.wireLocked(); w != nil {
			w.key = key
		}
	}
	helped := key != nil
	for _, h := range held {
		plain, ok := h.box.open(enc.key)
		if !ok {
			helped = false
			c.failLocked(&DecryptError{ch.name, h.event.Name, errKey})
			continue
		}
		h.event.Data = plain
		c.publishedLocked(&ch.binder, h.event)
	}
	if !helped {
		enc.pausing = true
		s.afterLocked(refreshPause, func() { enc.pausing = false })
	}
}

// forget drops what waits for a key. The key stays until there is another.
func (e *encryption) forget(c *Client) {
	c.cancelAuthLocked(e.job)
	if e.s != nil {
		e.s.cancelLocked(e.timeout)
	}
	e.held, e.job, e.timeout, e.s, e.pausing = nil, nil, nil, nil, false
}
