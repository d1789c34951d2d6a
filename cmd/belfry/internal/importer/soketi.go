package importer

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// soketi writes what soketi was told, and its defaults where it was told nothing.
func (m *move) soketi() {
	r := reader{m, ""}
	r.listen(r.text("0.0.0.0", "host"), strconv.Itoa(r.whole(6001, "port")), r.text("", "ssl.certPath"), r.text("", "ssl.keyPath"))
	r.path(r.text("", "pathPrefix"))
	if r.yes(false, "debug") {
		m.out.top.set("log.level", "debug")
	}
	if host, port := r.text("0.0.0.0", "metrics.host"), r.whole(9601, "metrics.port"); r.yes(false, "metrics.enabled") {
		m.out.top.set("admin.listen", net.JoinHostPort(host, strconv.Itoa(port)))
		m.differs("The port of metrics is the administration port, which has the console and the admin API too: keep it away from the internet. Metrics have other names; docs/move/soketi.md has a table.")
	}
	m.out.top.set("drain_timeout", duration(r.number(3000, "shutdownGracePeriod"), time.Millisecond))
	m.out.top.set("websocket.assume_protocol", 7)
	m.nats(r)
	s := soketiApps{reader: r, batch: r.yes(false, "webhooks.batching.enabled"), interval: r.number(50, "webhooks.batching.duration")}
	s.all(r)
	body := 0
	if r.source.entries["httpApi.requestLimitInMb"] != nil {
		body = int(r.number(0, "httpApi.requestLimitInMb") * (1 << 20))
	}
	r.sizes(s.event, s.events, body)
	s.webhookSettings()
	m.soketiDiffers()
}

// nats says what becomes of a NATS, which soketi uses without JetStream.
func (m *move) nats(r reader) {
	for _, path := range []string{"adapter.nats.servers", "adapter.nats.user", "adapter.nats.pass"} {
		if e := r.find(path); e != nil {
			m.lost(e, "a NATS is not needed. If this service shall stand on yours, it needs JetStream: nats_url: nats://user:password@host:4222")
		}
	}
}

func (m *move) soketiDiffers() {
	m.differs("A request of a backend whose clock is wrong by more than 600 s is refused (401). Check the clocks before you move.")
	m.differs("Channel names may have letters, digits and _-=@,.; only. soketi took others, such as + and /.")
	m.differs("Bodies of the HTTP API have the size that the limits of events need; soketi took 100 MB.")
	m.differs("Users who have signed in, or who subscribe to a private or presence channel, satisfy authorized_connections. In soketi only those who sign in did.")
}

// soketiApps reads the apps, and gathers what the service needs for them.
type soketiApps struct {
	reader
	batch         bool
	interval      float64
	event, events int
	webhooks      int
	networks      []string
}

const soketiPrefix = "appManager.array.apps."

func (s *soketiApps) all(service reader) {
	driver := service.find("appManager.driver")
	numbers := s.source.numbers(soketiPrefix)
	if len(numbers) == 0 || driver != nil && driver.node.Value != "array" && !s.dumped() {
		name := strings.Join(s.names(), ", ")
		if driver != nil && driver.node.Value != "array" {
			s.problem(driver, "keeps the apps in %s; give a dump of its table as a further file, such as apps.sql or the JSON of a scan", driver.node.Value)
			return
		}
		if !s.DefaultCredentials {
			s.problems = append(s.problems, fmt.Errorf("%s: %w", name, errDefaults))
			return
		}
		numbers = []string{"0"}
	}
	for _, n := range numbers {
		s.app(reader{s.move, soketiPrefix + n + "."}, service, len(numbers) == 1 && !s.dumped())
	}
}

// dumped reports whether the apps came from a database.
func (s *soketiApps) dumped() bool {
	for _, f := range s.Files {
		if kindOf(f.Text) == kindSQL || kindOf(f.Text) == kindJSON && s.source.entries[soketiPrefix+"0.id"] != nil && s.source.entries[soketiPrefix+"0.id"].key != soketiPrefix+"0.id" && s.source.entries[soketiPrefix+"0.id"].place.File == f.Name {
			return true
		}
	}
	return false
}

var errDefaults = fmt.Errorf("soketi serves an app with its default credentials (app-id, app-key, app-secret), which everybody knows. " +
	"Give the app others in soketi and your programs first, or take these with --allow-default-credentials")

// app reads one app. The defaults of soketi's own credentials are for the only one.
func (s *soketiApps) app(r, service reader, only bool) {
	if only {
		for name, text := range map[string]string{"id": "app-id", "key": "app-key", "secret": "app-secret"} {
			if r.source.entries[r.prefix+name] == nil {
				r.source.add(&entry{path: r.prefix + name, key: name, place: Place{File: strings.Join(s.names(), ", ")}, node: &yaml.Node{Kind: yaml.ScalarNode, Value: text}, used: true})
			}
		}
	}
	if r.text("", "secret") == "app-secret" && !s.DefaultCredentials {
		s.problems = append(s.problems, fmt.Errorf("%s: %w", r.place(), errDefaults))
		return
	}
	app, ok := r.credentials(r.text("", "id"))
	if !ok {
		return
	}
	if !r.yes(true, "enabled") {
		app.set("disabled", true)
	}
	if r.yes(false, "enableClientMessages") {
		app.set("client_events", true)
	}
	if wait := service.number(30000, "userAuthenticationTimeout"); r.yes(false, "enableUserAuthentication") {
		app.set("authorized_connections", true)
		app.set("authorization_timeout", duration(wait, time.Millisecond))
	}
	s.limits(r, service, app)
	s.hooks(r, app)
}

// limits are soketi's, whose defaults differ from ours. Those of the app win.
func (s *soketiApps) limits(r, service reader, app *block) {
	kib := func(initial float64, here, everywhere string) int {
		return int(math.Ceil(r.number(service.number(initial, everywhere), here) * 1024))
	}
	count := func(initial int, here, everywhere string) int {
		return r.whole(service.whole(initial, everywhere), here)
	}
	event := kib(100, "maxEventPayloadInKb", "eventLimits.maxPayloadInKb")
	events := count(10, "maxEventBatchSize", "eventLimits.maxBatchSize")
	app.set("limits.connections", r.whole(0, "maxConnections"))
	app.set("limits.client_events_per_second", r.whole(0, "maxClientEventsPerSecond"))
	app.set("limits.backend_events_per_second", r.whole(0, "maxBackendEventsPerSecond"))
	app.set("limits.read_requests_per_second", r.whole(0, "maxReadRequestsPerSecond"))
	app.set("limits.channel_name_length", count(200, "maxChannelNameLength", "channelLimits.maxNameLength"))
	app.set("limits.event_name_length", count(200, "maxEventNameLength", "eventLimits.maxNameLength"))
	app.set("limits.event_data", size(event))
	app.set("limits.channels_per_event", count(100, "maxEventChannelsAtOnce", "eventLimits.maxChannelsAtOnce"))
	app.set("limits.events_per_batch", events)
	app.set("limits.presence_members", count(100, "maxPresenceMembersPerChannel", "presence.maxMembersPerChannel"))
	app.set("limits.presence_user_info", size(kib(2, "maxPresenceMemberSizeInKb", "presence.maxMemberSizeInKb")))
	app.set("limits.cache_ttl", duration(service.number(3600, "channelLimits.cacheTtl"), time.Second))
	s.event, s.events = max(s.event, event), max(s.events, events)
}

// hooks reads the webhooks of an app. Databases have them as JSON.
func (s *soketiApps) hooks(r reader, app *block) {
	e := r.find("webhooks")
	if e == nil {
		return
	}
	list := e.node
	if list.Kind == yaml.ScalarNode {
		if list.Value == "" || list.Value == "null" {
			return
		}
		tree, err := readJSON(File{e.place.File, []byte(list.Value)})
		if err != nil || tree.Kind != yaml.SequenceNode {
			s.problem(e, "is not a list in JSON, as in [{\"url\": …, \"event_types\": […]}]")
			return
		}
		list = tree
	}
	var blocks []*block
	for i, hook := range list.Content {
		if b := s.hook(e, i, hook); b != nil {
			blocks = append(blocks, b)
		}
	}
	if len(blocks) > 0 {
		app.set("webhooks", blocks)
		s.webhooks += len(blocks)
	}
}

var webhookEvents = []string{"client_event", "channel_occupied", "channel_vacated", "member_added", "member_removed", "cache_miss", "subscription_count"}

func (s *soketiApps) hook(e *entry, i int, hook *yaml.Node) *block {
	note := func(name, format string, args ...any) {
		s.result.Lost = append(s.result.Lost, Note{e.place, fmt.Sprintf("%s[%d].%s", e.key, i, name), fmt.Sprintf(format, args...)})
	}
	address := member(hook, "url")
	if address == nil || address.Value == "" {
		note("lambda_function", "a webhook without url is not sent; give the function a URL and write it under webhooks")
		return nil
	}
	b := s.out.block()
	b.set("url", secret(address.Value)) // which may have a token in it
	s.private(address.Value)
	var events []string
	if types := member(hook, "event_types"); types != nil {
		for _, t := range types.Content {
			if slices.Contains(webhookEvents, t.Value) {
				events = append(events, t.Value)
				continue
			}
			note("event_types", "has an event that Belfry does not know; it is left out")
		}
	}
	b.set("events", events)
	s.filters(hook, b)
	if headers := member(hook, "headers"); headers != nil && headers.Kind == yaml.MappingNode {
		var lines []secret
		for i := 0; i+1 < len(headers.Content); i += 2 {
			lines = append(lines, secret(headers.Content[i].Value+": "+headers.Content[i+1].Value))
		}
		b.set("headers", lines)
	}
	for _, name := range []string{"lambda_function", "lambda"} {
		if member(hook, name) != nil {
			note(name, "functions are called by URL only")
		}
	}
	b.set("batch", s.batch)
	return b
}

func (s *soketiApps) filters(hook *yaml.Node, b *block) {
	filter := member(hook, "filter")
	if filter == nil {
		return
	}
	if v := member(filter, "channel_name_starts_with"); v != nil && v.Value != "" {
		b.set("channel_prefixes", []string{v.Value})
	}
	if v := member(filter, "channel_name_ends_with"); v != nil && v.Value != "" {
		b.set("channel_suffixes", []string{v.Value})
	}
}

// private allows the network of an endpoint that is not public. Of a name
// without dots, as containers have, the network is not known.
func (s *soketiApps) private(address string) {
	u, err := url.Parse(address)
	if err != nil {
		return // the check of the result says so
	}
	host := u.Hostname()
	ip, err := netip.ParseAddr(host)
	switch {
	case err == nil && (ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast()):
		s.allow(host)
	case err == nil:
	case host == "localhost":
		s.allow("127.0.0.1", "::1")
	case !strings.Contains(host, ".") || hasSuffix(host, ".internal", ".local", ".localhost", ".lan", ".cluster.local", ".svc", ".test"):
		s.allow("127.0.0.1", "::1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
		s.differs("Webhooks go to names of a private network, so webhooks.allowed_networks has all private networks. Narrow it to the one that you use.")
	default:
		s.differs("A webhook whose name has a private address is refused. If yours has one, add its network to webhooks.allowed_networks.")
	}
}

func hasSuffix(s string, suffixes ...string) bool {
	return slices.ContainsFunc(suffixes, func(suffix string) bool { return strings.HasSuffix(s, suffix) })
}

func (s *soketiApps) allow(networks ...string) {
	for _, n := range networks {
		if !slices.Contains(s.networks, n) {
			s.networks = append(s.networks, n)
		}
	}
}

// webhookSettings are those of all endpoints together.
func (s *soketiApps) webhookSettings() {
	if s.webhooks == 0 {
		return
	}
	s.out.top.set("webhooks.grace", "0s")
	if s.batch {
		s.out.top.set("webhooks.batch_interval", duration(s.interval, time.Millisecond))
	}
	if len(s.networks) > 0 {
		s.out.top.set("webhooks.allowed_networks", s.networks)
	}
	s.differs("Webhooks are sent at least once and tried again for 290 s, where soketi sent once. A receiver may get one twice, and should not mind.")
	s.differs("webhooks.grace is 0s, as soketi has none. With 3s, a page that is loaded again is no news.")
}
