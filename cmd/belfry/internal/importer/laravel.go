package importer

import (
	"math"
	"strconv"
	"time"
)

// reverb writes what Laravel Reverb was told, and its defaults.
func (m *move) reverb() {
	r := reader{m, ""}
	server := reader{m, "servers." + r.text("reverb", "default") + "."}
	server.listen(server.text("0.0.0.0", "host"), strconv.Itoa(server.whole(8080, "port")),
		server.text("", "options.tls.local_cert"), server.text("", "options.tls.local_pk"))
	server.path(server.text("", "path"))
	server.find("hostname")
	if e := m.source.entries["apps.provider"]; e != nil && e.node.Value == "config" {
		e.used = true
	}
	m.out.top.set("websocket.assume_protocol", 7)
	body := server.whole(10_000, "max_request_size")
	largest := 0
	for _, n := range m.source.numbers("apps.apps.") {
		largest = max(largest, m.reverbApp(reader{m, "apps.apps." + n + "."}, body))
	}
	r.sizes(largest, 1, body)
	if server.yes(false, "scaling.enabled") {
		m.differs("Scaling by Redis becomes a cluster: give each node cluster.listen, join and cluster.secret (docs/cluster.md). Redis is not used.")
	}
	m.differs("Pulse and Telescope show nothing of Belfry. /metrics, belfry console and belfry apps usage do.")
	m.differs("Events of Reverb inside Laravel (MessageReceived, ChannelCreated and others) do not occur. Webhooks tell the same to a route.")
	m.differs("Channel names may have letters, digits and _-=@,.; only, and 200 of them.")
	m.differs("Only members of a private or presence channel may send client events on it, whatever accept_client_events_from says.")
}

// reverbApp reads an app and returns how large its events may be.
func (m *move) reverbApp(r reader, body int) int {
	app, ok := r.credentials(r.text("", "app_id"))
	if !ok {
		return 0
	}
	if r.text("members", "accept_client_events_from") != "none" {
		app.set("client_events", true)
	}
	app.set("activity_timeout", duration(max(r.number(30, "activity_timeout"), 1), time.Second))
	r.origins(app)
	event := max(10<<10, body, r.whole(10_000, "max_message_size"))
	app.set("limits.connections", r.whole(0, "max_connections"))
	rate := 0
	if attempts, seconds := r.number(60, "rate_limiting.max_attempts"), r.number(60, "rate_limiting.decay_seconds"); r.yes(false, "rate_limiting.enabled") {
		rate = int(math.Ceil(attempts / max(seconds, 1)))
		m.differs("rate_limiting counts client events only, each second: %d. Reverb counts all messages over its decay_seconds.", rate)
	}
	app.set("limits.client_events_per_second", rate)
	app.set("limits.event_data", size(event))
	app.set("limits.presence_members", 0)
	app.set("limits.presence_user_info", size(10<<10))
	for _, path := range []string{"options.host", "options.port", "options.scheme", "options.useTLS"} {
		r.find(path) // where Laravel connects: it stays in Laravel's .env
	}
	return event
}

// laravelWebSockets writes what beyondcode/laravel-websockets was told, and
// its defaults.
func (m *move) laravelWebSockets() {
	r := reader{m, ""}
	r.listen("0.0.0.0", strconv.Itoa(r.whole(6001, "dashboard.port")), r.text("", "ssl.local_cert"), r.text("", "ssl.local_pk"))
	m.out.top.set("websocket.assume_protocol", 7)
	body := r.whole(250, "max_request_size_in_kb") << 10
	for _, n := range m.source.numbers("apps.") {
		m.laravelApp(reader{m, "apps." + n + "."}, body)
	}
	r.sizes(body, 1, body)
	m.differs("There is no dashboard inside Laravel; belfry console opens the one of the service, and belfry apps usage has the statistics.")
	m.differs("Handlers and apps in PHP classes of your own are not called. Webhooks tell a route what happens, and the admin API changes apps.")
	m.differs("A request of a backend whose clock is wrong by more than 600 s is refused (401). Check the clocks before you move.")
	m.differs("Channel names may have letters, digits and _-=@,.; only, and 200 of them.")
}

func (m *move) laravelApp(r reader, body int) {
	app, ok := r.credentials(r.text("", "id"))
	if !ok {
		return
	}
	if r.yes(false, "enable_client_messages") {
		app.set("client_events", true)
	}
	r.find("enable_statistics") // usage is always counted
	r.origins(app)
	app.set("limits.connections", r.whole(0, "capacity"))
	app.set("limits.client_events_per_second", 0)
	app.set("limits.event_data", size(body))
	app.set("limits.presence_members", 0)
	app.set("limits.presence_user_info", size(10<<10))
	if path := r.text("", "path"); path != "" {
		r.path(path)
	}
}
