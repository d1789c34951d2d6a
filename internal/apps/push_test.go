package apps

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"slices"
	"strings"
	"testing"
)

const (
	vapid    = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
	instance = "8f9a6e22-2483-49aa-8552-125f1a4c5781"
)

func appleKey(t *testing.T) string {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// withSecrets returns an app that has secrets for push, and all of them.
func withSecrets(t *testing.T) (*App, []string) {
	t.Helper()
	apple := appleKey(t)
	text, err := json.Marshal(map[string]any{"id": "1", "push": map[string]any{
		"enabled": true, "instance_id": strings.ToUpper(instance), "secret_key": "hunter2hunter2hunter2",
		"apns_key": apple, "apns_key_id": "ABCDE12345", "apns_team_id": "TEAM123456", "apns_topic": "com.example.shop",
		"vapid_key": vapid, "vapid_former_keys": []string{"IQ9Ur0ykXoHS9gzfYX0aBjy9lvdrjx_PFUXmie9YRcY"}, "vapid_contact": "mailto:ops@example.com",
		"webhooks": []string{"https://example.com/beams"}, "webhook_secret": "webhook-secret-of-16", "webhook_events": []string{"v1.UserNotificationOpen"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	a := New()
	if err := a.Set(text, nil); err != nil {
		t.Fatal(err)
	}
	if wrong := CheckPush(a); len(wrong) > 0 {
		t.Fatal(wrong)
	}
	key := strings.Split(strings.TrimSpace(apple), "\n")[1]
	return a, []string{"hunter2", key, vapid, "IQ9Ur0ykXoHS9gzfYX0aBjy9lvdrjx_PFUXmie9YRcY", "webhook-secret-of-16"}
}

func TestSecretsOfPushAreToldAsFingerprints(t *testing.T) {
	a, secrets := withSecrets(t)
	told := string(a.AppendSettings([]byte{'{'}, true)) + "}"
	for _, s := range append(secrets, Changes(New(), a)) {
		if strings.Contains(told, s) {
			t.Errorf("told is %q", s)
		}
	}
	for _, s := range secrets {
		if strings.Contains(Changes(New(), a), s) {
			t.Errorf("changes tell %q", s)
		}
	}
	if strings.Count(told, fingerprintPrefix) != 5 {
		t.Errorf("told are not five fingerprints: %s", told)
	}
	back := *a
	if err := back.Set([]byte(told), nil); err != nil {
		t.Fatal(err)
	}
	if wrong := RestoreSecrets(&back, a); len(wrong) > 0 || !back.Same(a) {
		t.Errorf("what was told comes back as %+v, %v", back.Push, wrong)
	}
	if wrong := RestoreSecrets(&back, nil); len(wrong) > 0 {
		t.Errorf("an app with secrets is wrong: %v", wrong)
	}
	other := New()
	if err := other.Set([]byte(told), nil); err != nil {
		t.Fatal(err)
	}
	if wrong := RestoreSecrets(other, New()); len(wrong) != 5 || strings.Contains(wrong.Error(), "hunter") {
		t.Errorf("fingerprints of another app are %v", wrong)
	}
	stored := New()
	if err := stored.Set(append(a.AppendSettings([]byte{'{'}, false), '}'), nil); err != nil || !stored.Same(a) {
		t.Errorf("the stored app is %+v, %v", stored.Push, err)
	}
	b := *a
	b.Push.VAPIDFormerKeys = nil
	if a.Same(&b) {
		t.Error("an app without a former key is the same")
	}
}

func TestWrongSettingsOfPushSayWhy(t *testing.T) {
	for setting, want := range map[string]string{
		`"instance_id":"x"`:                     "is not a UUID",
		`"secret_key":"hunter2"`:                "shorter than 16",
		`"apns_team_id":"x"`:                    "ten capital letters",
		`"apns_key":"hunter2"`:                  "is not PEM",
		`"apns_environment":"prod"`:             "production",
		`"apns_certificate":"hunter2!"`:         "neither PEM nor base64",
		`"fcm_service_account":"hunter2"`:       "is not JSON",
		`"fcm_service_account":"{\"type\":1}"`:  "is not JSON",
		`"fcm_service_account":"{}"`:            "google-services.json",
		`"vapid_key":"hunter2"`:                 "base64url",
		`"vapid_former_keys":["hunter2"]`:       "base64url",
		`"vapid_contact":"mailto:me@localhost"`: "refuse",
		`"vapid_contact":"ops@example.com"`:     "write mailto:",
		`"webhooks":["ftp://x"]`:                "http or https",
		`"webhooks":["https://a:hunter2@b"]`:    "webhook_secret",
		`"webhook_events":["x"]`:                "v1.UserNotificationOpen",
	} {
		err := New().Set([]byte(`{"push":{`+setting+`}}`), nil)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: %v, want %q", setting, err, want)
		}
	}
	a := New()
	a.Push = Push{InstanceID: instance, APNsKey: "x", APNsCertificate: "y", VAPIDKey: "z", Webhooks: []string{"w"}}
	var names []string
	for _, m := range CheckPush(a) {
		names = append(names, m.Setting)
	}
	if want := []string{"push.apns_key", "push.vapid_contact", "push.secret_key", "push.webhook_secret"}; !slices.Equal(names, want) {
		t.Errorf("CheckPush names %v, want %v", names, want)
	}
}

func TestInstancesFindTheirApps(t *testing.T) {
	a, b := New(), New()
	a.ID, b.ID = "a", "b"
	a.Push.InstanceID, b.Push.InstanceID = instance, instance
	r, err := NewRegistry([]*App{a, b})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.ByInstance(instance); got != a {
		t.Errorf("ByInstance = %v, want the first", got)
	}
	if err := r.Remove("a"); err != nil {
		t.Fatal(err)
	}
	if got := r.ByInstance(instance); got != nil && got != b {
		t.Errorf("ByInstance = %v after the first is gone", got)
	}
}
