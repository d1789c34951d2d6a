package inspect

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/access"
	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/jsonhttp"
	"github.com/belfryhq/belfry/internal/listing"
	"github.com/belfryhq/belfry/protocol"
)

// A channelView is what an operator is told of a channel.
type channelView struct {
	Name          string      `json:"name"`
	Kind          string      `json:"kind"`
	Occupied      bool        `json:"occupied"`
	Subscriptions int         `json:"subscriptions"`
	Users         *int        `json:"users,omitempty"` // on presence channels
	Order         uint64      `json:"order"`
	Cached        *cachedView `json:"cached,omitempty"`
}

type cachedView struct {
	Bytes   int             `json:"bytes"`
	Expires time.Time       `json:"expires"`
	Data    json.RawMessage `json:"data,omitempty"` // a string, as the backend has sent it
}

func viewChannel(c hub.ChannelInfo) channelView {
	v := channelView{
		Name: c.Name, Kind: kindName(c.Kind), Occupied: c.Occupied, Subscriptions: c.Subscriptions, Order: c.Order,
	}
	if c.Kind.Presence() {
		v.Users = &c.Users
	}
	if c.Cached != nil {
		v.Cached = &cachedView{Bytes: c.Cached.Bytes, Expires: c.Cached.Expires.UTC()}
	}
	return v
}

// kindName is how the kind of a channel is called, as in its prefix.
func kindName(k protocol.Kind) string {
	name := "public"
	switch {
	case k.Presence():
		name = "presence"
	case k.Encrypted():
		name = "private-encrypted"
	case k.Private():
		name = "private"
	}
	if k.Cache() {
		name += "-cache"
	}
	return name
}

// parsePlace reads what placeText returns.
func parsePlace(text string, order listing.Order) (*listing.Place, error) {
	if text == "" {
		return nil, nil
	}
	if order == listing.ByName {
		return &listing.Place{Name: text}, nil
	}
	digits, name, ok := strings.Cut(text, ":")
	n, err := strconv.Atoi(digits)
	if err != nil || !ok {
		return nil, jsonhttp.Refuse(http.StatusBadRequest, "after is not what an answer in this order has as next.")
	}
	return &listing.Place{Name: name, Subscriptions: n}, nil
}

func placeText(p *listing.Place, order listing.Order) string {
	switch {
	case p == nil:
		return ""
	case order == listing.ByName:
		return p.Name
	}
	return strconv.Itoa(p.Subscriptions) + ":" + p.Name
}

func (a *API) listChannels(w http.ResponseWriter, r *http.Request, app *apps.App) error {
	if err := jsonhttp.Query(r, "prefix", "order", "after", "limit"); err != nil {
		return err
	}
	text, limit, err := jsonhttp.Page(r)
	if err != nil {
		return err
	}
	order := listing.ByName
	switch r.URL.Query().Get("order") {
	case "", "name":
	case "subscriptions":
		order = listing.BySize
	default:
		return jsonhttp.Refuse(http.StatusBadRequest, "order is neither name nor subscriptions.")
	}
	after, err := parsePlace(text, order)
	if err != nil {
		return err
	}
	page, next := listing.Channels(a.cfg.Hub, app, r.URL.Query().Get("prefix"), order, after, limit)
	answer := struct {
		At       time.Time     `json:"at"`
		Channels []channelView `json:"channels"`
		Next     string        `json:"next,omitempty"`
	}{time.Now().UTC(), []channelView{}, placeText(next, order)}
	for _, c := range page {
		answer.Channels = append(answer.Channels, viewChannel(c))
	}
	return jsonhttp.Write(w, http.StatusOK, answer)
}

// A memberView is what an operator is told of a member.
type memberView struct {
	User        string          `json:"user"`
	SocketsHere int             `json:"sockets_here"`
	Nodes       int             `json:"nodes"`
	UserInfo    json.RawMessage `json:"user_info,omitempty"`
}

// maxMembers is how many members of a channel are told.
const maxMembers = 1000

func (a *API) showChannel(w http.ResponseWriter, r *http.Request, app *apps.App) error {
	if err := jsonhttp.Query(r, "payloads", "after", "limit"); err != nil {
		return err
	}
	_, limit, err := jsonhttp.Page(r)
	if err != nil {
		return err
	}
	payloads, err := wantsPayloads(r, app)
	if err != nil {
		return err
	}
	name := r.PathValue("channel")
	info, ok := a.cfg.Hub.ChannelInfo(app, name)
	if !ok {
		return jsonhttp.Refuse(http.StatusNotFound, "Nobody is subscribed to this channel, and it has no cached event.")
	}
	answer := struct {
		At time.Time `json:"at"`
		channelView
		Members     []memberView     `json:"members,omitempty"`
		Subscribers []connectionView `json:"subscribers"`
		Next        string           `json:"next,omitempty"` // of subscribers
		Nodes       []nodeView       `json:"nodes"`
	}{At: time.Now().UTC(), channelView: viewChannel(info)}
	if cached, ok := a.cfg.Hub.Cached(app, name); ok && payloads && answer.Cached != nil {
		answer.Cached.Data = cached.Data
	}
	for _, m := range a.cfg.Hub.Members(app, name, maxMembers) {
		view := memberView{User: m.UserID, SocketsHere: m.Sockets, Nodes: m.Nodes}
		if payloads {
			view.UserInfo = m.UserInfo
		}
		answer.Members = append(answer.Members, view)
	}
	values := r.URL.Query()
	values.Del("payloads")
	values.Set("channel", name)
	r = r.Clone(r.Context()) // to be a question about connections
	r.URL.RawQuery = values.Encode()
	pages, nodes, err := everywhere[connectionPage](a, r, app, "/connections", a.localConnections)
	if err != nil {
		return err
	}
	page, next := merge(pages, limit)
	page.tell(access.From(r.Context()))
	answer.Subscribers, answer.Next, answer.Nodes = page.Connections, next, nodes
	return jsonhttp.Write(w, http.StatusOK, answer)
}

// wantsPayloads reports whether data of events and user_info are asked for. It refuses
// those whom they are not shown to.
func wantsPayloads(r *http.Request, app *apps.App) (bool, error) {
	switch r.URL.Query().Get("payloads") {
	case "", "false":
		return false, nil
	case "true":
		if p := access.From(r.Context()); !p.ReadsPayloads() {
			return false, jsonhttp.Refuse(http.StatusForbidden, "The role %s does not see payloads; leave out payloads=true.", p.Role)
		}
		if app.HidePayloads {
			return false, jsonhttp.Refuse(http.StatusForbidden, "This app shows its payloads to nobody (hide_payloads); leave out payloads=true.")
		}
		return true, nil
	}
	return false, jsonhttp.Refuse(http.StatusBadRequest, "payloads is neither true nor false.")
}
