package client_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/nacl/secretbox"

	"github.com/belfryhq/belfry/client"
)

const secretChannel = "private-encrypted-x"

// channelKey is the key of the channel for a master key of one byte.
func channelKey(master byte) [32]byte {
	return sha256.Sum256([]byte(secretChannel + string(master)))
}

// seal encrypts as backends do.
func seal(key [32]byte, text string) string {
	var nonce [24]byte
	copy(nonce[:], text)
	box := secretbox.Seal(nil, []byte(text), &nonce, &key)
	return fmt.Sprintf(`{"nonce":%q,"ciphertext":%q}`, base64.StdEncoding.EncodeToString(nonce[:]), base64.StdEncoding.EncodeToString(box))
}

// A keyring authorizes with a key that tests may change, or refuses.
type keyring struct {
	f      *fake
	master byte
	hold   chan struct{} // not nil: the second and later requests wait for it
	refuse bool          // the second and later requests
	asked  []time.Time
}

func (k *keyring) authorize(ctx context.Context, _ client.AuthRequest) (client.Auth, error) {
	k.f.mu.Lock()
	k.asked = append(k.asked, time.Now())
	n, hold, no, key := len(k.asked), k.hold, k.refuse, channelKey(k.master)
	k.f.mu.Unlock()
	if n > 1 && no {
		return client.Auth{}, errors.New("no")
	}
	if n > 1 && hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return client.Auth{}, errors.New("too late")
		}
	}
	return client.Auth{Auth: "k:s", SharedSecret: base64.StdEncoding.EncodeToString(key[:])}, nil
}

// secretly runs a test with a client that is subscribed to an encrypted
// channel with the key of master key 1.
func secretly(t *testing.T, test func(t *testing.T, k *keyring, c *client.Client, p *peer, got *[]string)) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		k := &keyring{f: f, master: 1}
		c := newClient(t, f)
		ch := subscribe(t, c, secretChannel, client.WithAuthorizer(client.ChannelAuthorizerFunc(k.authorize)))
		got := new([]string)
		ch.Bind("e", func(_ context.Context, e client.Event) { *got = append(*got, e.Data) })
		client.On(c, func(_ context.Context, f client.Failure) {
			if e, ok := errors.AsType[*client.DecryptError](f.Err); ok {
				*got = append(*got, "?"+e.Event)
			}
		})
		connect(t, c)
		test(t, k, c, f.peer(t, 1), got)
	})
}

// Covers 97, T73.
func TestEncryptedEvents(t *testing.T) {
	secretly(t, func(t *testing.T, k *keyring, c *client.Client, p *peer, got *[]string) {
		if sent := p.received("pusher:subscribe"); len(sent) != 1 || strings.Contains(string(sent[0].Data), "shared_secret") || sent[0].field("auth") != "k:s" {
			t.Errorf("sent %s", sent[0].Data)
		}
		p.event("e", secretChannel, seal(channelKey(1), `{"a":1}`))
		p.send(`{"event":"e","channel":"` + secretChannel + `","data":` + seal(channelKey(1), "as an object") + `}`)
		p.event("pusher:unknown", secretChannel, "plain")
		settle()
		if want := `{"a":1}|as an object`; strings.Join(*got, "|") != want || len(k.asked) != 1 {
			t.Errorf("got %q, want %q; %d requests", *got, want, len(k.asked))
		}
	})
}

func TestRotatedKey(t *testing.T) {
	secretly(t, func(t *testing.T, k *keyring, c *client.Client, p *peer, got *[]string) {
		hold := make(chan struct{})
		k.f.set(func() { k.master, k.hold = 2, hold })
		for i := range 10 {
			p.event("e", secretChannel, seal(channelKey(2), fmt.Sprint(i)))
		}
		pass(time.Second)
		if len(*got) != 0 || len(k.asked) != 2 {
			t.Errorf("got %q after %d requests", *got, len(k.asked))
		}
		close(hold)
		settle()
		p.event("e", secretChannel, seal(channelKey(2), "10"))
		settle()
		if want := "0|1|2|3|4|5|6|7|8|9|10"; strings.Join(*got, "|") != want || len(k.asked) != 2 {
			t.Errorf("got %q, want %q; %d requests", *got, want, len(k.asked))
		}
	})
}

func TestKeyThatNeverFits(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		secretly(t, func(t *testing.T, k *keyring, c *client.Client, p *peer, got *[]string) {
			k.f.set(func() { k.refuse = refuse })
			for range 20 {
				p.event("e", secretChannel, seal(channelKey(9), "x"))
				pass(500 * time.Millisecond)
			}
			if len(*got) != 20 || (*got)[0] != "?e" {
				t.Errorf("got %q, want 20 failures", *got)
			}
			for i, at := range k.asked[2:] {
				if d := at.Sub(k.asked[i+1]); d < time.Second {
					t.Errorf("request %d came %v after the one before", i+3, d)
				}
			}
			if len(k.asked) < 5 || len(k.asked) > 11 {
				t.Errorf("%d requests in 10 s", len(k.asked))
			}
			p.event("e", secretChannel, seal(channelKey(1), "fits"))
			pass(2 * time.Second)
			if last := (*got)[len(*got)-1]; last != "fits" {
				t.Errorf("what fits arrives as %q", last)
			}
		})
	}
}

func TestDataThatIsNotEncrypted(t *testing.T) {
	key := channelKey(1)
	secretly(t, func(t *testing.T, k *keyring, c *client.Client, p *peer, got *[]string) {
		nonce := base64.StdEncoding.EncodeToString(make([]byte, 24))
		for _, data := range []string{
			"plain", "{}", `{"nonce":"AAAA","ciphertext":"AAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`, `{"nonce":"` + nonce + `","ciphertext":"AAAA"}`,
			`{"nonce":"` + nonce + `"}`, `{"nonce":"!","ciphertext":"!"}`, "", "[]",
		} {
			p.event("e", secretChannel, data)
		}
		p.event("e", secretChannel, seal(key, "good"))
		settle()
		if want := strings.Repeat("?e|", 8) + "good"; strings.Join(*got, "|") != want || len(k.asked) != 1 {
			t.Errorf("got %q, %d requests", *got, len(k.asked))
		}
	})
	bubble(t, func(t *testing.T) {
		for _, secret := range []string{"", "AAAA", "!", base64.StdEncoding.EncodeToString(make([]byte, 31))} {
			f := &fake{}
			c := newClient(t, f)
			ch := subscribe(t, c, secretChannel, client.WithAuthorizer(client.ChannelAuthorizerFunc(func(context.Context, client.AuthRequest) (client.Auth, error) {
				return client.Auth{Auth: "k:s", SharedSecret: secret}, nil
			})))
			connect(t, c)
			if e, ok := errors.AsType[*client.AuthError](ch.Err()); !ok || e.Kind != client.AuthBadResponse || len(f.peer(t, 1).received()) != 0 {
				t.Errorf("secret %q: %v", secret, ch.Err())
			}
		}
	})
}

// Covers T74.
func TestWhileTheKeyIsAskedFor(t *testing.T) {
	secretly(t, func(t *testing.T, k *keyring, c *client.Client, p *peer, got *[]string) {
		hold := make(chan struct{})
		defer close(hold)
		k.f.set(func() { k.master, k.hold = 2, hold })
		for i := range 1000 {
			p.event("e", secretChannel, seal(channelKey(2), fmt.Sprint(i)))
		}
		settle()
		if len(*got) != 1000-64 {
			t.Errorf("%d of 1000 events have failed, want all but 64", len(*got))
		}
		pass(5 * time.Second)
		if len(*got) != 1000 || len(k.asked) != 2 {
			t.Errorf("%d have failed after 5 s, %d requests", len(*got), len(k.asked))
		}
	})
	secretly(t, func(t *testing.T, k *keyring, c *client.Client, p *peer, got *[]string) { // the connection is lost
		hold := make(chan struct{})
		defer close(hold)
		k.f.set(func() { k.master, k.hold = 2, hold })
		p.event("e", secretChannel, seal(channelKey(2), "x"))
		settle()
		k.f.set(func() { k.hold = nil })
		p.conn.reset()
		settle()
		k.f.peer(t, 2).event("e", secretChannel, seal(channelKey(2), "y"))
		settle()
		if strings.Join(*got, "|") != "y" {
			t.Errorf("got %q", *got)
		}
	})
}
