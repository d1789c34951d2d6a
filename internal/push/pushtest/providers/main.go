// Package providers is a program that runs the fakes of package pushtest for tests that know nothing inside. It
// prints one line of JSON: where they are, and credentials that they take. Its control port
// tells what they have accepted, and takes faults. It ends with its standard input.
package main

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/belfryhq/belfry/internal/push/pushtest"
)

// A provider is what all of the fakes have.
type provider interface {
	Deliveries() []pushtest.Delivery
	Counts() map[string]int
	Requests() int
	Errors() []string
	Fail(token string, f pushtest.Fault)
	Heal()
	Forget()
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "providers:", err)
		os.Exit(1)
	}
}

func run() error {
	var apple pushtest.APNs
	var google pushtest.FCM
	var web pushtest.Web
	const team, key = "TEAM000001", "KEY0000001"
	p8, err := apple.Key(team, key)
	if err != nil {
		return err
	}
	apple.Start()
	defer apple.Close()
	google.Start()
	defer google.Close()
	web.Start()
	defer web.Close()
	account, err := google.ServiceAccount("test-project")
	if err != nil {
		return err
	}
	control := httptest.NewServer(controls(map[string]provider{"apns": &apple, "fcm": &google, "web": &web}, &web))
	defer control.Close()
	line := map[string]string{
		"control": control.URL, "apns": apple.URL, "fcm": google.URL, "web": web.URL,
		"ca":      string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: apple.Certificate().Raw})),
		"team_id": team, "key_id": key, "p8": string(p8), "service_account": string(account),
	}
	if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// controls answers what tests ask of the providers.
func controls(all map[string]provider, web *pushtest.Web) http.Handler {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v) // to a test that may have ended
	}
	each := func(f func(p provider, w http.ResponseWriter, r *http.Request)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			p := all[r.PathValue("provider")]
			if p == nil {
				http.NotFound(w, r)
				return
			}
			f(p, w, r)
		}
	}
	mux.HandleFunc("GET /{provider}", each(func(p provider, w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"deliveries": p.Deliveries(), "counts": p.Counts(), "requests": p.Requests(), "errors": p.Errors()})
	}))
	mux.HandleFunc("DELETE /{provider}", each(func(p provider, _ http.ResponseWriter, _ *http.Request) { p.Heal(); p.Forget() }))
	mux.HandleFunc("POST /{provider}/faults", each(func(p provider, w http.ResponseWriter, r *http.Request) {
		var f pushtest.Fault
		if err := json.NewDecoder(r.Body).Decode(&f); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		p.Fail(r.URL.Query().Get("token"), f)
	}))
	mux.HandleFunc("POST /web/subscriptions", func(w http.ResponseWriter, r *http.Request) {
		text, err := web.Subscribe(r.URL.Query().Get("id"), r.URL.Query().Get("key"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(text)
	})
	return mux
}
