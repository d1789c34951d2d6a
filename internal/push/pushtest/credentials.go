package pushtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
)

// keyID is that of the keys of service accounts.
const keyID = "test-key"

// Key makes a key of a team that this host knows, and returns its .p8 file.
func (a *APNs) Key(team, id string) ([]byte, error) {
	key, file, err := NewP8()
	if err != nil {
		return nil, err
	}
	if a.Teams == nil {
		a.Teams = make(map[string]*ecdsa.PublicKey)
	}
	a.Teams[team+"/"+id] = &key.PublicKey
	return file, nil
}

// NewP8 makes a key as Apple gives it, that no host knows yet.
func NewP8() (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	text, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	return key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text}), nil
}

// ServiceAccount makes a service account of a project, and returns its file.
func (g *FCM) ServiceAccount(project string) ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	text, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	email := fmt.Sprintf("push@%s.iam.gserviceaccount.com", project)
	g.keys.mu.Lock()
	defer g.keys.mu.Unlock()
	if g.keys.v == nil {
		g.keys.v = make(map[string]*rsa.PublicKey)
	}
	g.keys.v[email] = &key.PublicKey
	return json.Marshal(map[string]string{
		"type": "service_account", "project_id": project, "private_key_id": keyID, "client_email": email,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text})),
		"token_uri":   g.URL + "/token",
	})
}
