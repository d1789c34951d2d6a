package importer

import (
	"bytes"
	"encoding/json"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A document is the belfry.yaml that is made. Names of settings have dots, and
// stand in the order in which they were set.
type document struct {
	top     *block
	apps    *yaml.Node
	secrets []*yaml.Node
}

// A block is one mapping of a document.
type block struct {
	node *yaml.Node
	in   *document
}

func newDocument() *document {
	d := &document{apps: &yaml.Node{Kind: yaml.SequenceNode}}
	d.top = d.block()
	return d
}

func (d *document) block() *block { return &block{&yaml.Node{Kind: yaml.MappingNode}, d} }

// app adds an app.
func (d *document) app() *block {
	b := d.block()
	d.apps.Content = append(d.apps.Content, b.node)
	return b
}

// set puts value under a name with dots.
func (b *block) set(name string, value any) {
	node := b.node
	for {
		first, rest, more := strings.Cut(name, ".")
		below := member(node, first)
		if below == nil {
			below = &yaml.Node{Kind: yaml.MappingNode}
			node.Content = append(node.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: first}, below)
		}
		if !more {
			b.in.fill(below, value)
			return
		}
		node, name = below, rest
	}
}

// secret is a text that is shown to nobody.
type secret string

func (d *document) fill(node *yaml.Node, value any) {
	switch v := value.(type) {
	case secret:
		d.fill(node, string(v))
		d.secrets = append(d.secrets, node)
	case []secret:
		*node = yaml.Node{Kind: yaml.SequenceNode}
		for _, s := range v {
			element := &yaml.Node{}
			d.fill(element, s)
			node.Content = append(node.Content, element)
		}
	case []*block:
		*node = yaml.Node{Kind: yaml.SequenceNode}
		for _, b := range v {
			node.Content = append(node.Content, b.node)
		}
	default:
		node.Encode(v) // texts, numbers and lists of texts can be encoded
	}
}

// render is the document as YAML.
func (d *document) render(secrets bool) ([]byte, error) {
	if !secrets {
		for _, node := range d.secrets {
			text := *node
			*node = yaml.Node{Kind: yaml.ScalarNode, Value: "(hidden)"}
			defer func() { *node = text }()
		}
	}
	whole := *d.top.node
	whole.Content = append(whole.Content[:len(whole.Content):len(whole.Content)], &yaml.Node{Kind: yaml.ScalarNode, Value: "apps"}, d.apps)
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(&whole); err != nil {
		return nil, err
	}
	return b.Bytes(), encoder.Close()
}

// quoteJSON is text as JSON.
func quoteJSON(text string) string {
	b, _ := json.Marshal(text) // a text can be encoded
	return string(b)
}
