package cluster

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// The app that clusters have unless Options says otherwise.
const (
	AppID      = "1"
	Key        = "app-key"
	Secret     = "app-secret"
	adminToken = "the-token-of-the-tests"
)

// What clusters have unless Options says otherwise.
const (
	Lease        = 5 * time.Second
	Grace        = 5 * time.Second
	WebhookGrace = time.Second
	DrainTimeout = time.Second
)

// Options says what a test needs. The zero value is one node that is alone.
type Options struct {
	Nodes   int  // that take clients; 0 is 1
	Witness bool // one more node, which takes none
	// Settings are further lines of every node's file.
	Settings string
	// Limits are further limits of the app.
	Limits string
	// App is a further setting of the app.
	App string
	// Hooks are what the backend is told; by default channel_existence and
	// presence, which the history judges.
	Hooks string
	// NoHooks has no endpoint at all.
	NoHooks bool
	// Durable says that the history of the app is: what a node has accepted is not lost
	// with it.
	Durable bool
	// DrainTimeout is how long a node that stops sends its clients elsewhere;
	// 0 is DrainTimeout.
	DrainTimeout time.Duration
	// DataDirSize gives every node a disk of its own of that many bytes, which
	// needs root on Linux.
	DataDirSize int
}

// witnessName is the name of the witness.
const witnessName = "witness"

// nodeSettings is the file of a node.
const nodeSettings = `listen: %s
admin: {listen: %q, token: %s}
data_dir: %s
drain_timeout: %s
webhooks: {allowed_networks: [127.0.0.0/8, 198.18.0.0/15], retry_first: 50ms, batch_interval: 5ms, grace: %s}
%s
%s
apps:
  - id: %q
    keys: [{key: %s, secret: %s}]
    client_events: true
    subscription_count: true
    watchlist_events: true
    limits: {client_events_per_second: 0, presence_members: 0%s}
    webhooks: [%s]
    %s
`

// clusterSettings are those of a node that is not alone.
const clusterSettings = `cluster: {listen: %q, secret: a-secret-of-the-cluster, name: %s, lease: %s, grace: %s}
join: [%s]
witness: %t`

// file is the configuration of a node of the cluster.
func (c *Cluster) file(n *Node) string {
	o := c.options
	joined := ""
	if len(c.Nodes) > 1 {
		var peers []string
		for _, p := range c.Nodes {
			peers = append(peers, fmt.Sprintf("%q", p.peers))
		}
		joined = fmt.Sprintf(clusterSettings, n.peers, n.Name, Lease, Grace, strings.Join(peers, ", "), n.Witness)
	}
	limits, hooks := "", ""
	if o.Limits != "" {
		limits = ", " + o.Limits
	}
	if !o.NoHooks {
		events := "channel_existence, presence"
		if o.Hooks != "" {
			events = o.Hooks
		}
		hooks = fmt.Sprintf("{url: %q, events: [%s]}", c.Hooks.url, events)
	}
	drain := o.DrainTimeout
	if drain == 0 {
		drain = DrainTimeout
	}
	return fmt.Sprintf(nodeSettings, n.Addr, n.AdminAddr, adminToken, filepath.Join(n.dir, "data"), drain, WebhookGrace,
		joined, o.Settings, AppID, Key, Secret, limits, hooks, o.App)
}
