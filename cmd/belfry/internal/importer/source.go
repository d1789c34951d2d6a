package importer

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// An entry is one setting of the other server.
type entry struct {
	path  string // its name in that server's configuration file, with dots
	key   string // as it was written
	place Place
	node  *yaml.Node // a scalar or a list
	used  bool
	ours  bool // it is told if nothing uses it: false for what other programs read
}

// A source is everything that was read, by path. What is added later wins.
type source struct {
	entries map[string]*entry
	order   []*entry
}

func newSource() *source { return &source{entries: map[string]*entry{}} }

func (s *source) add(e *entry) {
	if before := s.entries[e.path]; before != nil {
		before.used = true
	}
	s.entries[e.path] = e
	s.order = append(s.order, e)
}

// tree adds every leaf of node under prefix. Lists of apps are
// walked into, others stay as they are.
func (s *source) tree(file, prefix string, node *yaml.Node, depth int) error {
	if depth > maxDepth || len(s.order) > maxEntries {
		return fmt.Errorf("%s:%d: more is nested or listed here than any configuration needs", file, node.Line)
	}
	switch {
	case node.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			if err := s.tree(file, join(prefix, node.Content[i].Value), node.Content[i+1], depth+1); err != nil {
				return err
			}
		}
	case node.Kind == yaml.SequenceNode && (prefix == "apps" || strings.HasSuffix(prefix, ".apps")):
		if len(node.Content) > maxApps {
			return fmt.Errorf("%s:%d: %s has more than %d apps", file, node.Line, prefix, maxApps)
		}
		for i, element := range node.Content {
			if err := s.tree(file, join(prefix, strconv.Itoa(i)), element, depth+1); err != nil {
				return err
			}
		}
	case node.Kind == yaml.ScalarNode && node.Tag == "!!null", node.Kind == yaml.SequenceNode && len(node.Content) == 0:
	default:
		s.add(&entry{path: prefix, key: prefix, place: Place{file, node.Line}, node: node, ours: true})
	}
	return nil
}

func join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
}

// numbers are the elements of the list at prefix, such as 0 and 1.
func (s *source) numbers(prefix string) []string {
	var list []string
	for path := range s.entries {
		rest, ok := strings.CutPrefix(path, prefix)
		number, _, inside := strings.Cut(rest, ".")
		if ok && inside && !slices.Contains(list, number) {
			list = append(list, number)
		}
	}
	slices.SortFunc(list, func(a, b string) int {
		m, _ := strconv.Atoi(a) // what is no number comes first
		n, _ := strconv.Atoi(b)
		return cmp.Or(cmp.Compare(m, n), strings.Compare(a, b))
	})
	return list
}

// drop removes everything below prefix.
func (s *source) drop(prefix string) {
	for path, e := range s.entries {
		if strings.HasPrefix(path, prefix) {
			e.used = true
			delete(s.entries, path)
		}
	}
}

// A kind is the format of a file.
type kind int

const (
	kindEnv kind = iota
	kindJSON
	kindPHP
	kindSQL
)

// kindOf looks at what is in a file, because names say little.
func kindOf(text []byte) kind {
	text = bytes.TrimSpace(text)
	switch {
	case bytes.HasPrefix(text, []byte("<?")):
		return kindPHP
	case bytes.HasPrefix(text, []byte("{")), bytes.HasPrefix(text, []byte("[")):
		return kindJSON
	case bytes.HasPrefix(text, []byte("--")), bytes.HasPrefix(text, []byte("/*")), startsStatement(text):
		return kindSQL
	}
	return kindEnv
}

func startsStatement(text []byte) bool {
	start := strings.ToUpper(string(text[:min(len(text), 40)]))
	for _, word := range []string{"INSERT INTO ", "COPY ", "CREATE TABLE ", "SET ", "BEGIN;", "DROP TABLE "} {
		if strings.HasPrefix(start, word) {
			return true
		}
	}
	return false
}

// read reads all files: variables first, because others refer to them.
func (m *move) read() {
	env := variables{}
	var rest []File
	for _, f := range m.Files {
		f.Text = bytes.TrimPrefix(f.Text, []byte("\xef\xbb\xbf"))
		switch {
		case len(f.Text) > MaxFile:
			m.problems = append(m.problems, fmt.Errorf("%s: has more than %d MiB; give only the table of apps", f.Name, MaxFile>>20))
		case kindOf(f.Text) == kindEnv:
			if err := env.read(f); err != nil {
				m.problems = append(m.problems, err)
			}
		default:
			rest = append(rest, f)
		}
	}
	var rows []row
	for _, f := range rest {
		found, err := m.readFile(f, env)
		if err != nil {
			m.problems = append(m.problems, err)
		}
		rows = append(rows, found...)
	}
	m.variables(env)
	m.rows(rows)
}

// readFile reads what is no file of variables.
func (m *move) readFile(f File, env variables) ([]row, error) {
	switch kindOf(f.Text) {
	case kindPHP:
		tree, unread, err := readPHP(f, env)
		if err != nil {
			return nil, err
		}
		for _, u := range unread {
			if why := reason(m.Server, u.Key); why != noCounterpart {
				u.Text = why
			}
			if !strings.Contains(u.Key, ".options.") { // where Laravel connects stays in Laravel
				m.result.Lost = append(m.result.Lost, u)
			}
		}
		return nil, m.source.tree(f.Name, "", tree, 0)
	case kindSQL:
		return readSQL(f, m.tables(env))
	}
	tree, err := readJSON(f)
	if err != nil {
		return nil, err
	}
	if rows, ok, err := rowsOfJSON(f.Name, tree); ok || err != nil {
		return rows, err
	}
	if tree.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s: is JSON, but neither a configuration nor a list of apps", f.Name)
	}
	return nil, m.source.tree(f.Name, "", tree, 0)
}

// tables are what the table of apps may be called.
func (m *move) tables(env variables) []string {
	if m.Table != "" {
		return []string{m.Table}
	}
	names := []string{"apps", "websockets_apps"}
	for _, name := range []string{"SOKETI_APP_MANAGER_MYSQL_TABLE", "SOKETI_APP_MANAGER_POSTGRES_TABLE"} {
		if v, ok := env[name]; ok && v.text != "" {
			names = append(names, v.text)
		}
	}
	return names
}

// variables adds the variables that mean something to the other server. In
// soketi they win over its file; PHP files have asked for theirs already.
func (m *move) variables(env variables) {
	known := aliases[m.Server]
	names := make([]string, 0, len(env))
	for name := range env {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(env[a].place.Line, env[b].place.Line), strings.Compare(a, b))
	})
	for _, name := range names {
		v := env[name]
		path, ok := known[name]
		if !ok && !strings.HasPrefix(name, prefixes[m.Server]) {
			continue // another program's
		}
		if v.text == "" && ok {
			continue
		}
		if !ok {
			path = strings.TrimPrefix(name, prefixes[m.Server])
		}
		e := &entry{path: path, key: name, place: v.place, node: &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: v.text, Line: v.place.Line}, ours: true}
		if before := m.source.entries[path]; before != nil && m.Server != "soketi" {
			continue
		}
		m.source.add(e)
	}
}
