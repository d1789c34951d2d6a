package tap

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/belfryhq/belfry/internal/jsonhttp"
	"github.com/belfryhq/belfry/internal/setting"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/protocol"
)

// The limits of what can be asked for, and the rate of who asks for none.
const (
	MaxRate     = 1000 // rows a second
	DefaultRate = 50
	maxSample   = 1_000_000
	maxPatterns = 100
)

// Parameters are the words of a filter, as they stand in a query.
var Parameters = []string{"type", "channel", "event", "socket", "user", "node", "sample", "rate", "data"}

// parameterAddresses says that addresses are shown as networks. Nodes say it to each
// other, about who asks.
const (
	parameterAddresses = "addresses"
	networksOnly       = "networks"
)

// A Filter says which records somebody wants to see, and how many. It is
// immutable.
type Filter struct {
	Kinds    trace.Kinds
	Channels []string // names, or beginnings of names before a *; empty: all
	Events   []string // likewise
	Sockets  []protocol.SocketID
	Users    []string
	Nodes    []string // names of nodes
	Sample   int      // the channels of which one in so many is shown; 1: all
	Rate     int      // rows a second
	Data     bool     // with the data of events, and user_info

	networks bool       // instead of the addresses of clients
	text     url.Values // what it was read from
}

// ParseFilter reads a filter from a query. Its errors are refusals.
func ParseFilter(q url.Values) (*Filter, error) {
	f := &Filter{
		Channels: q["channel"], Events: q["event"], Users: q["user"], Nodes: q["node"],
		Sample: 1, Rate: DefaultRate, Data: true, text: make(url.Values),
	}
	f.networks = q.Get(parameterAddresses) == networksOnly
	for _, name := range append([]string{parameterAddresses}, Parameters...) {
		if len(q[name]) > maxPatterns {
			return nil, jsonhttp.Refuse(http.StatusBadRequest, "There are more than %d values for %s.", maxPatterns, name)
		}
		if q.Has(name) {
			f.text[name] = q[name]
		}
	}
	if err := f.parseKinds(q["type"]); err != nil {
		return nil, err
	}
	for _, text := range q["socket"] {
		id, ok := protocol.ParseSocketID(text)
		if !ok {
			return nil, jsonhttp.Refuse(http.StatusBadRequest, "socket: %q is not a socket id such as 1234.5678.", text)
		}
		f.Sockets = append(f.Sockets, id)
	}
	if text := q.Get("sample"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxSample {
			return nil, jsonhttp.Refuse(http.StatusBadRequest, "sample is not a number from 1 to %d: of how many channels one is shown.", maxSample)
		}
		f.Sample = n
	}
	switch text := q.Get("rate"); text {
	case "":
	case "full":
		f.Rate = MaxRate
	default:
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > MaxRate {
			return nil, jsonhttp.Refuse(http.StatusBadRequest, "rate is neither full nor a number from 1 to %d: of rows a second.", MaxRate)
		}
		f.Rate = n
	}
	switch q.Get("data") {
	case "", "true":
	case "false":
		f.Data = false
	default:
		return nil, jsonhttp.Refuse(http.StatusBadRequest, "data is neither true nor false.")
	}
	return f, nil
}

// parseKinds reads names of types, with commas or each by itself.
func (f *Filter) parseKinds(given []string) error {
	for _, list := range given {
		for name := range strings.SplitSeq(list, ",") {
			k, ok := trace.ParseKind(strings.TrimSpace(name))
			switch {
			case ok && trace.AllKinds.Has(k):
				f.Kinds |= trace.KindsOf(k)
			case name != "":
				all := trace.AllKinds.Names()
				if near, ok := setting.Nearest(name, all); ok {
					return jsonhttp.Refuse(http.StatusBadRequest, "There is no type %q; did you mean %s?", name, near)
				}
				return jsonhttp.Refuse(http.StatusBadRequest, "There is no type %q; there are %s.", name, strings.Join(all, ", "))
			}
		}
	}
	if f.Kinds == 0 {
		f.Kinds = trace.AllKinds
	}
	return nil
}

// forms is how many forms of a row there are: with data or without, and with
// addresses or networks.
const forms = 4

// form is which of them the filter wants.
func (f *Filter) form() (n int) {
	if f.Data {
		n |= 1
	}
	if f.networks {
		n |= 2
	}
	return n
}

// Query is what the filter was read from.
func (f *Filter) Query() url.Values { return f.text }

// node reports whether rows of that node are wanted.
func (f *Filter) node(name string) bool { return len(f.Nodes) == 0 || slices.Contains(f.Nodes, name) }

// match reports whether the record is wanted. It is called under locks of the
// hub, so it looks at nothing that is long.
func (f *Filter) match(r *trace.Record) bool {
	switch {
	case !f.Kinds.Has(r.Kind),
		len(f.Channels) > 0 && !matches(f.Channels, r.Channel),
		len(f.Events) > 0 && !matches(f.Events, r.Event),
		len(f.Users) > 0 && !f.matchUser(r),
		len(f.Sockets) > 0 && !slices.Contains(f.Sockets, r.Socket) && !slices.Contains(f.Sockets, r.Except):
		return false
	}
	return f.Sample <= 1 || r.Channel == "" || hash(r.Channel)%uint32(f.Sample) == 0
}

func (f *Filter) matchUser(r *trace.Record) bool {
	id, ok := protocol.UserOf(r.Channel)
	return slices.Contains(f.Users, r.User) || ok && slices.Contains(f.Users, id)
}

// hash is FNV-1a, by which all nodes see the same sample.
func hash(text string) uint32 {
	h := uint32(2166136261)
	for i := range len(text) {
		h = (h ^ uint32(text[i])) * 16777619
	}
	return h
}

// matches reports whether a name is one of the patterns.
func matches(patterns []string, name string) bool {
	for _, p := range patterns {
		if prefix, ok := strings.CutSuffix(p, "*"); ok && strings.HasPrefix(name, prefix) || p == name {
			return true
		}
	}
	return false
}
