package importer

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxPHP is how long a file in PHP may be.
const maxPHP = 1 << 20

// readPHP reads the array that a configuration file of Laravel returns. It
// takes arrays, plain values and env(), and runs nothing: whatever else stands
// there is returned as a note.
func readPHP(f File, env variables) (*yaml.Node, []Note, error) {
	if len(f.Text) > maxPHP {
		return nil, nil, fmt.Errorf("%s: has more than %d KiB, so it is no configuration of Laravel", f.Name, maxPHP>>10)
	}
	p := &phpReader{file: f.Name, text: f.Text, line: 1, env: env}
	for !p.word("return") {
		if p.blank(); p.at >= len(p.text) {
			return nil, nil, fmt.Errorf("%s: has no \"return [\", so it is no configuration of Laravel", f.Name)
		}
		p.skipToken()
	}
	node, err := p.value("", 0)
	if err != nil {
		return nil, nil, fmt.Errorf("%s:%d: %w", f.Name, p.line, err)
	}
	if node.Kind != yaml.MappingNode {
		return nil, nil, fmt.Errorf("%s:%d: returns no array with names", f.Name, node.Line)
	}
	return node, p.unread, nil
}

// A phpReader reads a small part of PHP.
type phpReader struct {
	file   string
	text   []byte
	at     int
	line   int
	env    variables
	unread []Note
	nodes  int
}

func (p *phpReader) step(n int) {
	n = min(n, len(p.text)-p.at)
	p.line += bytes.Count(p.text[p.at:p.at+n], []byte("\n"))
	p.at += n
}

func (p *phpReader) has(s string) bool { return bytes.HasPrefix(p.text[p.at:], []byte(s)) }

// blank passes blanks and comments.
func (p *phpReader) blank() {
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			p.step(1)
		case p.has("//"), c == '#' && !p.has("#["):
			p.stepPast("\n")
		case p.has("/*"):
			p.stepPast("*/")
		default:
			return
		}
	}
}

func (p *phpReader) stepPast(s string) {
	i := bytes.Index(p.text[p.at:], []byte(s))
	if i < 0 {
		i = len(p.text)
	}
	p.step(i + len(s))
}

// take passes s, if it is next.
func (p *phpReader) take(s string) bool {
	p.blank()
	if !p.has(s) {
		return false
	}
	p.step(len(s))
	return true
}

// word passes a word, if it is next.
func (p *phpReader) word(s string) bool {
	p.blank()
	if p.at+len(s) > len(p.text) || !strings.EqualFold(string(p.text[p.at:p.at+len(s)]), s) {
		return false
	}
	if next := p.at + len(s); next < len(p.text) && wordByte(p.text[next]) {
		return false
	}
	p.step(len(s))
	return true
}

func wordByte(c byte) bool {
	return c == '_' || c == '\\' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// skipToken passes a string, a word or one character.
func (p *phpReader) skipToken() {
	if p.at < len(p.text) && (p.text[p.at] == '\'' || p.text[p.at] == '"') {
		p.quoted() // a string without an end ends the file
		return
	}
	n := 0
	for p.at+n < len(p.text) && wordByte(p.text[p.at+n]) {
		n++
	}
	p.step(max(n, 1))
}

var errNotPlain = errors.New("is PHP that would have to be run")

// value reads an array or a plain value. What is neither becomes null and a
// note of name.
func (p *phpReader) value(name string, depth int) (*yaml.Node, error) {
	if p.nodes++; depth > maxDepth || p.nodes > maxEntries {
		return nil, errors.New("more is nested or listed than any configuration needs")
	}
	p.blank()
	line := p.line
	var node *yaml.Node
	var err error
	switch {
	case p.take("["):
		node, err = p.array(name, "]", depth)
	case p.word("array") && p.take("("):
		node, err = p.array(name, ")", depth)
	default:
		node, err = p.plain()
	}
	if err == nil && !p.valueEnds() {
		err = errNotPlain
	}
	if errors.Is(err, errNotPlain) {
		p.unread = append(p.unread, Note{Place{p.file, line}, name, "is PHP that would have to be run; write what it gives into belfry.yaml yourself"})
		p.skipValue()
		node, err = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}, nil
	}
	if node != nil {
		node.Line = line
	}
	return node, err
}

// valueEnds reports whether nothing more belongs to a value.
func (p *phpReader) valueEnds() bool {
	p.blank()
	return p.at >= len(p.text) || strings.IndexByte(",]);", p.text[p.at]) >= 0
}

// skipValue passes the rest of a value.
func (p *phpReader) skipValue() {
	for depth := 0; p.at < len(p.text); {
		p.blank()
		if p.at >= len(p.text) {
			return
		}
		switch c := p.text[p.at]; {
		case depth == 0 && strings.IndexByte(",]);", c) >= 0:
			return
		case strings.IndexByte("([{", c) >= 0:
			depth++
		case strings.IndexByte(")]}", c) >= 0:
			depth--
		}
		p.skipToken()
	}
}

// array reads what follows the beginning of an array.
func (p *phpReader) array(name, closing string, depth int) (*yaml.Node, error) {
	list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	named := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for !p.take(closing) {
		if p.at >= len(p.text) {
			return nil, fmt.Errorf("an array has no %s at its end", closing)
		}
		v, err := p.element(name, len(list.Content), named, depth)
		if err != nil {
			return nil, err
		}
		if v != nil {
			list.Content = append(list.Content, v)
		}
		if !p.take(",") && !p.ends(closing) {
			return nil, errors.New("an array has something that is neither a comma nor its end")
		}
	}
	if len(named.Content) > 0 {
		return named, nil
	}
	return list, nil
}

func (p *phpReader) ends(closing string) bool {
	p.blank()
	return p.has(closing)
}

// element reads 'name' => value into named, or returns the element with that
// number.
func (p *phpReader) element(name string, number int, named *yaml.Node, depth int) (*yaml.Node, error) {
	at, line := p.at, p.line
	key, err := p.plain()
	if err != nil || !p.take("=>") {
		p.at, p.line = at, line
		return p.value(join(name, strconv.Itoa(number)), depth+1)
	}
	v, err := p.value(join(name, key.Value), depth+1)
	if err != nil {
		return nil, err
	}
	named.Content = append(named.Content, key, v)
	return nil, nil
}

// plain reads a value that is no array.
func (p *phpReader) plain() (*yaml.Node, error) {
	node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str"}
	for _, cast := range []string{"(int)", "(bool)", "(string)", "(float)"} {
		p.take(cast)
	}
	switch {
	case p.word("true"):
		node.Value = "true"
	case p.word("false"):
		node.Value = "false"
	case p.word("null"):
		node.Tag = "!!null"
	case p.word("env"), p.word(`\env`):
		return p.fromEnv(0)
	case p.at < len(p.text) && (p.text[p.at] == '\'' || p.text[p.at] == '"'):
		text, plain := p.quoted()
		if !plain {
			return nil, errNotPlain
		}
		node.Value = text
	default:
		return p.number()
	}
	return node, nil
}

// number reads a number with its underscores.
func (p *phpReader) number() (*yaml.Node, error) {
	n := 0
	for p.at+n < len(p.text) && strings.IndexByte("-0123456789_.", p.text[p.at+n]) >= 0 {
		n++
	}
	text := strings.ReplaceAll(string(p.text[p.at:p.at+n]), "_", "")
	if _, err := strconv.ParseFloat(text, 64); err != nil {
		return nil, errNotPlain
	}
	p.step(n)
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}, nil
}

// fromEnv reads the arguments of env().
func (p *phpReader) fromEnv(depth int) (*yaml.Node, error) {
	if depth > maxDepth || !p.take("(") {
		return nil, errNotPlain
	}
	p.blank()
	if p.at >= len(p.text) || p.text[p.at] != '\'' && p.text[p.at] != '"' {
		return nil, errNotPlain
	}
	name, err := p.plain()
	if err != nil {
		return nil, err
	}
	initial := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}
	if p.take(",") && !p.ends(")") {
		if p.word("env") {
			initial, err = p.fromEnv(depth + 1)
		} else {
			initial, err = p.plain()
		}
		if err != nil {
			return nil, err
		}
		p.take(",")
	}
	if !p.take(")") {
		return nil, errNotPlain
	}
	v, ok := p.env[name.Value]
	switch {
	case !ok:
		return initial, nil
	case strings.EqualFold(v.text, "null") || strings.EqualFold(v.text, "(null)"):
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}, nil
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: v.text}, nil
}

// quoted reads a string. It is not plain if it has variables in it or no end.
func (p *phpReader) quoted() (text string, plain bool) {
	quote := p.text[p.at]
	var b strings.Builder
	plain = true
	i := p.at + 1
	for ; i < len(p.text) && p.text[i] != quote; i++ {
		c := p.text[i]
		switch {
		case c == '\\' && i+1 < len(p.text) && (p.text[i+1] == quote || p.text[i+1] == '\\'):
			i++
			c = p.text[i]
		case quote == '"' && (c == '$' || c == '\\'):
			plain = false
		}
		b.WriteByte(c)
	}
	if i >= len(p.text) {
		plain = false
	}
	p.step(i + 1 - p.at)
	return b.String(), plain
}
