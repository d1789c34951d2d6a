package errortext

import (
	"errors"
	"testing"
)

func TestErrorsAreToldWithoutNamesOfPackages(t *testing.T) {
	for text, want := range map[string]string{
		"server: first app: appstore: the engine does not answer": "first app: the engine does not answer",
		"admin: datadir: data_dir: x is a file":                   "data_dir: x is a file",
		"client: closed\nserver: stop hub: late":                  "closed\nstop hub: late",
		"nothing of ours: dial tcp: refused":                      "nothing of ours: dial tcp: refused",
		"lookup a: server misbehaving":                            "lookup a: server misbehaving",
		"what is this: server":                                    "what is this: server",
		"":                                                        "",
	} {
		if got := Plain(errors.New(text)); got != want {
			t.Errorf("Plain(%q) = %q, want %q", text, got, want)
		}
	}
}
