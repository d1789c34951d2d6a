package survey

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/node"
)

// three are peers of which one answers, one refuses, and one is silent.
type three struct{}

func (three) List() []Peer { return []Peer{{"A", "a"}, {"B", "b"}, {"C", "c"}} }

func (three) Ask(ctx context.Context, id node.ID, path string, query url.Values) (*http.Response, error) {
	status := http.StatusOK
	switch id {
	case "B":
		status = http.StatusServiceUnavailable
	case "C":
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(path + "?" + query.Encode()))}, nil
}

// TestPeerThatIsSilentIsNamed: the others' answers are there, after two seconds.
func TestPeerThatIsSilentIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		answers := Ask(t.Context(), three{}, "/x", url.Values{"app": {"1"}})
		if took := time.Since(began); took != Wait {
			t.Errorf("it took %v, want %v", took, Wait)
		}
		for i, want := range []string{"", "answered 503", "has not answered within 2s"} {
			got := ""
			if answers[i].Err != nil {
				got = answers[i].Err.Error()
			}
			if got != want {
				t.Errorf("peer %s: %q, want %q", answers[i].Peer.Name, got, want)
			}
		}
		if body := string(answers[0].Body); body != "/x?app=1" {
			t.Errorf("the answer is %q", body)
		}
	})
}
