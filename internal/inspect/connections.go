package inspect

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
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

// A connectionView is what an operator is told of a connection.
type connectionView struct {
	Socket        string     `json:"socket"`
	Node          string     `json:"node"`
	Since         time.Time  `json:"since"`
	User          string     `json:"user,omitempty"`
	Transport     string     `json:"transport,omitempty"`
	TLS           bool       `json:"tls"`
	Origin        string     `json:"origin,omitempty"`
	Library       string     `json:"library,omitempty"`
	Version       string     `json:"version,omitempty"`
	Protocol      int        `json:"protocol,omitempty"`
	Address       string     `json:"address,omitempty"`
	Subscriptions int        `json:"subscriptions"`
	WaitingBytes  int        `json:"waiting_bytes"`
	SilentSeconds float64    `json:"silent_seconds"`
	Joined        *time.Time `json:"joined,omitempty"`
	Member        string     `json:"member,omitempty"`
}

func (a *API) viewConnection(c *listing.Connection) connectionView {
	v := connectionView{
		Socket: c.ID.String(), Node: a.cfg.Node, Since: c.Since.UTC(), User: c.UserID,
		Transport: c.Transport, TLS: c.TLS, Origin: c.Origin, Library: c.Library, Version: c.Version, Protocol: c.Protocol,
		Subscriptions: c.Subscriptions, WaitingBytes: c.Waiting, SilentSeconds: c.Silent.Round(time.Millisecond).Seconds(), Member: c.Member,
	}
	if c.Address.IsValid() {
		v.Address = c.Address.String()
	}
	if !c.Joined.IsZero() {
		joined := c.Joined.UTC()
		v.Joined = &joined
	}
	return v
}

// A connectionPage is a part of a list of connections.
type connectionPage struct {
	Connections []connectionView `json:"connections"`
	Total       int              `json:"total"` // all that the filters mean, on whatever page
}

// tell makes the page what somebody is told.
func (p *connectionPage) tell(who access.Principal) {
	for i := range p.Connections {
		p.Connections[i].Address = who.Address(p.Connections[i].Address)
	}
}

// filters are the parameters of a list of connections.
var filters = []string{"channel", "user", "origin", "library", "transport", "address", "unsubscribed", "after", "limit", "by"}

// query reads the filters.
func query(r *http.Request) (listing.Filter, error) {
	v := r.URL.Query()
	q := listing.Filter{
		Scope:  hub.Scope{Channel: v.Get("channel"), User: v.Get("user")},
		Origin: v.Get("origin"), Library: v.Get("library"), Transport: v.Get("transport"),
	}
	switch v.Get("unsubscribed") {
	case "", "false":
	case "true":
		q.Unsubscribed = true
	default:
		return q, jsonhttp.Refuse(http.StatusBadRequest, "unsubscribed is neither true nor false.")
	}
	if text := v.Get("address"); text != "" {
		var err error
		if q.Network, err = parseNetwork(text); err != nil {
			return q, jsonhttp.Refuse(http.StatusBadRequest, "address is not an address such as 192.0.2.1, or a network such as 192.0.2.0/24.")
		}
	}
	return q, nil
}

func parseNetwork(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return addr.Unmap().Prefix(addr.Unmap().BitLen())
	}
	return netip.ParsePrefix(text)
}

// parsePosition reads what position returns.
func parsePosition(text string) (listing.Position, error) {
	if text == "" {
		return listing.Position{}, nil
	}
	nanos, socket, _ := strings.Cut(text, "-")
	n, err := strconv.ParseInt(nanos, 10, 64)
	id, ok := protocol.ParseSocketID(socket)
	if err != nil || n <= 0 || !ok {
		return listing.Position{}, jsonhttp.Refuse(http.StatusBadRequest, "after is not what an answer has as next.")
	}
	return listing.Position{Since: time.Unix(0, n), ID: id}, nil
}

// position is behind a connection in the list.
func (v *connectionView) position() string {
	return strconv.FormatInt(v.Since.UnixNano(), 10) + "-" + v.Socket
}

// localConnections are those of this node: one more than the page has, to know
// whether there is another.
func (a *API) localConnections(r *http.Request, app *apps.App) (any, error) {
	q, err := query(r)
	if err != nil {
		return nil, err
	}
	return a.connectionsOf(r, app, q)
}

func (a *API) connectionsOf(r *http.Request, app *apps.App, q listing.Filter) (connectionPage, error) {
	page := connectionPage{Connections: []connectionView{}}
	text, limit, err := jsonhttp.Page(r)
	if err != nil {
		return page, err
	}
	after, err := parsePosition(text)
	if err != nil {
		return page, err
	}
	list, total, err := listing.Connections(r.Context(), a.cfg.Hub, app, q, after, limit+1)
	if err != nil {
		return page, err
	}
	for _, c := range list {
		page.Connections = append(page.Connections, a.viewConnection(c))
	}
	page.Total = total
	return page, nil
}

// merge makes one page of those of all nodes.
func merge(pages []connectionPage, limit int) (page connectionPage, next string) {
	page.Connections = []connectionView{}
	for _, p := range pages {
		page.Connections = append(page.Connections, p.Connections...)
		page.Total += p.Total
	}
	slices.SortFunc(page.Connections, func(x, y connectionView) int {
		return cmp.Or(y.Since.Compare(x.Since), strings.Compare(x.Socket, y.Socket))
	})
	if len(page.Connections) > limit {
		page.Connections = page.Connections[:limit]
		next = page.Connections[limit-1].position()
	}
	return page, next
}

func (a *API) listConnections(w http.ResponseWriter, r *http.Request, app *apps.App) error {
	if err := jsonhttp.Query(r, filters...); err != nil {
		return err
	}
	q, err := query(r)
	if err != nil {
		return err
	}
	p := access.From(r.Context())
	if q.Network.IsValid() && !p.MayAskFor(q.Network) {
		return jsonhttp.Refuse(http.StatusForbidden, "The role %s sees no single addresses: ask for a network of /24, or of /48 for IPv6.", p.Role)
	}
	if r.URL.Query().Has("by") {
		return a.countConnections(w, r, app)
	}
	_, limit, err := jsonhttp.Page(r)
	if err != nil {
		return err
	}
	pages, nodes, err := everywhere[connectionPage](a, r, app, "/connections", a.localConnections)
	if err != nil {
		return err
	}
	page, next := merge(pages, limit)
	page.tell(p)
	return jsonhttp.Write(w, http.StatusOK, struct {
		At time.Time `json:"at"`
		connectionPage
		Next  string     `json:"next,omitempty"`
		Nodes []nodeView `json:"nodes"`
	}{time.Now().UTC(), page, next, nodes})
}

// byNode is a grouping that a hub knows nothing of.
const byNode listing.Grouping = "node"

// groupings are by what a hub counts connections.
var groupings = []listing.Grouping{listing.ByOrigin, listing.ByLibrary, listing.ByTransport, listing.ByUser}

// maxGroups is how many groups are told; the others are added up.
const maxGroups = 100

func (a *API) localCounts(r *http.Request, app *apps.App) (any, error) {
	q, err := query(r)
	if err != nil {
		return nil, err
	}
	by := listing.Grouping(r.URL.Query().Get("by"))
	if by == byNode {
		_, total, err := listing.Connections(r.Context(), a.cfg.Hub, app, q, listing.Position{}, 1)
		return map[string]int{a.cfg.Node: total}, err
	}
	if !slices.Contains(groupings, by) {
		return nil, jsonhttp.Refuse(http.StatusBadRequest, "by is none of origin, library, transport, user, node.")
	}
	return listing.Count(r.Context(), a.cfg.Hub, app, q, by)
}

// A group is connections that have something in common.
type group struct {
	Value       string `json:"value"` // empty: they say nothing
	Connections int    `json:"connections"`
}

func (a *API) countConnections(w http.ResponseWriter, r *http.Request, app *apps.App) error {
	counts, nodes, err := everywhere[map[string]int](a, r, app, "/connections/counts", a.localCounts)
	if err != nil {
		return err
	}
	sum := map[string]int{}
	total := 0
	for _, c := range counts {
		for value, n := range c {
			sum[value] += n
			total += n
		}
	}
	groups := make([]group, 0, len(sum))
	for value, n := range maps.All(sum) {
		groups = append(groups, group{value, n})
	}
	slices.SortFunc(groups, func(x, y group) int {
		return cmp.Or(cmp.Compare(y.Connections, x.Connections), strings.Compare(x.Value, y.Value))
	})
	told := 0
	for _, g := range groups[:min(len(groups), maxGroups)] {
		told += g.Connections
	}
	return jsonhttp.Write(w, http.StatusOK, struct {
		At     time.Time  `json:"at"`
		Groups []group    `json:"groups"`
		Total  int        `json:"total"`
		Others int        `json:"others"` // in groups that are too small to be told
		Nodes  []nodeView `json:"nodes"`
	}{time.Now().UTC(), groups[:min(len(groups), maxGroups)], total, total - told, nodes})
}

// A subscriptionView is what an operator is told of a subscription of a connection.
type subscriptionView struct {
	Channel string    `json:"channel"`
	Joined  time.Time `json:"joined"`
	Member  string    `json:"member,omitempty"`
}

// A connectionDetail is a connection with the first of its channels by name.
type connectionDetail struct {
	connectionView
	Channels []subscriptionView `json:"channels"`
}

// maxChannels is how many channels of one connection are told.
const maxChannels = 1000

func socketOf(r *http.Request) (protocol.SocketID, error) {
	id, ok := protocol.ParseSocketID(r.PathValue("socket"))
	if !ok {
		return id, jsonhttp.Refuse(http.StatusBadRequest, "That is no socket id, such as 1234.5678.")
	}
	return id, nil
}

var errNoConnection = jsonhttp.Refuse(http.StatusNotFound, "There is no such connection. It may have ended, or be of a node that has not answered.")

func (a *API) localConnection(r *http.Request, app *apps.App) (any, error) {
	id, err := socketOf(r)
	if err != nil {
		return nil, err
	}
	d, err := listing.Find(r.Context(), a.cfg.Hub, app, id, maxChannels)
	if err != nil || d == nil {
		return (*connectionDetail)(nil), err
	}
	view := &connectionDetail{connectionView: a.viewConnection(&d.Connection), Channels: []subscriptionView{}}
	for _, s := range d.Channels {
		view.Channels = append(view.Channels, subscriptionView{s.Channel, s.Joined.UTC(), s.Member})
	}
	return view, nil
}

func (a *API) showConnection(w http.ResponseWriter, r *http.Request, app *apps.App) error {
	if err := jsonhttp.Query(r); err != nil {
		return err
	}
	found, _, err := everywhere[*connectionDetail](a, r, app, "/connections/"+url.PathEscape(r.PathValue("socket")), a.localConnection)
	if err != nil {
		return err
	}
	for _, d := range found {
		if d != nil {
			d.Address = access.From(r.Context()).Address(d.Address)
			return jsonhttp.Write(w, http.StatusOK, d)
		}
	}
	return errNoConnection
}

// closings are the codes with which an operator can close a connection.
var closings = map[string]*protocol.Error{
	"":     protocol.ErrTerminated,
	"4009": protocol.ErrTerminated,
	"4200": protocol.ErrReconnect,
}

// localClose closes a connection of this node, and says whether there is one. Peers
// ask for it like for a list: nobody but nodes comes this way.
func (a *API) localClose(r *http.Request, app *apps.App) (any, error) {
	id, err := socketOf(r)
	if err != nil {
		return nil, err
	}
	why := closings[r.URL.Query().Get("code")]
	if why == nil {
		return nil, jsonhttp.Refuse(http.StatusBadRequest, "code is neither 4009, after which clients stay away, nor 4200, after which they come back at once.")
	}
	closed, err := a.cfg.Hub.VisitOne(r.Context(), app, id, func(v hub.View) { v.Close(why) })
	if closed {
		a.log.InfoContext(context.WithoutCancel(r.Context()), "a connection was closed by an operator", "app", app.ID, "socket_id", id.String(), "code", int(why.Code))
	}
	return closed, err
}

func (a *API) closeConnection(w http.ResponseWriter, r *http.Request, app *apps.App) error {
	if err := jsonhttp.Query(r, "code"); err != nil {
		return err
	}
	closed, _, err := everywhere[bool](a, r, app, "/close/"+url.PathEscape(r.PathValue("socket")), a.localClose)
	if err != nil {
		return err
	}
	if !slices.Contains(closed, true) {
		return errNoConnection
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
