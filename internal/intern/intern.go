// Package intern gives short texts of strangers numbers of two bytes, so that
// many who say the same remember it cheaply. It is for what thousands of
// connections have in common: the origin of a page, the name of a library.
//
// A text has its number while somebody uses it. A [Table] has room for so many
// texts and no more; what comes beyond that is [Other]. So who makes texts up
// costs a bounded amount of memory, and only while he stays.
//
// It does not know what the texts mean.
//
// # Locks
//
// Table.mu guards a table. It is a leaf: nothing is called under it.
package intern

import (
	"strings"
	"sync"
	"unicode/utf8"
)

const (
	// MaxTexts is how many texts a table knows at a time.
	MaxTexts = 4096
	// MaxText is how many bytes of a text are kept.
	MaxText = 200
)

// A Ref is the number of a text in its table.
type Ref uint16

// Numbers that are the same in every table.
const (
	None  Ref = iota // the empty text
	Other            // a text for which the table has no room
	first            // of the numbers that a table gives
)

// OtherText is what stands for texts for which there was no room.
const OtherText = "(other)"

// A Table is a set of texts that are in use. The zero Table is empty. Its methods
// are safe for concurrent use.
type Table struct {
	mu sync.Mutex
	// Guarded by mu.
	refs    map[string]Ref
	entries []entry // by number, less first
	free    []Ref
}

type entry struct {
	text string
	uses int32
}

// Take returns the number of a text, which is its own until [Table.Drop] is
// called as often as Take was. Of a long text only the beginning counts.
func (t *Table) Take(text string) Ref {
	if text == "" {
		return None
	}
	text = cut(text)
	t.mu.Lock()
	defer t.mu.Unlock()
	if r, ok := t.refs[text]; ok {
		t.entries[r-first].uses++
		return r
	}
	if len(t.refs) >= MaxTexts {
		return Other
	}
	if t.refs == nil {
		t.refs = make(map[string]Ref)
	}
	text = strings.Clone(text) // it may be a piece of something large
	var r Ref
	if n := len(t.free); n > 0 {
		r, t.free = t.free[n-1], t.free[:n-1]
		t.entries[r-first] = entry{text, 1}
	} else {
		r = first + Ref(len(t.entries))
		t.entries = append(t.entries, entry{text, 1})
	}
	t.refs[text] = r
	return r
}

// Drop says that a number from Take is not used any more.
func (t *Table) Drop(r Ref) {
	if r < first {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	e := &t.entries[r-first]
	if e.uses--; e.uses == 0 {
		delete(t.refs, e.text)
		e.text = ""
		t.free = append(t.free, r)
	}
}

// Text returns the text of a number that is in use.
func (t *Table) Text(r Ref) string {
	switch r {
	case None:
		return ""
	case Other:
		return OtherText
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.entries[r-first].text
}

// cut keeps what is valid of the first MaxText bytes.
func cut(text string) string {
	if len(text) > MaxText {
		end := MaxText
		for end > 0 && !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end]
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
