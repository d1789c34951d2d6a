package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/belfryhq/belfry/backend"
	"github.com/belfryhq/belfry/cmd/belfry/internal/reach"
)

// An Event is what a backend triggers.
type Event struct {
	Name     string `json:"name"`
	Channel  string `json:"channel"`
	Data     string `json:"data"`
	SocketID string `json:"socket_id,omitempty"`
	Info     string `json:"info,omitempty"`
}

// A Receipt is what the service says of an event that it has taken.
type Receipt struct {
	Reply []byte // a JSON object
	// Of Belfry only; empty where another service was asked.
	id, receivers string
}

// String says in a line how many subscriptions there were and how the event is
// called, if the service has said so.
func (r Receipt) String() string {
	here, elsewhere, ok := r.counts()
	if !ok {
		return ""
	}
	return fmt.Sprintf("subscriptions: %d on this node, %d on others; event %s\n", here, elsewhere, r.id)
}

// counts reads how many subscriptions there were, as in here=2, elsewhere=1.
func (r Receipt) counts() (here, elsewhere int, ok bool) {
	n, err := fmt.Sscanf(r.receivers, "here=%d, elsewhere=%d", &here, &elsewhere)
	return here, elsewhere, err == nil && n == 2
}

// Trigger sends an event through the HTTP API and returns the answer. It posts the
// event as it is, because [backend.Client.Trigger] would refuse names by itself and
// encrypt: here the service has the last word. Version is that of the command.
func (t Target) Trigger(ctx context.Context, e Event, version string) (Receipt, error) {
	c, err := backend.New(backend.Config{
		AppID: t.AppID, Key: t.Pair.Key, Secret: t.Pair.Secret,
		Host: t.Base.Host, Insecure: t.Base.Scheme == "http",
		BasePath: t.Base.Path, SignBasePath: true,
		Timeout:     reach.Timeout,
		LibraryName: "belfry-cli " + version,
	})
	if err != nil {
		return Receipt{}, err
	}
	defer c.CloseIdleConnections()
	response, err := c.Post(ctx, "/events", e)
	if e, ok := errors.AsType[*backend.APIError](err); ok {
		return Receipt{}, t.explainStatus(e)
	}
	if e, ok := errors.AsType[*backend.TransportError](err); ok {
		return Receipt{}, reach.Explain(t.Base, e.Err)
	}
	if err != nil {
		return Receipt{}, err
	}
	return Receipt{
		Reply: bytes.TrimSpace(response.Body), id: response.Header.Get("X-Belfry-Event-Id"), receivers: response.Header.Get("X-Belfry-Receivers"),
	}, nil
}

// explainStatus says what the service objects to, and what to do about it.
func (t Target) explainStatus(e *backend.APIError) error {
	text := strings.TrimSpace(string(e.Body[:min(len(e.Body), 1000)]))
	advice := ""
	switch {
	case e.Status/100 == 3:
		text, advice = "Location: "+e.Header.Get("Location"), "give that address with --url"
	case strings.HasPrefix(text, "Invalid signature"):
		advice = "the secret is not the one of the key " + t.Pair.Key
	case strings.HasPrefix(text, "Timestamp expired"):
		advice = "the clock of this machine or of the server is wrong"
	case strings.HasPrefix(text, "Unknown auth_key"):
		advice = fmt.Sprintf("there is no app %q with the key %q; see belfry check on the server", t.AppID, t.Pair.Key)
	case strings.HasPrefix(text, "Cannot retrieve the subscription count"):
		advice = "set subscription_count: true for the app, or leave it out of --info"
	case e.Status == http.StatusMisdirectedRequest:
		advice = "give the address of the other port with --url"
	case e.Status == http.StatusNotFound:
		advice = "is the address right? A path prefix belongs in front of /apps"
	case e.Status == http.StatusServiceUnavailable:
		advice = "it is overloaded or stopping; try again"
	}
	if advice != "" {
		advice = "\n" + advice
	}
	return &Refusal{e.Status, fmt.Sprintf("the service answered %d %s: %s%s", e.Status, http.StatusText(e.Status), text, advice)}
}

// A Refusal is an answer other than 200.
type Refusal struct {
	Status int
	Text   string
}

func (r *Refusal) Error() string { return r.Text }
