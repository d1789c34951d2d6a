package config

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/setting"
)

// appGiven is what was written for one app, its keys left out.
type appGiven struct {
	place Place
	given []given
}

// apps reads the list under apps and notes every problem in it. The apps are
// complete only if there was none.
func (d *document) apps(node *yaml.Node) ([]*apps.App, []appGiven) {
	if isNull(node) {
		return nil, nil
	}
	if node.Kind != yaml.SequenceNode {
		d.problems.add(d.at(node), "apps", "is not a list; begin every app with a dash")
		return nil, nil
	}
	var list []*apps.App
	var written []appGiven
	unique := uniqueness{ids: map[string]string{}, keys: map[string]string{}, instances: map[string]string{}}
	for i, element := range node.Content {
		element = resolve(element)
		name := fmt.Sprintf("apps[%d]", i)
		if isNull(element) {
			d.problems.add(d.at(element), name, "is empty")
			continue
		}
		app, given := d.app(element, name)
		d.keys(app, element, name, unique)
		if other, twice := unique.ids[app.ID]; twice && app.ID != "" {
			d.problems.add(d.at(element), name+".id", "%q is the id of %s as well", app.ID, other)
		}
		unique.ids[app.ID] = name
		if id := app.Push.InstanceID; id != "" {
			if other, twice := unique.instances[id]; twice {
				d.problems.add(d.at(element), name+".push.instance_id", "is that of %s as well", other)
			}
			unique.instances[id] = name
		}
		list = append(list, app)
		written = append(written, given)
	}
	return list, written
}

// uniqueness has the full name of where each id, each key and each instance of Beams stands.
type uniqueness struct{ ids, keys, instances map[string]string }

// app reads everything of an app but its keys.
func (d *document) app(node *yaml.Node, name string) (*apps.App, appGiven) {
	app := apps.New()
	found := d.read(node, block{known: setting.Names(apps.Settings), former: setting.Former(apps.Settings), lists: []string{"keys", "webhooks"}, prefix: name + "."})
	written := appGiven{place: d.at(node)}
	for _, s := range apps.Settings {
		v, ok := found.values[s.Name]
		if !ok {
			continue
		}
		if err := s.Set(app, v.Value); err != nil {
			d.problems.add(v.place, name+"."+s.Name, "%s", err)
		}
		written.given = append(written.given, given{s.Name, v})
	}
	d.push(app, d.at(node), name)
	d.webhooks(app, found.nodes["webhooks"], name)
	if _, ok := found.values["id"]; !ok && node.Kind == yaml.MappingNode {
		d.problems.add(d.at(node), name+".id", "is missing")
	}
	return app, written
}

// push notes what is wrong with the settings of push notifications beside each other.
// In the file stand secrets, and not what is told of them.
func (d *document) push(app *apps.App, at Place, name string) {
	for _, m := range append(apps.RestoreSecrets(app, nil), apps.CheckPush(app)...) {
		d.problems.add(at, name+"."+m.Setting, "%s", m.Text)
	}
}

// keys reads the pairs of the app that stands at node.
func (d *document) keys(app *apps.App, node *yaml.Node, name string, unique uniqueness) {
	if node.Kind != yaml.MappingNode {
		return // noted already
	}
	name += ".keys"
	var list *yaml.Node
	for _, p := range d.pairs(node, 0) {
		if p.key.Value == "keys" {
			list = resolve(p.value)
		}
	}
	switch {
	case list == nil || isNull(list) || list.Kind == yaml.SequenceNode && len(list.Content) == 0:
		d.problems.add(d.at(node), name, "is missing: an app has at least one pair, keys: [{key: …, secret: …}]")
		return
	case list.Kind != yaml.SequenceNode:
		d.problems.add(d.at(list), name, "is not a list of pairs; write keys: [{key: …, secret: …}]")
		return
	}
	for i, element := range list.Content {
		element, full := resolve(element), fmt.Sprintf("%s[%d]", name, i)
		if isNull(element) {
			d.problems.add(d.at(element), full, "is empty")
			continue
		}
		pair := d.pair(element, full)
		if other, twice := unique.keys[pair.Key]; twice && pair.Key != "" {
			d.problems.add(d.at(element), full+".key", "%q stands in %s as well", pair.Key, other)
		}
		unique.keys[pair.Key] = full
		app.Keys = append(app.Keys, pair)
	}
}

func (d *document) pair(node *yaml.Node, name string) apps.Key {
	var pair apps.Key
	found := d.read(node, block{known: setting.Names(apps.KeySettings), former: setting.Former(apps.KeySettings), prefix: name + ".", secret: true})
	for _, s := range apps.KeySettings {
		v, ok := found.values[s.Name]
		if !ok && node.Kind == yaml.MappingNode {
			d.problems.add(d.at(node), name+"."+s.Name, "is missing")
			continue
		}
		if !ok {
			continue
		}
		if err := s.Set(&pair, v.Value); err != nil {
			d.problems.add(v.place, name+"."+s.Name, "%s", err)
		}
	}
	return pair
}
