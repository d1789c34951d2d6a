package e2e

import (
	"maps"
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

// TestEitherLibraryReadsTheOther: one backend hands out the channel's key,
// the other encrypts, the page opens.
func TestEitherLibraryReadsTheOther(t *testing.T) {
	t.Parallel()
	for authorizer, startAuthorizer := range maps.All(backends) {
		for publisher, startPublisher := range maps.All(backends) {
			t.Run("key from "+authorizer+" event from "+publisher, func(t *testing.T) {
				t.Parallel()
				requireModules(t)
				svc := service.Start(t, service.Config{})
				keys := startAuthorizer(t, svc, theApp)
				events := startPublisher(t, svc, theApp)
				ann := openBrowser(t, svc, keys.AuthURL()).Open("ann")
				ann.Subscribe("private-encrypted-diary")
				if _, err := events.Trigger([]string{"private-encrypted-diary"}, "entry", order, triggerParams{}); err != nil {
					t.Fatal(err)
				}
				ann.AwaitData("private-encrypted-diary", "entry", order)
				sealed := ann.AwaitOn("wire", "private-encrypted-diary", "entry")
				envelope, _ := sealed.Data.(map[string]any)
				if len(envelope) != 2 || envelope["nonce"] == nil || envelope["ciphertext"] == nil {
					t.Errorf("on the wire = %v, want only a nonce and a ciphertext", sealed.Data)
				}
			})
		}
	}
}
