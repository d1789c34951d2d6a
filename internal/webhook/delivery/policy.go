package delivery

import (
	"cmp"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/egress"
	"github.com/belfryhq/belfry/internal/webhook/queue"
	"github.com/belfryhq/belfry/internal/webhook/sent"
)

// A Policy is how requests are made, and when they are given up. A zero
// duration or number means the default of that name.
type Policy struct {
	BatchInterval time.Duration // from the first event of a request to its sending
	BatchEvents   int           // the most events of one request
	BatchBytes    int           // about the most bytes of one request

	Timeout        time.Duration // of one attempt
	ConnectTimeout time.Duration // of the part of it that connects
	RetryFirst     time.Duration // wait after the first failure; it doubles from there
	// RetryWindow is how long after a request was formed an attempt may start.
	RetryWindow time.Duration
	Concurrency int   // requests to one endpoint at once
	MaxEndpoint int64 // bytes queued for one endpoint before its oldest are given up

	// AllowedNetworks may be reached although they are private; all others
	// that are not public are refused.
	AllowedNetworks []netip.Prefix
	// Attempted hears of every attempt, on a goroutine of the endpoint. It must
	// not block. Nil means that nobody does.
	Attempted func(Attempt)
	// Transport replaces the way to endpoints, for tests.
	Transport http.RoundTripper
}

// An Attempt is a request that an endpoint was sent, and what became of it.
type Attempt struct {
	App, Endpoint, Host string
	Number              int // of the attempts at this request, from 1
	Events              int
	Channel             string // of the first event
	Status              int    // of the answer; 0: there was none
	Err                 error  // nil: the endpoint has taken it
	Took                time.Duration
}

// The defaults of a Policy. The schedule stays below five minutes because
// receivers refuse requests whose time_ms is older than that.
const (
	DefaultBatchInterval  = 50 * time.Millisecond
	DefaultBatchEvents    = 100
	DefaultBatchBytes     = 256 << 10
	DefaultTimeout        = 10 * time.Second
	DefaultConnectTimeout = 3 * time.Second
	DefaultRetryFirst     = time.Second
	DefaultRetryWindow    = 290 * time.Second
	DefaultConcurrency    = 20
	DefaultMaxEndpoint    = 128 << 20
)

func (p Policy) withDefaults() Policy {
	p.BatchInterval = cmp.Or(p.BatchInterval, DefaultBatchInterval)
	p.BatchEvents = cmp.Or(p.BatchEvents, DefaultBatchEvents)
	p.BatchBytes = cmp.Or(p.BatchBytes, DefaultBatchBytes)
	p.Timeout = cmp.Or(p.Timeout, DefaultTimeout)
	p.ConnectTimeout = min(cmp.Or(p.ConnectTimeout, DefaultConnectTimeout), p.Timeout)
	p.RetryFirst = cmp.Or(p.RetryFirst, DefaultRetryFirst)
	p.RetryWindow = cmp.Or(p.RetryWindow, DefaultRetryWindow)
	p.Concurrency = cmp.Or(p.Concurrency, DefaultConcurrency)
	p.MaxEndpoint = cmp.Or(p.MaxEndpoint, DefaultMaxEndpoint)
	if p.Attempted == nil {
		p.Attempted = func(Attempt) {}
	}
	if p.Transport == nil {
		p.Transport = egress.NewTransport(egress.Config{
			ConnectTimeout: p.ConnectTimeout, AllowedNetworks: p.AllowedNetworks,
			IdlePerHost: p.Concurrency, MaxHeader: maxAnswer,
		})
	}
	return p
}

// aliveWait is the longest wait before the next attempt while an endpoint takes
// other requests: with one that takes only some, waits that double would leave
// too few attempts.
func (p *Policy) aliveWait() time.Duration { return 8 * p.RetryFirst }

// Config is what a dispatcher needs. All is required but
// History and Registerer.
type Config struct {
	Policy
	Apps        *apps.Registry
	Queue       queue.Queue
	DeadLetters queue.DeadLetters
	// Suspended returns nil, or a channel that is closed when the node may act
	// again: until then it may have been given up by the others.
	Suspended func() <-chan struct{}
	// History remembers what is sent. Nil means one that nobody sees.
	History *sent.Log
	// Unreadable counts records that the queue returned otherwise than they
	// were written.
	Unreadable prometheus.Counter
	Registerer prometheus.Registerer // nil: no metrics
	Log        *slog.Logger
}

const (
	// engineAgain is the wait after the engine did not answer.
	engineAgain = time.Second
	// stopPatience is how long attempts that are under way may take when the
	// node stops. Those that take longer are made again by the next process.
	stopPatience = 3 * time.Second
	// recordBytes is about the most bytes of a record.
	recordBytes = 256 << 10
	// forever is a wait for something else to happen.
	forever = time.Hour
)
