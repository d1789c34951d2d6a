package importer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// rowsOfJSON returns the apps of a table in JSON: the answer of a scan of
// DynamoDB, its export with one item a line, or a list of rows.
func rowsOfJSON(file string, tree *yaml.Node) ([]row, bool, error) {
	items := tree
	if tree.Kind == yaml.MappingNode {
		items = member(tree, "Items")
		if item := member(tree, "Item"); item != nil { // an export with one app
			items = &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{tree}}
		}
		if items == nil {
			return nil, false, nil
		}
		if member(tree, "LastEvaluatedKey") != nil {
			return nil, true, fmt.Errorf("%s: is one page of a scan, and more follow; scan again without --max-items and --no-paginate", file)
		}
	}
	if items.Kind != yaml.SequenceNode {
		return nil, true, fmt.Errorf("%s:%d: Items is not a list", file, items.Line)
	}
	if len(items.Content) > maxApps {
		return nil, true, fmt.Errorf("%s: has more than %d apps", file, maxApps)
	}
	var rows []row
	for _, item := range items.Content {
		if inner := member(item, "Item"); inner != nil {
			item = inner
		}
		if item.Kind != yaml.MappingNode {
			return nil, true, fmt.Errorf("%s:%d: is no row of a table", file, item.Line)
		}
		r := row{Place{file, item.Line}, map[string]cell{}}
		for i := 0; i+1 < len(item.Content); i += 2 {
			r.values[item.Content[i].Value] = cellOf(item.Content[i+1])
		}
		rows = append(rows, r)
	}
	return rows, true, nil
}

// member is what a mapping has under name, or nil.
func member(node *yaml.Node, name string) *yaml.Node {
	if node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == name {
			return node.Content[i+1]
		}
	}
	return nil
}

// cellOf is a value of JSON, or of DynamoDB, which writes {"S": "text"}.
func cellOf(node *yaml.Node) cell {
	if node.Kind == yaml.MappingNode && len(node.Content) == 2 {
		switch node.Content[0].Value {
		case "S", "N", "BOOL":
			node = node.Content[1]
		case "NULL":
			return cell{null: true}
		}
	}
	if node.Kind != yaml.ScalarNode {
		return cell{text: compact(node, 0)}
	}
	return cell{text: node.Value, null: node.Tag == "!!null"}
}

// compact is node as JSON.
func compact(node *yaml.Node, depth int) string {
	if depth > maxDepth {
		return "null"
	}
	var parts []string
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			parts = append(parts, quoteJSON(node.Content[i].Value)+":"+compact(node.Content[i+1], depth+1))
		}
		return "{" + strings.Join(parts, ",") + "}"
	case yaml.SequenceNode:
		for _, c := range node.Content {
			parts = append(parts, compact(c, depth+1))
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	return quoteJSON(node.Value)
}

// rows adds the apps of dumps in place of those of the file.
func (m *move) rows(rows []row) {
	if len(rows) == 0 {
		return
	}
	prefix := "apps."
	if m.Server == "soketi" {
		prefix = "appManager.array.apps."
	}
	if m.Server == "reverb" || m.Server == "pusher" {
		m.problems = append(m.problems, fmt.Errorf("%s: is a dump, and %s keeps no apps in a database that is known here", rows[0].place.File, m.Server))
		return
	}
	m.source.drop(prefix)
	for i, r := range rows {
		var names []string
		for name := range r.values {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			c := r.values[name]
			if c.null {
				continue
			}
			inner := name
			if m.Server == "soketi" {
				inner = column(name)
			}
			m.source.add(&entry{
				path: prefix + strconv.Itoa(i) + "." + inner, key: name, place: r.place, ours: true,
				node: &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: c.text, Line: r.place.Line},
			})
		}
	}
}

var shortened = map[string]string{
	"maxBackendEventsPerSec": "maxBackendEventsPerSecond", "maxClientEventsPerSec": "maxClientEventsPerSecond", "maxReadReqPerSec": "maxReadRequestsPerSecond",
	"appId": "id", "appKey": "key", "appSecret": "secret", "enableUserAuthentication": "enableUserAuthentication",
}

// column is the name in soketi's JSON of a column, such as max_connections or
// MaxConnections.
func column(name string) string {
	var b strings.Builder
	for i, word := range strings.Split(name, "_") {
		if word == "" {
			continue
		}
		first := word[:1]
		if i == 0 {
			first = strings.ToLower(first)
		} else {
			first = strings.ToUpper(first)
		}
		b.WriteString(first + word[1:])
	}
	if long, ok := shortened[b.String()]; ok {
		return long
	}
	return b.String()
}
