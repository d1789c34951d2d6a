package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Problem is one mistake in a configuration.
type Problem struct {
	Place Place
	Name  string // full name of the setting, such as websocket.pong_timeout; may be empty
	Text  string // what is wrong and, where it is known, what to write instead; never a secret
}

func (p Problem) String() string {
	parts := make([]string, 0, 3)
	for _, s := range []string{p.Place.String(), p.Name, p.Text} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ": ")
}

// Problems is every mistake of one configuration, in the order in which they
// stand: the file from top to bottom, then the environment, then the flags.
type Problems []Problem

// Error has one line for each problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

func (p Problems) sort() {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Place.Layer, b.Place.Layer), cmp.Compare(a.Place.Line, b.Place.Line), cmp.Compare(a.Place.Source, b.Place.Source))
	})
}

// add notes a problem of the setting called name, which stands at place.
func (p *Problems) add(place Place, name, format string, args ...any) {
	*p = append(*p, Problem{Place: place, Name: name, Text: fmt.Sprintf(format, args...)})
}

// about reports whether a problem of that setting was noted.
func (p Problems) about(name string) bool {
	return slices.ContainsFunc(p, func(problem Problem) bool { return problem.Name == name })
}

// A Layer is one of the things that settings come from. A later one overrides
// an earlier one.
type Layer int

const (
	layerDefault Layer = iota
	layerFile
	layerEnvironment
	layerFlag
)

// A Place is where a setting was given. The zero Place is that of a default.
type Place struct {
	// Source is the name of the file, the environment variable, or the flag
	// with its dashes.
	Source string
	Line   int // counted from one; zero where there are no lines

	Layer Layer
}

// String returns "belfry.yaml:12", "BELFRY_LISTEN", "--listen", or nothing
// for a default.
func (p Place) String() string {
	if p.Line > 0 && p.Layer == layerFile {
		return fmt.Sprintf("%s:%d", p.Source, p.Line)
	}
	return p.Source
}
