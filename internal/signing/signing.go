// Package signing is what the tests of the console's diagnostics ask of a node. It
// signs for channels that only tests have. It says whether an application's auth
// endpoint has signed as it should. It is a part of the admin API, and stands
// behind its token.
//
// It signs for names with [Prefix] and for nothing else. So whoever asks can see
// nothing of the application, and be nobody that the application knows. An app
// gets [perMinute] signatures a minute. A secret is in no answer.
//
// The package takes no locks.
package signing

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/jsonhttp"
	"github.com/belfryhq/belfry/internal/rate"
	"github.com/belfryhq/belfry/protocol"
)

// Paths of the admin API.
const (
	SignPath  = "/api/v1/apps/{id}/diagnostics/sign"
	CheckPath = "/api/v1/apps/{id}/diagnostics/check"
)

// Prefix begins the names of channels and users for which tests are signed. What
// makes a channel private or the like stands in front of it.
const Prefix = "belfry-diagnostics-"

// perMinute is how many signatures an app gets: several runs of all tests.
const perMinute = 100

// An API signs and checks. It is safe for concurrent use.
type API struct {
	apps   *apps.Registry
	log    *slog.Logger
	limits sync.Map // id of an app → *rate.Limiter; as many as there are apps
}

// New returns an API for the apps of a registry.
func New(registry *apps.Registry, log *slog.Logger) *API {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	a := &API{apps: registry, log: log}
	registry.Watch(func(c apps.Change) {
		if c.New == nil {
			a.limits.Delete(c.Old.ID)
		}
	})
	return a
}

// Handlers are the parts of the admin API, by their paths.
func (a *API) Handlers() map[string]http.Handler {
	return map[string]http.Handler{SignPath: a.handler(a.sign), CheckPath: a.handler(a.check)}
}

// handler answers requests about an app.
func (a *API) handler(h func(w http.ResponseWriter, r *http.Request, app *apps.App) error) http.Handler {
	return jsonhttp.Handler(a.log, func(w http.ResponseWriter, r *http.Request) error {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			return jsonhttp.Refuse(http.StatusMethodNotAllowed, "This path can be asked POST.")
		}
		if err := jsonhttp.Query(r); err != nil {
			return err
		}
		app := a.apps.ByID(r.PathValue("id"))
		if app == nil {
			return jsonhttp.Refuse(http.StatusNotFound, "There is no such app.")
		}
		return h(w, r, app)
	})
}

// A wish is what a test wants to have signed: a channel, or a user.
type wish struct {
	Socket  string `json:"socket_id"`
	Channel string `json:"channel"`
	User    string `json:"user"`
}

// A grant is what a client library expects of an auth endpoint.
type grant struct {
	Auth         string `json:"auth"`
	ChannelData  string `json:"channel_data,omitempty"`
	SharedSecret string `json:"shared_secret,omitempty"`
	UserData     string `json:"user_data,omitempty"`
}

func (a *API) sign(w http.ResponseWriter, r *http.Request, app *apps.App) error {
	var want wish
	if err := jsonhttp.Read(r, &want); err != nil {
		return err
	}
	socket, ok := protocol.ParseSocketID(want.Socket)
	if !ok {
		return jsonhttp.Refuse(http.StatusBadRequest, "socket_id is no socket id, such as 1234.5678.")
	}
	if (want.Channel == "") == (want.User == "") {
		return jsonhttp.Refuse(http.StatusBadRequest, "Give either channel or user.")
	}
	if want.User != "" && !strings.HasPrefix(want.User, Prefix) || want.Channel != "" && !signable(want.Channel) {
		return jsonhttp.Refuse(http.StatusForbidden, "Only names of tests are signed here: %s and more, behind what makes a channel private.", Prefix)
	}
	limiter, _ := a.limits.LoadOrStore(app.ID, new(rate.Limiter))
	if wait, ok := limiter.(*rate.Limiter).Take(time.Now(), 1, rate.PerMinute(perMinute)); !ok {
		w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
		return jsonhttp.Refuse(http.StatusTooManyRequests, "An app gets %d signatures for tests a minute.", perMinute)
	}
	for i := len(app.Keys) - 1; i >= 0; i-- {
		if key := app.Keys[i]; key.Secret != "" {
			return jsonhttp.Write(w, http.StatusOK, grantFor(key, socket, want))
		}
	}
	return jsonhttp.Refuse(http.StatusConflict, "The app has no key with a secret.")
}

// signable reports whether a channel is one of tests that needs a signature.
func signable(channel string) bool {
	kind := protocol.KindOf(channel)
	name, ok := strings.CutPrefix(channel, kind.String()+"-"+Prefix)
	return ok && name != "" && kind.Private() && protocol.CheckChannel(channel, protocol.MaxChannelName) == nil
}

// grantFor signs with a key of the app. The secret of an encrypted channel is made
// of its name, because nothing but tests is ever sent on it.
func grantFor(key apps.Key, socket protocol.SocketID, want wish) grant {
	token := func(text string) string { return key.Key + ":" + protocol.Sign(key.Secret, text) }
	if want.User != "" {
		data := object("id", want.User)
		return grant{Auth: token(protocol.UserText(socket, data)), UserData: data}
	}
	switch kind := protocol.KindOf(want.Channel); {
	case kind.Presence():
		data := object("user_id", Prefix+"member")
		return grant{Auth: token(protocol.ChannelDataText(socket, want.Channel, data)), ChannelData: data}
	case kind.Encrypted():
		secret := sha256.Sum256([]byte(want.Channel))
		return grant{Auth: token(protocol.ChannelText(socket, want.Channel)), SharedSecret: base64.StdEncoding.EncodeToString(secret[:])}
	}
	return grant{Auth: token(protocol.ChannelText(socket, want.Channel))}
}

// object is JSON with one member.
func object(name, value string) string {
	text, err := json.Marshal(map[string]string{name: value})
	if err != nil {
		panic(err) // text can be written
	}
	return string(text)
}
