// Package inspect answers operators who want to see inside a running app: its
// channels, its connections and its users, on all nodes of the cluster. It shows
// what apps use now, how their keys are used and what webhooks were answered, and closes a connection when they ask for that. It is a part of the admin API,
// and stands behind its token.
//
// What there is, the hub knows: of channels and members for the whole cluster, of
// connections and users for its own node. So questions about those go to the other
// nodes as well, and every answer names the nodes that have not answered. An answer
// is a snapshot: what comes or goes while pages are read may stand on none of them.
//
// The package decides how lists are told: their filters and their JSON. Which of the
// things stand on a page, package listing knows, and the hub how sessions are looked
// at without making clients wait.
//
// # Bounds
//
// A page has 1,000 elements at most. [maxAtOnce] questions are worked on at a
// time, those of peers included; more are refused with 503.
//
// The package takes no locks.
package inspect

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/faults"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/jsonhttp"
	"github.com/belfryhq/belfry/internal/keyuse"
	"github.com/belfryhq/belfry/internal/survey"
)

const (
	// maxAtOnce is how many questions are worked on at a time.
	maxAtOnce = 8
	// patience is how long the loops have for their part of an answer.
	patience = 5 * time.Second
)

// Config is what an API stands on. Hub, Apps,
// Webhooks and Usage are required.
type Config struct {
	Hub  *hub.Hub
	Apps *apps.Registry
	// Faults are those of this node. The app without a name has those of requests
	// that name no app that there is.
	Faults *faults.Table
	// Webhooks are those of this node.
	Webhooks Deliveries
	// KeyUses are those on this node. Nil: none are counted.
	KeyUses *keyuse.Table
	// Usage is what apps used on this node.
	Usage Recent
	// Node is the name of this node.
	Node string
	// Peers returns the other nodes, whose [API.PeerHandler] answers below
	// [PeerPath]; nil if there are none. A nil Peers always does.
	Peers func() survey.Peers
	Log   *slog.Logger // nil: no log
}

// An API answers questions. It is safe for concurrent use.
type API struct {
	cfg  Config
	log  *slog.Logger
	busy chan struct{} // holds one for each question that is worked on
}

// New returns an API.
func New(cfg Config) *API {
	a := &API{cfg: cfg, log: cfg.Log, busy: make(chan struct{}, maxAtOnce)}
	if a.cfg.Faults == nil {
		a.cfg.Faults = faults.New(nil)
	}
	if a.cfg.Peers == nil {
		a.cfg.Peers = func() survey.Peers { return nil }
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	return a
}

// Handlers are the parts of the admin API, by their paths. They ask for no token
// themselves.
func (a *API) Handlers() map[string]http.Handler {
	const app = "/api/v1/apps/{id}"
	return map[string]http.Handler{
		app + "/channels":                                 a.methods(methods{http.MethodGet: a.listChannels}),
		app + "/channels/{channel}":                       a.methods(methods{http.MethodGet: a.showChannel}),
		app + "/channels/{channel}/history":               a.methods(methods{http.MethodGet: a.showHistory}),
		app + "/connections":                              a.methods(methods{http.MethodGet: a.listConnections}),
		app + "/connections/{socket}":                     a.methods(methods{http.MethodGet: a.showConnection, http.MethodDelete: a.closeConnection}),
		app + "/users":                                    a.methods(methods{http.MethodGet: a.listUsers}),
		app + "/users/{user}":                             a.methods(methods{http.MethodGet: a.showUser}),
		app + "/errors":                                   a.methods(methods{http.MethodGet: a.listErrors}),
		"/api/v1/errors":                                  a.methods(methods{http.MethodGet: a.listErrors}),
		app + "/webhooks/deliveries":                      a.methods(methods{http.MethodGet: a.listDeliveries}),
		app + "/webhooks/deliveries/{delivery}":           a.methods(methods{http.MethodGet: a.showDelivery}),
		app + "/webhooks/deliveries/{delivery}/redeliver": a.methods(methods{http.MethodPost: a.redeliver}),
		app + "/now":                                      a.methods(methods{http.MethodGet: a.showNow}),
		app + "/key-uses":                                 a.methods(methods{http.MethodGet: a.listKeyUses}),
		app + "/usage/minutes":                            a.methods(methods{http.MethodGet: a.listMinutes}),
		"/api/v1/now":                                     a.methods(methods{http.MethodGet: a.listNow}),
		app + "/users/{user}/terminate":                   a.methods(methods{http.MethodPost: a.terminate}),
	}
}

// PeerPath is in front of what peers ask.
const PeerPath = "/inspect"

// PeerHandler answers peers what is on this node alone, below [PeerPath].
func (a *API) PeerHandler() http.Handler {
	const app = "/apps/{id}"
	mux := http.NewServeMux()
	for path, ask := range map[string]question{
		app + "/connections":           a.localConnections,
		app + "/connections/counts":    a.localCounts,
		app + "/connections/{socket}":  a.localConnection,
		app + "/close/{socket}":        a.localClose,
		app + "/users":                 a.localUsers,
		app + "/users/{user}":          a.localUser,
		app + "/errors":                a.localErrors,
		app + "/deliveries":            a.localDeliveries,
		app + "/deliveries/{delivery}": a.localDelivery,
		app + "/now":                   a.localNow,
		app + "/key-uses":              a.localKeyUses,
		app + "/usage/minutes":         a.localMinutes,
		"/now":                         a.localNows,
		app + "/redeliver/{delivery}":  a.localRedelivery,
		"/errors":                      a.localErrors,
	} {
		mux.Handle("GET "+PeerPath+path, a.peer(ask))
	}
	return mux
}

// peer answers a question of a peer.
func (a *API) peer(ask question) http.Handler {
	return jsonhttp.Handler(a.log, a.handler(func(w http.ResponseWriter, r *http.Request, app *apps.App) error {
		answer, err := ask(r, app)
		if err != nil {
			return err
		}
		return jsonhttp.Write(w, http.StatusOK, answer)
	}))
}

type (
	// A handler answers a request about an app.
	handler func(w http.ResponseWriter, r *http.Request, app *apps.App) error
	methods map[string]handler
	// A question is answered with what is on this node.
	question func(r *http.Request, app *apps.App) (any, error)
)

func (a *API) methods(m methods) http.Handler {
	return jsonhttp.Handler(a.log, func(w http.ResponseWriter, r *http.Request) error {
		if strings.HasSuffix(r.Pattern, "/") {
			return jsonhttp.Refuse(http.StatusNotFound, "There is nothing at this path; /openapi.yaml says what there is.")
		}
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		if h := m[method]; h != nil {
			return a.handler(h)(w, r)
		}
		allow := ""
		for _, name := range []string{http.MethodDelete, http.MethodGet, http.MethodPost} {
			if m[name] == nil {
				continue
			}
			if allow != "" {
				allow += ", "
			}
			allow += name
		}
		w.Header().Set("Allow", allow)
		return jsonhttp.Refuse(http.StatusMethodNotAllowed, "This path can be asked %s.", allow)
	})
}

// handler finds the app of a request, if its path has one, and sees to it that not too many are
// answered at once, or for too long.
func (a *API) handler(h handler) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		app := a.cfg.Apps.ByID(r.PathValue("id"))
		if app == nil && strings.Contains(r.Pattern, "{id}") {
			return jsonhttp.Refuse(http.StatusNotFound, "There is no such app.")
		}
		select {
		case a.busy <- struct{}{}:
			defer func() { <-a.busy }()
		default:
			w.Header().Set("Retry-After", "1")
			return jsonhttp.Refuse(http.StatusServiceUnavailable, "This node works on %d such questions already; try again in a second.", maxAtOnce)
		}
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		err := h(w, r.WithContext(ctx), app)
		if errors.Is(err, context.DeadlineExceeded) {
			return jsonhttp.Refuse(http.StatusServiceUnavailable, "This node has too much to do to answer now. Clients go first; try again.")
		}
		return err
	}
}
