package fanout

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/push/apns"
	"github.com/belfryhq/belfry/internal/push/fcm"
	"github.com/belfryhq/belfry/internal/push/lane"
	"github.com/belfryhq/belfry/internal/push/notification"
	"github.com/belfryhq/belfry/internal/push/webpush"
)

const (
	// maxSenders is how many clients are kept; beyond that, those go that were not used
	// for unusedFor.
	maxSenders = 256
	unusedFor  = 10 * time.Minute
	// perSecond is how many notifications Google is sent for a project at most.
	perSecond = 5000
)

// Providers says how the providers are reached. The zero value is how it is.
type Providers struct {
	APNs, APNsSandbox string        // base URLs; empty: Apple's
	FCM               string        // base URL; empty: Google's
	WebHosts          []string      // the push services that are allowed; nil: those of browsers
	Timeout           time.Duration // of one answer; zero: ten seconds
	Roots             *x509.CertPool
	AllowedNetworks   []netip.Prefix // that may be reached although they are private
}

// A way is how a device is reached.
type way struct {
	sender     notification.Sender
	key        lane.Key
	limits     lane.Limits
	credential string
}

// errMissing says that the app has no credentials for a provider.
var errMissing = errors.New("the app has no credentials for this platform")

// senders are the clients of providers, one for each set of credentials, whichever apps have
// them.
type senders struct {
	providers Providers

	mu  sync.Mutex
	all map[string]*sender // by the fingerprint of the credentials
}

// A sender is a client, or why there is none.
type sender struct {
	client notification.Sender
	err    error
	lane   string // that of FCM is the project
	used   time.Time
}

func newSenders(p Providers) *senders {
	return &senders{providers: p, all: make(map[string]*sender)}
}

// sandboxLane ends the names of lanes to Apple's sandbox.
const sandboxLane = " (sandbox)"

// way returns the way to a device, with the credentials of its app.
func (s *senders) way(c *notification.Credentials, d notification.Device) (way, error) {
	platform := d.Platform.Provider()
	one, print, err := s.sender(c, platform)
	if err != nil {
		return way{}, err
	}
	w := way{sender: one.client, credential: print, key: lane.Key{Platform: platform, To: one.lane}}
	switch platform {
	case notification.APNs:
		w.limits.Concurrency = apns.Streams
		if d.Environment == notification.Sandbox {
			w.key.To += sandboxLane
		}
	case notification.FCM:
		w.limits = lane.Limits{Concurrency: fcm.Concurrency, PerSecond: perSecond}
	case notification.Web:
		w.limits.Concurrency = webpush.Concurrency
		w.key.To = endpointHost(d.Token)
	}
	return w, nil
}

// endpointHost is the host of a subscription.
func endpointHost(token string) string {
	var s struct {
		Endpoint string `json:"endpoint"`
	}
	if json.Unmarshal([]byte(token), &s) != nil {
		return ""
	}
	u, err := url.Parse(s.Endpoint)
	if err != nil {
		return ""
	}
	return u.Host
}

// sender returns the client of a platform and the fingerprint of its credentials.
func (s *senders) sender(c *notification.Credentials, platform notification.Platform) (*sender, string, error) {
	print := fingerprint(c, platform)
	if print == "" {
		return nil, "", errMissing
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.all[print]
	if one == nil {
		if len(s.all) >= maxSenders {
			s.forgetLocked()
		}
		one = s.open(c, platform)
		if one.lane == "" {
			one.lane = print
		}
		s.all[print] = one
	}
	one.used = time.Now()
	return one, print, one.err
}

// fingerprint tells the credentials of a platform from others. It is empty if there are none,
// and says nothing of what is in them.
func fingerprint(c *notification.Credentials, platform notification.Platform) string {
	var v any
	switch {
	case platform == notification.APNs && c.APNs != nil:
		v = c.APNs
	case platform == notification.FCM && c.FCM != nil:
		v = c.FCM
	case platform == notification.Web && c.Web != nil:
		v = c.Web
	default:
		return ""
	}
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return string(platform) + "-" + hex.EncodeToString(sum[:8])
}

// open makes a client.
func (s *senders) open(c *notification.Credentials, platform notification.Platform) *sender {
	p := s.providers
	one := new(sender)
	switch platform {
	case notification.APNs:
		one.client, one.err = apns.New(c.APNs, apns.Config{Production: p.APNs, Sandbox: p.APNsSandbox, Timeout: p.Timeout, Roots: p.Roots, AllowedNetworks: p.AllowedNetworks})
	case notification.FCM:
		client, err := fcm.New(c.FCM, fcm.Config{Endpoint: p.FCM, Timeout: p.Timeout, Roots: p.Roots, AllowedNetworks: p.AllowedNetworks})
		if one.client, one.err = client, err; err == nil {
			one.lane = client.Project()
		}
	case notification.Web:
		one.client, one.err = webpush.New(c.Web, webpush.Config{Hosts: p.WebHosts, Timeout: p.Timeout, Roots: p.Roots, AllowedNetworks: p.AllowedNetworks})
	}
	return one
}

// forgetLocked forgets clients that nobody uses.
func (s *senders) forgetLocked() {
	for print, one := range s.all {
		if time.Since(one.used) > unusedFor {
			one.close()
			delete(s.all, print)
		}
	}
}

func (s *sender) close() {
	if s.err == nil {
		s.client.Close()
	}
}

// close ends all connections, when nothing is sent any more.
func (s *senders) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.all {
		one.close()
	}
}
