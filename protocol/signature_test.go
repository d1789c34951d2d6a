package protocol_test

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/protocol"
)

// The credentials of the protocol's published examples.
const (
	exampleKey    = "278d425bdf160c739803"
	exampleSecret = "7ad3773142a6692b25b8"
)

// vectors reads a file of testdata.
func vectors[V any](t *testing.T, file string, count int) []V {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	var list []V
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if len(list) != count {
		t.Fatalf("%s has %d vectors, want %d", file, len(list), count)
	}
	return list
}

// A signatureVector is a string to sign. Sets A (the official examples) and S
// (from the tests of official libraries) are published; set B is Belfry's.
type signatureVector struct{ Name, Secret, Text, Digest string }

func TestSignatureVectors(t *testing.T) {
	for _, v := range vectors[signatureVector](t, "signatures.json", 33) {
		t.Run(v.Name, func(t *testing.T) {
			if got := protocol.Sign(v.Secret, v.Text); got != v.Digest {
				t.Errorf("Sign(%q) = %s, want %s", v.Text, got, v.Digest)
			}
			if !protocol.VerifySignature(v.Secret, v.Text, v.Digest) {
				t.Errorf("VerifySignature(%q, %s) = false, want true", v.Text, v.Digest)
			}
			if got := rebuilt(t, v.Text); got != v.Text {
				t.Errorf("text = %q, want %q", got, v.Text)
			}
		})
	}
}

// rebuilt takes a string to sign apart and builds it again with the functions
// that servers use. Names of channels have no colon.
func rebuilt(t *testing.T, text string) string {
	id, rest, _ := strings.Cut(text, ":")
	if userData, ok := strings.CutPrefix(rest, ":user::"); ok {
		return protocol.UserText(socketID(t, id), userData)
	}
	channel, data, ok := strings.Cut(rest, ":")
	if ok {
		return protocol.ChannelDataText(socketID(t, id), channel, data)
	}
	return protocol.ChannelText(socketID(t, id), channel)
}

// TestWrongPublishedExample: the official presence example prints this digest
// beside the text, but it is that of the same text with another name.
func TestWrongPublishedExample(t *testing.T) {
	byName := make(map[string]signatureVector)
	for _, v := range vectors[signatureVector](t, "signatures.json", 33) {
		byName[v.Name] = v
	}
	text, digest := byName["A3"].Text, byName["A4"].Digest
	if text == "" || digest == "" {
		t.Fatal("A3 or A4 is missing")
	}
	if protocol.VerifySignature(exampleSecret, text, digest) {
		t.Errorf("VerifySignature(%q, %s) = true, want false", text, digest)
	}
}

func TestOneWrongCharacterIsRefused(t *testing.T) {
	for _, v := range vectors[signatureVector](t, "signatures.json", 33) {
		for i := range v.Digest {
			other := byte('0')
			if v.Digest[i] == '0' {
				other = '1'
			}
			digest := v.Digest[:i] + string(other) + v.Digest[i+1:]
			if protocol.VerifySignature(v.Secret, v.Text, digest) {
				t.Errorf("%s: VerifySignature with digest %s = true, want false", v.Name, digest)
			}
		}
		for i := range len(v.Text) {
			text := v.Text[:i] + string(v.Text[i]^1) + v.Text[i+1:]
			if protocol.VerifySignature(v.Secret, text, v.Digest) {
				t.Errorf("%s: VerifySignature(%q) = true, want false", v.Name, text)
			}
		}
	}
}

func TestOnlyTheExactDigestIsRight(t *testing.T) {
	const text = "1234.1234:private-foobar"
	digest := protocol.Sign(exampleSecret, text)
	tests := map[string]string{
		"upper case":      strings.ToUpper(digest),
		"empty":           "",
		"cut":             digest[:63],
		"longer":          digest + "0",
		"leading space":   " " + digest,
		"newline":         digest + "\n",
		"with the key":    exampleKey + ":" + digest,
		"another secret":  protocol.Sign("7ad3773142a6692b25b9", text),
		"another socket":  protocol.Sign(exampleSecret, "1234.1235:private-foobar"),
		"another channel": protocol.Sign(exampleSecret, "1234.1234:private-foobaz"),
	}
	if !protocol.VerifySignature(exampleSecret, text, digest) {
		t.Errorf("VerifySignature of what Sign returned = false, want true")
	}
	for name, digest := range tests {
		if protocol.VerifySignature(exampleSecret, text, digest) {
			t.Errorf("%s: VerifySignature(%q) = true, want false", name, digest)
		}
	}
}

// TestTokensOfTheTranscripts: whole tokens as clients send them.
func TestTokensOfTheTranscripts(t *testing.T) {
	id := socketID(t, "45481.3166671")
	tests := map[string]struct{ auth, text string }{
		"private":  {"278d425bdf160c739803:d4e7f0866c29bb821131f0f75414ffb793698d8ca40f28f168ae1d63761051c8", protocol.ChannelText(id, "private-orders-7")},
		"presence": {"278d425bdf160c739803:8df048104928990f6bd94647dbffc8155258459b209e07365e07b600759b44d8", protocol.ChannelDataText(id, "presence-room-1", `{"user_id":"16","user_info":{"name":"Ann"}}`)},
		"sign-in":  {"278d425bdf160c739803:ae982718ad42f137e6913bebf89a62772a152d991bb279a17c86ce89a47d50cc", protocol.UserText(id, `{"id":"16","user_info":{"name":"Ann"},"watchlist":["17","18"]}`)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			key, digest, ok := protocol.SplitAuth(test.auth)
			if !ok || key != exampleKey || !protocol.VerifySignature(exampleSecret, test.text, digest) {
				t.Errorf("token %s is not right for %q", test.auth, test.text)
			}
		})
	}
}

func TestSplitAuth(t *testing.T) {
	tests := map[string]struct {
		auth, key, digest string
		ok                bool
	}{
		"key and digest":     {"k:d", "k", "d", true},
		"first colon counts": {"k:d:e", "k", "d:e", true},
		"documented wrongly": {"k::user::d", "k", ":user::d", true},
		"no digest":          {"k:", "k", "", true},
		"no key":             {":d", "", "d", true},
		"no colon":           {"k", "k", "", false},
		"empty":              {"", "", "", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			key, digest, ok := protocol.SplitAuth(test.auth)
			if key != test.key || digest != test.digest || ok != test.ok {
				t.Errorf("SplitAuth(%q) = %q, %q, %t, want %q, %q, %t", test.auth, key, digest, ok, test.key, test.digest, test.ok)
			}
		})
	}
}

// A requestVector is a signed request to the HTTP API. Its parameters stand in
// another order than the signed one.
type requestVector struct {
	Name, Secret, Method, Path, Body, Text, Signature string
	Params                                            [][2]string
}

func (v requestVector) params() (params []protocol.Param) {
	for _, p := range v.Params {
		params = append(params, protocol.Param{Key: p[0], Value: p[1]})
	}
	return params
}

func TestRequestVectors(t *testing.T) {
	for _, v := range vectors[requestVector](t, "requests.json", 34) {
		t.Run(v.Name, func(t *testing.T) {
			params := v.params()
			if got := protocol.RequestText(v.Method, v.Path, params); got != v.Text {
				t.Errorf("RequestText = %q, want %q", got, v.Text)
			}
			if got := protocol.Sign(v.Secret, v.Text); got != v.Signature {
				t.Errorf("Sign(%q) = %s, want %s", v.Text, got, v.Signature)
			}
			signed := append([]protocol.Param{{Key: "Auth_Signature", Value: v.Signature}}, params...)
			if got := protocol.RequestText(strings.ToLower(v.Method), v.Path, signed); got != v.Text {
				t.Errorf("RequestText of the signed request = %q, want %q", got, v.Text)
			}
			if v.Body == "" {
				return
			}
			sum := md5.Sum([]byte(v.Body))
			want := protocol.Param{Key: "body_md5", Value: hex.EncodeToString(sum[:])}
			if !slices.Contains(params, want) {
				t.Errorf("params = %v, want %v among them", params, want)
			}
		})
	}
}

func TestRequestText(t *testing.T) {
	tests := map[string]struct {
		params []protocol.Param
		want   string
	}{
		"no parameters":            {nil, "GET\n/p\n"},
		"only the signature":       {[]protocol.Param{{"auth_signature", "x"}}, "GET\n/p\n"},
		"empty value":              {[]protocol.Param{{"info", ""}}, "GET\n/p\ninfo="},
		"sorted by bytes":          {[]protocol.Param{{"b", "1"}, {"a_", "2"}, {"a", "3"}, {"a0", "4"}}, "GET\n/p\na=3&a0=4&a_=2&b=1"},
		"equal keys keep order":    {[]protocol.Param{{"k", "2"}, {"a", "0"}, {"k", "1"}}, "GET\n/p\na=0&k=2&k=1"},
		"lower case before sort":   {[]protocol.Param{{"b", "1"}, {"A", "2"}, {"C", "3"}}, "GET\n/p\na=2&b=1&c=3"},
		"values keep their case":   {[]protocol.Param{{"K", "V"}}, "GET\n/p\nk=V"},
		"array under its name":     {[]protocol.Param{{"name", "n"}, {"channels[]", "b"}, {"channels_x", "x"}, {"channels[]", "a"}}, "GET\n/p\nchannels[]=b&channels[]=a&channels_x=x&name=n"},
		"nothing is escaped":       {[]protocol.Param{{"k", "a b+c%&=\n"}}, "GET\n/p\nk=a b+c%&=\n"},
		"more than fit the buffer": {slices.Repeat([]protocol.Param{{"k", "v"}}, 20), "GET\n/p\n" + strings.Repeat("k=v&", 19) + "k=v"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before := slices.Clone(test.params)
			if got := protocol.RequestText("get", "/p", test.params); got != test.want {
				t.Errorf("RequestText = %q, want %q", got, test.want)
			}
			if !slices.Equal(test.params, before) {
				t.Errorf("params became %v, want them unchanged: %v", test.params, before)
			}
		})
	}
}

func TestOrderOfParametersDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringMatching(`[a-zA-Z_]{1,4}`)
		params := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) protocol.Param {
			return protocol.Param{Key: key.Draw(t, "key"), Value: rapid.String().Draw(t, "value")}
		}), 0, 15, func(p protocol.Param) string { return strings.ToLower(p.Key) }).Draw(t, "params")
		shuffled := rapid.Permutation(params).Draw(t, "shuffled")
		if a, b := protocol.RequestText("POST", "/x", params), protocol.RequestText("POST", "/x", shuffled); a != b {
			t.Fatalf("RequestText = %q, and shuffled %q", a, b)
		}
	})
}

// A webhookVector is a body and the value of X-Pusher-Signature.
type webhookVector struct{ Name, Secret, Body, Signature string }

func TestWebhookVectors(t *testing.T) {
	for _, v := range vectors[webhookVector](t, "webhooks.json", 16) {
		t.Run(v.Name, func(t *testing.T) {
			body := []byte(v.Body)
			if got := protocol.SignWebhook(v.Secret, body); got != v.Signature {
				t.Errorf("SignWebhook(%q) = %s, want %s", body, got, v.Signature)
			}
			if !protocol.VerifyWebhook(v.Secret, body, v.Signature) {
				t.Errorf("VerifyWebhook(%q, %s) = false, want true", body, v.Signature)
			}
			if protocol.VerifyWebhook(v.Secret, append(body, '\n'), v.Signature) {
				t.Errorf("VerifyWebhook(%q) with one more newline = true, want false", body)
			}
			if protocol.VerifyWebhook(v.Secret, body, strings.ToUpper(v.Signature)) {
				t.Errorf("VerifyWebhook with an upper-case signature = true, want false")
			}
		})
	}
}

func FuzzVerify(f *testing.F) {
	f.Add("secret", "1.1:private-x", "278d425bdf160c739803:58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4")
	f.Add("", "", ":")
	f.Add("tofu", "1.1::user::{}", "f00d")
	f.Fuzz(func(t *testing.T, secret, text, auth string) {
		key, digest, ok := protocol.SplitAuth(auth)
		if ok && (key+":"+digest != auth || strings.Contains(key, ":")) || !ok && strings.Contains(auth, ":") {
			t.Fatalf("SplitAuth(%q) = %q, %q, %t", auth, key, digest, ok)
		}
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(text))
		want := hex.EncodeToString(mac.Sum(nil))
		if got := protocol.Sign(secret, text); got != want {
			t.Fatalf("Sign(%q, %q) = %s, want %s", secret, text, got, want)
		}
		if got := protocol.VerifySignature(secret, text, digest); got != (digest == want) {
			t.Fatalf("VerifySignature(%q, %q, %q) = %t", secret, text, digest, got)
		}
		if !protocol.VerifySignature(secret, text, want) {
			t.Fatalf("VerifySignature(%q, %q, Sign) = false, want true", secret, text)
		}
	})
}
