package config

import (
	"bytes"
	"errors"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/belfryhq/belfry/internal/setting"
)

// A document is one text in YAML: the file, or what stands in for it in an
// environment variable.
type document struct {
	source   string
	layer    Layer
	problems *Problems
	warnings *Problems
}

func (d *document) at(node *yaml.Node) Place {
	return Place{Source: d.source, Line: node.Line, Layer: d.layer}
}

// readFile returns the top of the file, or nil when there is nothing in it or
// a problem was noted.
func readFile(name string, problems, warnings *Problems) (*document, *yaml.Node) {
	d := &document{source: name, layer: layerFile, problems: problems, warnings: warnings}
	text, err := os.ReadFile(name)
	if err != nil {
		problems.add(d.at(&yaml.Node{}), "", "%s", pathReason(err))
		return d, nil
	}
	return d, d.parse(text)
}

// pathReason is why a file can not be had, without its name.
func pathReason(err error) string {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return "can not be read: " + e.Err.Error()
	}
	return "can not be read: " + err.Error()
}

var syntaxError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// parse returns the top node of the only document in text, or nil.
func (d *document) parse(text []byte) *yaml.Node {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var top, second yaml.Node
	switch err := decoder.Decode(&top); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		d.syntax(err)
		return nil
	}
	switch err := decoder.Decode(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		d.syntax(err)
	default:
		d.problems.add(d.at(&second), "", "a second document begins here; put everything into one")
	}
	return top.Content[0]
}

func (d *document) syntax(err error) {
	place, text := d.at(&yaml.Node{}), err.Error()
	if m := syntaxError.FindStringSubmatch(text); m != nil {
		place.Line, _ = strconv.Atoi(m[1]) // no number is no line
		text = m[2]
	}
	switch {
	case strings.Contains(text, "cannot start any token"):
		text += " (indent with spaces, not with tabs; quote values that begin with @, % or `)"
	case strings.Contains(text, "anchor"): // the text repeats what was written, which may be a secret
		text = "an alias names nothing; quote values that begin with *"
	}
	d.problems.add(place, "", "not YAML: %s", text)
}

// A block says what may stand in one mapping and the mappings inside it.
type block struct {
	known  []string          // full names of its settings, with dots
	former map[string]string // present names, by those that settings had before
	lists  []string          // settings whose node is handed on as it is
	prefix string            // what stands in front of names in problems, such as "apps[0]."
	secret bool              // what was written is never repeated
}

// contents is what was found in a block.
type contents struct {
	values layer
	nodes  map[string]*yaml.Node
}

// read finds the settings of b in node and notes whatever else is there.
func (d *document) read(node *yaml.Node, b block) contents {
	found := contents{layer{}, map[string]*yaml.Node{}}
	node = resolve(node)
	switch {
	case isNull(node):
	case node.Kind != yaml.MappingNode:
		d.problems.add(d.at(node), strings.TrimSuffix(b.prefix, "."), "is not a block of settings (%s)", strings.Join(b.below(""), ", "))
	default:
		d.walk(node, "", b, &found, map[string]int{})
	}
	return found
}

// walk reads one mapping whose settings have names beginning with prefix.
// seen has the line of every setting so far.
func (d *document) walk(node *yaml.Node, prefix string, b block, found *contents, seen map[string]int) {
	for _, p := range d.pairs(node, 0) {
		key, v := p.key, resolve(p.value)
		if key.Kind != yaml.ScalarNode {
			d.problems.add(d.at(key), strings.TrimSuffix(b.prefix+prefix, "."), "has something that is not the name of a setting")
			continue
		}
		name := prefix + key.Value
		if now, ok := b.former[name]; ok {
			d.warnings.add(d.at(key), b.prefix+name, "is called %s now; the former name still works", now)
			name = now
		}
		if line, twice := seen[name]; twice {
			d.problems.add(d.at(key), b.prefix+name, "stands twice; the first is in line %d", line)
			continue
		}
		switch {
		case slices.Contains(b.lists, name):
			seen[name] = key.Line
			found.nodes[name] = v
		case slices.Contains(b.known, name):
			seen[name] = key.Line
			if read, ok := d.value(v, b, name); ok {
				read.place = d.at(key)
				found.values[name] = read
			}
		case b.inside(name):
			d.walkInside(v, name, b, found, seen)
		default:
			d.unknown(key, prefix, b)
		}
	}
}

// walkInside reads what stands under the name of a block.
func (d *document) walkInside(node *yaml.Node, name string, b block, found *contents, seen map[string]int) {
	if line, twice := seen[name+"."]; twice {
		d.problems.add(d.at(node), b.prefix+name, "stands twice; the first is in line %d", line)
		return
	}
	seen[name+"."] = node.Line
	switch {
	case isNull(node):
	case node.Kind == yaml.MappingNode:
		d.walk(node, name+".", b, found, seen)
	default:
		d.problems.add(d.at(node), b.prefix+name, "is not a block of settings (%s)", strings.Join(b.below(name+"."), ", "))
	}
}

// value reads a scalar or a list of scalars. Null is as if not given.
func (d *document) value(node *yaml.Node, b block, name string) (value, bool) {
	switch {
	case isNull(node):
		return value{}, false
	case node.Kind == yaml.ScalarNode && known(node):
		return value{Value: setting.Value{Text: node.Value}}, true
	case node.Kind == yaml.SequenceNode:
		v := value{Value: setting.Value{IsList: true, List: []string{}}}
		for _, element := range node.Content {
			element = resolve(element)
			if element.Kind != yaml.ScalarNode || !known(element) {
				d.problems.add(d.at(element), b.prefix+name, "has an element that is not a single value")
				return value{}, false
			}
			v.List = append(v.List, element.Value)
		}
		return v, true
	case node.Kind == yaml.ScalarNode: // the tag may be the beginning of a secret
		d.problems.add(d.at(node), b.prefix+name, "has a YAML tag, which means nothing here; quote values that begin with !")
	default:
		d.problems.add(d.at(node), b.prefix+name, "is a block of settings, but one value is wanted")
	}
	return value{}, false
}

// known reports whether a scalar has no tag of its own, so that its text is
// all there is to it.
func known(node *yaml.Node) bool {
	switch node.ShortTag() {
	case "!!str", "!!int", "!!float", "!!bool", "!!timestamp", "!!null":
		return true
	}
	return false
}

func (d *document) unknown(key *yaml.Node, prefix string, b block) {
	here := b.below(prefix)
	if b.secret {
		if _, ok := setting.Nearest(key.Value, here); !ok {
			d.problems.add(d.at(key), strings.TrimSuffix(b.prefix, "."), "has an unknown setting; known here: %s", strings.Join(here, ", "))
			return
		}
	}
	name := b.prefix + prefix + key.Value
	if _, ok := setting.Nearest(key.Value, here); !ok {
		if elsewhere := b.elsewhere(key.Value); elsewhere != "" {
			d.problems.add(d.at(key), name, "unknown setting; did you mean %s?", elsewhere)
			return
		}
	}
	d.problems.add(d.at(key), name, "%s", setting.Unknown(key.Value, here))
}

// below is what may stand directly under prefix: settings and blocks.
func (b block) below(prefix string) []string {
	var list []string
	for _, name := range slices.Concat(b.known, b.lists) {
		rest, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		rest, _, _ = strings.Cut(rest, ".")
		if !slices.Contains(list, rest) {
			list = append(list, rest)
		}
	}
	return list
}

// inside reports whether some setting stands in the block of that name.
func (b block) inside(name string) bool {
	for former := range b.former {
		if strings.HasPrefix(former, name+".") {
			return true
		}
	}
	return len(b.below(name+".")) > 0
}

// elsewhere is the full name of a setting that has that name in some block.
func (b block) elsewhere(name string) string {
	for _, full := range b.known {
		if strings.HasSuffix(full, "."+name) {
			return full
		}
	}
	return ""
}

type pair struct{ key, value *yaml.Node }

// maxMerges bounds how deep mappings may be merged into each other.
const maxMerges = 3

// pairs is what stands in a mapping, and then what is merged into it with <<
// and not overridden there.
func (d *document) pairs(node *yaml.Node, depth int) []pair {
	var own, merged []pair
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, v := node.Content[i], node.Content[i+1]
		if key.ShortTag() != "!!merge" {
			own = append(own, pair{key, v})
			continue
		}
		sources := []*yaml.Node{resolve(v)}
		if sources[0].Kind == yaml.SequenceNode {
			sources = sources[0].Content
		}
		for _, source := range sources {
			source = resolve(source)
			if source.Kind != yaml.MappingNode || depth == maxMerges {
				d.problems.add(d.at(key), "", "<< does not name a block of settings")
				continue
			}
			merged = append(merged, d.pairs(source, depth+1)...)
		}
	}
	for _, m := range merged {
		if !slices.ContainsFunc(own, func(p pair) bool { return p.key.Value == m.key.Value }) {
			own = append(own, m)
		}
	}
	return own
}

func resolve(node *yaml.Node) *yaml.Node {
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return node
}

func isNull(node *yaml.Node) bool {
	return node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null"
}
