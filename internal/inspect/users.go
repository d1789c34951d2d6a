package inspect

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/jsonhttp"
	"github.com/belfryhq/belfry/internal/listing"
)

// A userView is what an operator is told of a user: on one node, or on all.
type userView struct {
	ID       string `json:"id"`
	Online   bool   `json:"online"`
	Sockets  int    `json:"sockets"`
	Watchers int    `json:"watchers"`
}

// add puts what another node knows to it.
func (u *userView) add(o userView) {
	u.Online = u.Online || o.Online
	u.Sockets += o.Sockets
	u.Watchers += o.Watchers
}

// A userPage is a part of a list of users.
type userPage struct {
	Users []userView `json:"users"`
	Next  string     `json:"next,omitempty"`
}

func (a *API) localUsers(r *http.Request, app *apps.App) (any, error) {
	after, limit, err := jsonhttp.Page(r)
	if err != nil {
		return nil, err
	}
	list, next := listing.Users(a.cfg.Hub, app, r.URL.Query().Get("prefix"), after, limit)
	page := userPage{Users: []userView{}, Next: next}
	for _, u := range list {
		page.Users = append(page.Users, userView{u.ID, u.Online, u.Sockets, u.Watchers})
	}
	return page, nil
}

func (a *API) listUsers(w http.ResponseWriter, r *http.Request, app *apps.App) error {
	if err := jsonhttp.Query(r, "prefix", "after", "limit"); err != nil {
		return err
	}
	_, limit, err := jsonhttp.Page(r)
	if err != nil {
		return err
	}
	pages, nodes, err := everywhere[userPage](a, r, app, "/users", a.localUsers)
	if err != nil {
		return err
	}
	return jsonhttp.Write(w, http.StatusOK, struct {
		At time.Time `json:"at"`
		userPage
		Nodes []nodeView `json:"nodes"`
	}{time.Now().UTC(), mergeUsers(pages, limit), nodes})
}

// mergeUsers makes one page of those of all nodes. What comes behind the end of a
// page that is not the last of its node is left for the next: the node may know
// more of it.
func mergeUsers(pages []userPage, limit int) userPage {
	known := map[string]*userView{}
	end := ""
	for _, p := range pages {
		if p.Next != "" && (end == "" || p.Next < end) {
			end = p.Next
		}
		for _, u := range p.Users {
			if have := known[u.ID]; have != nil {
				have.add(u)
				continue
			}
			known[u.ID] = &u
		}
	}
	merged := userPage{Users: []userView{}}
	for _, id := range slices.Sorted(maps.Keys(known)) {
		if end != "" && id > end {
			break
		}
		if len(merged.Users) == limit {
			merged.Next = merged.Users[limit-1].ID
			return merged
		}
		merged.Users = append(merged.Users, *known[id])
	}
	merged.Next = end
	return merged
}

func (a *API) localUser(r *http.Request, app *apps.App) (any, error) {
	u := a.cfg.Hub.UserInfo(app, r.PathValue("user"))
	return userView{u.ID, u.Online, u.Sockets, u.Watchers}, nil
}

// maxMemberships is how many presence channels of a user are told.
const maxMemberships = 1000

func (a *API) showUser(w http.ResponseWriter, r *http.Request, app *apps.App) error {
	if err := jsonhttp.Query(r); err != nil {
		return err
	}
	views, nodes, err := everywhere[userView](a, r, app, "/users/"+url.PathEscape(r.PathValue("user")), a.localUser)
	if err != nil {
		return err
	}
	answer := struct {
		At time.Time `json:"at"`
		userView
		Channels []string   `json:"channels"` // presence channels that the user is a member of
		Nodes    []nodeView `json:"nodes"`
	}{At: time.Now().UTC(), userView: views[0], Channels: []string{}, Nodes: nodes}
	for _, v := range views[1:] {
		answer.add(v)
	}
	for name := range a.cfg.Hub.ChannelsOfMember(app, answer.ID) {
		if answer.Channels = append(answer.Channels, name); len(answer.Channels) == maxMemberships {
			break
		}
	}
	slices.Sort(answer.Channels)
	return jsonhttp.Write(w, http.StatusOK, answer)
}

// terminate closes all connections of a user, on all nodes, as a backend can.
func (a *API) terminate(w http.ResponseWriter, r *http.Request, app *apps.App) error {
	if err := jsonhttp.Query(r); err != nil {
		return err
	}
	if err := jsonhttp.Read(r, &struct{}{}); err != nil {
		return err
	}
	user := r.PathValue("user")
	a.cfg.Hub.Terminate(app, user)
	a.log.InfoContext(r.Context(), "the connections of a user were closed by an operator", "app", app.ID, "user", user)
	return jsonhttp.Write(w, http.StatusOK, struct{}{})
}
