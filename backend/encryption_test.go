package backend_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"testing"

	"github.com/belfryhq/belfry/backend"
)

func key64(t *testing.T, text string) []byte {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Covers 56.
func TestSharedSecretsOfTheVectors(t *testing.T) {
	for _, test := range []struct {
		master  []byte
		channel string
		want    string
	}{
		{key64(t, testMaster), "private-encrypted-foobar", "g3Au6SZ+UCU+IMfFsFva0rq+Gi4tzSHR6WCcWZbS9sY="},
		{key64(t, testMaster), "private-encrypted-cache-foobar", "ZIyrVD+0Bk6W0N6MalhVZjcRCf/fF2zNDPkN9Kb3hoA="},
		{key64(t, "zyrm8pvV2C9fJcBfhyXzvxbJVN/H7QLmbe0xJi1GhPU="), "private-encrypted-bla", "nlr49ISQHz91yS3cy/yWmW8wFMNeTnNL5tNHnbPJcLQ="},
		{key64(t, "OHRXNUZRTG5pUTFzQlFGd3J3N3Q2VFZFc0paZDEweVk="), "private-encrypted-channel", "VmIsNZtCSteh8kazd2toc+ofhohBtUouQRSDtRvuyVI="},
		{key64(t, "3W1pfB/Etr+ZIlfMWwZP3gz8jEeCt4s2pe6Vpr+2c3M="), "private-encrypted-1", "25xBN3JbwSKhbT962GwlNCjSC8u5Kv2WgwUq4pJELGI="},
		{[]byte("3W1pfB/Etr+ZIlfMWwZP3gz8jEeCt4s2pe6Vpr+2c3M="), "private-encrypted-1", "6zeEp/chneRPS1cbK/hGeG860UhHomxSN6hTgzwT20I="},
	} {
		secret := backend.DeriveSharedSecret(test.channel, test.master)
		if got := base64.StdEncoding.EncodeToString(secret[:]); got != test.want {
			t.Errorf("DeriveSharedSecret(%s) = %s, want %s", test.channel, got, test.want)
		}
	}
	odd := backend.DeriveSharedSecret("private-encrypted-bla", []byte("This is a string that is 32 chars"))
	if got, want := hex.EncodeToString(odd[:]), "004831f99d2a4e86723e893caded3a2897deeddbed9514fe9497dcddc52bd50b"; got != want {
		t.Errorf("DeriveSharedSecret with 33 bytes = %s, want %s", got, want)
	}
}

// Covers 57.
func TestBoxesOfTheVectors(t *testing.T) {
	zero, counting := make([]byte, 24), make([]byte, 24)
	for i := range counting {
		counting[i] = byte(100 + i)
	}
	ascii := []byte("XAJI0Y6DPBHSAHXTHV3A3ZMF")
	for _, test := range []struct {
		master, channel string
		nonce           []byte
		plain, want     string
	}{
		{testMaster, "private-encrypted-foobar", zero, `{"some":"data"}`, "f6C8zBqgVIMHrbVwRwB31dmIeUbWQLDmBO2eKjKhwg=="},
		{testMaster, "private-encrypted-foobar", zero, "Hello!", "GBYp1MB6bh0byfszpeaA+urPZkXUBA=="},
		{testMaster, "private-encrypted-foobar", zero, `"Hello!"`, "ez49GeJTzdp6D5bljVIQjYDib0XXSrP+"},
		{testMaster, "private-encrypted-foobar", zero, "", "9imANrzb/qW36erYAqFXJQ=="},
		{testMaster, "private-encrypted-foobar", counting, `{"some":"data"}`, "QXrG4dfcIQeZ6T0gAzmhxFhTCp6KDXU0YvTnblXk9w=="},
		{testMaster, "private-encrypted-foobar", counting, "Hello!", "Lsnvk8KYohi9/kbp5eKBBmsUFZ2ISQ=="},
		{testMaster, "private-encrypted-foobar", counting, `"Hello!"`, "J4+RdveE9f7W+bJ1NV0c3wE5HJ2LB3Ys"},
		{testMaster, "private-encrypted-foobar", counting, "", "zJpHqdrPu44sV5j8f1B0kA=="},
		{base64.StdEncoding.EncodeToString([]byte("OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5")), "pvUPIk0YG6MnxCEMIUUVFrbDmQwbhICXUcy", ascii,
			"kkkT5OOkOkO5kT5TOO5TkOT5TTk5O55T", "tsYJa2JgGDOpVIYFe4aNVWAvZlpB7z7CjN9mpIdbATE0Yc4izN8aM8D6VigBxnIQ"},
	} {
		c := client(t, answers(), func(cfg *backend.Config) {
			cfg.EncryptionMasterKeyBase64, cfg.Rand = test.master, bytes.NewReader(test.nonce)
		})
		got, err := c.EncryptData(test.channel, []byte(test.plain))
		want := `{"nonce":"` + base64.StdEncoding.EncodeToString(test.nonce) + `","ciphertext":"` + test.want + `"}`
		if err != nil || got != want {
			t.Errorf("EncryptData(%s, %q) = %s, %v; want %s", test.channel, test.plain, got, err, want)
		}
		if plain, err := c.DecryptData(test.channel, want); err != nil || string(plain) != test.plain {
			t.Errorf("DecryptData(%s) = %q, %v; want %q", want, plain, err, test.plain)
		}
	}
}

// Covers 58, 59.
func TestEncryptionIsFreshAndTamperProof(t *testing.T) {
	c := client(t, answers())
	const channel = "private-encrypted-x"
	first, err := c.EncryptData(channel, []byte("Hello!"))
	if err != nil {
		t.Fatal(err)
	}
	if second, _ := c.EncryptData(channel, []byte("Hello!")); second == first {
		t.Error("two encryptions of the same text are the same")
	}
	var e backend.Envelope
	if err := json.Unmarshal([]byte(first), &e); err != nil {
		t.Fatal(err)
	}
	flip := func(text string, i int) string {
		raw := key64(t, text)
		raw[i] ^= 1
		return base64.StdEncoding.EncodeToString(raw)
	}
	envelope := func(nonce, ciphertext string) string {
		text, _ := json.Marshal(backend.Envelope{Nonce: nonce, Ciphertext: ciphertext})
		return string(text)
	}
	for name, test := range map[string]struct{ channel, envelope string }{
		"tag":              {channel, envelope(e.Nonce, flip(e.Ciphertext, 0))},
		"text":             {channel, envelope(e.Nonce, flip(e.Ciphertext, 16))},
		"nonce":            {channel, envelope(flip(e.Nonce, 23), e.Ciphertext)},
		"channel":          {channel + "y", first},
		"short nonce":      {channel, envelope("AAAA", e.Ciphertext)},
		"short ciphertext": {channel, envelope(e.Nonce, "AAAA")},
		"no base64":        {channel, envelope(e.Nonce, "!")},
		"no envelope":      {channel, "plain"},
		"nothing":          {channel, ""},
	} {
		if got, err := c.DecryptData(test.channel, test.envelope); !errors.Is(err, backend.ErrDecrypt) {
			t.Errorf("%s: DecryptData = %q, %v; want ErrDecrypt", name, got, err)
		}
	}
	if got, err := c.DecryptData(channel, first); err != nil || string(got) != "Hello!" {
		t.Errorf("DecryptData = %q, %v", got, err)
	}
}

// Covers 60.
func TestMasterKeysThatAreNone(t *testing.T) {
	for _, key := range []string{"not base64!", "AAAA", testMaster + "AAAA", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"} {
		cfg := backend.Config{AppID: "1", Key: "k", Secret: "s", Host: "h", EncryptionMasterKeyBase64: key}
		if _, err := backend.New(cfg); !errors.Is(err, backend.ErrMasterKey) {
			t.Errorf("New with master key %q = %v, want ErrMasterKey", key, err)
		}
	}
	both := backend.Config{AppID: "1", Key: "k", Secret: "s", Host: "h", EncryptionMasterKeyBase64: testMaster, EncryptionMasterKey: new([32]byte)}
	if _, err := backend.New(both); !errors.Is(err, backend.ErrMasterKey) {
		t.Errorf("New with two master keys = %v, want ErrMasterKey", err)
	}
	raw := [32]byte(key64(t, testMaster))
	c := client(t, answers(), func(cfg *backend.Config) { cfg.EncryptionMasterKeyBase64, cfg.EncryptionMasterKey = "", &raw })
	secret, err := c.SharedSecret("private-encrypted-foobar")
	if err != nil || base64.StdEncoding.EncodeToString(secret[:]) != "g3Au6SZ+UCU+IMfFsFva0rq+Gi4tzSHR6WCcWZbS9sY=" {
		t.Errorf("SharedSecret with a key in bytes = %x, %v", secret, err)
	}
	generated, err := backend.GenerateMasterKey()
	if err != nil || len(key64(t, generated)) != 32 {
		t.Errorf("GenerateMasterKey = %q, %v", generated, err)
	}
}
