package config

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/setting"
)

// webhooks reads the endpoints of the app, which stand at node if it is not
// nil.
func (d *document) webhooks(app *apps.App, node *yaml.Node, name string) {
	if node == nil || isNull(node) {
		return
	}
	name += ".webhooks"
	if node.Kind != yaml.SequenceNode {
		d.problems.add(d.at(node), name, "is not a list of endpoints; begin every one with a dash")
		return
	}
	for i, element := range node.Content {
		element = resolve(element)
		app.Webhooks = append(app.Webhooks, d.webhook(element, fmt.Sprintf("%s[%d]", name, i)))
	}
	// There is nothing to complete them with: the file has them in full.
	for _, m := range apps.RestoreHidden(app.Webhooks, nil) {
		d.problems.add(d.at(node), name+m.Setting, "%s", m.Text)
	}
}

// webhook reads one endpoint.
func (d *document) webhook(node *yaml.Node, name string) apps.Webhook {
	w := apps.NewWebhook()
	if isNull(node) {
		d.problems.add(d.at(node), name, "is empty")
		return w
	}
	found := d.read(node, block{known: setting.Names(apps.WebhookSettings), former: setting.Former(apps.WebhookSettings), prefix: name + ".", secret: true})
	for _, s := range apps.WebhookSettings {
		v, ok := found.values[s.Name]
		if !ok {
			continue
		}
		if err := s.Set(&w, v.Value); err != nil {
			d.problems.add(v.place, name+"."+s.Name, "%s", err)
		}
	}
	if _, ok := found.values["url"]; !ok && node.Kind == yaml.MappingNode {
		d.problems.add(d.at(node), name+".url", "is missing")
	}
	return w
}
