package importer

import (
	"net/url"
	"path"

	"go.yaml.in/yaml/v3"
)

// pusher writes an app of the hosted service, whose limits are our defaults.
// All but the credentials stands in its dashboard alone.
func (m *move) pusher() {
	r := reader{m, ""}
	if e := r.find("url"); e != nil {
		u, err := url.Parse(e.node.Value)
		if err != nil || u.User == nil {
			m.problem(e, "is not of the form https://KEY:SECRET@HOST/apps/ID")
			return
		}
		secretText, _ := u.User.Password()
		for name, text := range map[string]string{"apps.0.id": path.Base(u.Path), "apps.0.key": u.User.Username(), "apps.0.secret": secretText} {
			if m.source.entries[name] == nil {
				m.source.add(&entry{path: name, key: e.key, place: e.place, node: &yaml.Node{Kind: yaml.ScalarNode, Value: text}})
			}
		}
	}
	app := reader{m, "apps.0."}
	if _, ok := app.credentials(app.text("", "id")); !ok {
		return
	}
	m.differs("Settings of the dashboard are in no file. Look at App settings there, and set client_events, subscription_count, watchlist_events, authorized_connections and tls_only of the app likewise.")
	m.differs("Webhooks are in the dashboard, too: write them under webhooks of the app. The keys stay the same, so signatures do.")
	m.differs("Further key pairs of the app are in the dashboard; add those that are in use under keys.")
	m.differs("cluster means nothing: clients and backends need a host and a port instead (README.md).")
}
