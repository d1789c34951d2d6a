package importer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// A jsonReader makes nodes of JSON. A YAML reader would refuse tabs.
type jsonReader struct {
	*json.Decoder
	name  string
	text  []byte
	line  int // at read
	read  int // bytes whose lines were counted
	nodes int
}

// readJSON reads one value, or several that follow each other as the exports
// of DynamoDB have them, which become a list.
func readJSON(f File) (*yaml.Node, error) {
	r := &jsonReader{Decoder: json.NewDecoder(bytes.NewReader(f.Text)), name: f.Name, text: f.Text, line: 1}
	r.UseNumber()
	var all []*yaml.Node
	for {
		node, err := r.value(0)
		if errors.Is(err, io.EOF) && len(all) > 0 {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: not JSON: %w", f.Name, r.here(), err)
		}
		all = append(all, node)
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return &yaml.Node{Kind: yaml.SequenceNode, Content: all, Line: 1}, nil
}

// here is the line of what was read last.
func (r *jsonReader) here() int {
	at := min(int(r.InputOffset()), len(r.text))
	r.line += bytes.Count(r.text[r.read:at], []byte("\n"))
	r.read = at
	return r.line
}

func (r *jsonReader) value(depth int) (*yaml.Node, error) {
	token, err := r.Token()
	if err != nil {
		return nil, err
	}
	if r.nodes++; depth > maxDepth || r.nodes > maxEntries {
		return nil, errors.New("more is nested or listed than any configuration needs")
	}
	node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Line: r.here()}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			node.Kind, node.Tag = yaml.MappingNode, "!!map"
		} else {
			node.Kind, node.Tag = yaml.SequenceNode, "!!seq"
		}
		for r.More() {
			element, err := r.value(depth + 1) // names of members are strings
			if err != nil {
				return nil, unended(err)
			}
			node.Content = append(node.Content, element)
		}
		if _, err := r.Token(); err != nil {
			return nil, unended(err)
		}
	case string:
		node.Value = t
	case json.Number:
		node.Value = t.String()
	case bool:
		node.Value = fmt.Sprint(t)
	case nil:
		node.Tag = "!!null"
	}
	return node, nil
}

// unended is for what ends in the middle.
func unended(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
