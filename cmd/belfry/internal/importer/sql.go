package importer

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// A row is one app of a database, by its columns.
type row struct {
	place  Place
	values map[string]cell
}

// A cell is one value of a row.
type cell struct {
	text string
	null bool
}

// A sqlReader reads the dumps of mysqldump and pg_dump: CREATE TABLE, INSERT
// and COPY of one table. Everything else is passed over.
type sqlReader struct {
	file    string
	text    []byte
	at      int
	line    int
	escapes bool // a backslash in a string means something, as in MySQL
	tables  []string
	columns []string // of the table as it is created
	seen    []string // further tables, for the error
	rows    []row
}

// readSQL returns the rows of the first of tables that is in the dump.
func readSQL(f File, tables []string) ([]row, error) {
	postgres := bytes.Contains(f.Text, []byte("PostgreSQL database dump")) || bytes.Contains(f.Text, []byte("standard_conforming_strings"))
	r := &sqlReader{file: f.Name, text: f.Text, line: 1, escapes: !postgres, tables: tables}
	for r.next() {
		if len(r.rows) > maxApps {
			return nil, fmt.Errorf("%s:%d: has more than %d apps", f.Name, r.line, maxApps)
		}
	}
	if r.problem() != nil {
		return nil, r.problem()
	}
	if len(r.rows) == 0 {
		others := ""
		if len(r.seen) > 0 {
			others = "; it has " + strings.Join(r.seen[:min(len(r.seen), 10)], ", ")
		}
		return nil, fmt.Errorf("%s: has no rows of a table called %s%s; name the table of apps with --table", f.Name, strings.Join(tables, " or "), others)
	}
	return r.rows, nil
}

func (r *sqlReader) problem() error {
	for _, row := range r.rows {
		if row.values == nil {
			return fmt.Errorf("%s: has values without names of columns; dump the table with its CREATE TABLE, or with --complete-insert", row.place)
		}
	}
	return nil
}

// token returns the next token: a word, a string, or one character. Strings
// have quoted set.
func (r *sqlReader) token() (text string, quoted, ok bool) {
	r.blank()
	if r.at >= len(r.text) {
		return "", false, false
	}
	switch c := r.text[r.at]; c {
	case '\'', '"', '`':
		return r.quoted(c), true, true
	}
	n := 0
	for r.at+n < len(r.text) && (wordByte(r.text[r.at+n]) || r.text[r.at+n] == '-' || r.text[r.at+n] == '+' || r.text[r.at+n] == '$' || r.text[r.at+n] == '.') {
		n++
	}
	if n == 1 && r.at+1 < len(r.text) && r.text[r.at+1] == '\'' && strings.IndexByte("eE", r.text[r.at]) >= 0 { // E'…' of PostgreSQL
		r.step(1)
		before := r.escapes
		r.escapes = true
		defer func() { r.escapes = before }()
		return r.quoted('\''), true, true
	}
	n = max(n, 1)
	text = string(r.text[r.at : r.at+n])
	r.step(n)
	return text, false, true
}

func (r *sqlReader) step(n int) {
	n = min(n, len(r.text)-r.at)
	r.line += bytes.Count(r.text[r.at:r.at+n], []byte("\n"))
	r.at += n
}

func (r *sqlReader) stepPast(s string) {
	i := bytes.Index(r.text[r.at:], []byte(s))
	if i < 0 {
		i = len(r.text)
	}
	r.step(i + len(s))
}

func (r *sqlReader) blank() {
	for r.at < len(r.text) {
		rest := r.text[r.at:]
		switch {
		case strings.IndexByte(" \t\r\n", rest[0]) >= 0:
			r.step(1)
		case bytes.HasPrefix(rest, []byte("--")), rest[0] == '#':
			r.stepPast("\n")
		case bytes.HasPrefix(rest, []byte("/*")):
			r.stepPast("*/")
		default:
			return
		}
	}
}

var escaped = map[byte]byte{'n': '\n', 't': '\t', 'r': '\r', '0': 0, 'b': '\b', 'Z': 26}

func (r *sqlReader) quoted(quote byte) string {
	var b strings.Builder
	i := r.at + 1
	for ; i < len(r.text); i++ {
		c := r.text[i]
		switch {
		case c == quote && i+1 < len(r.text) && r.text[i+1] == quote:
			i++
		case c == quote:
			r.step(i + 1 - r.at)
			return b.String()
		case c == '\\' && r.escapes && quote == '\'' && i+1 < len(r.text):
			i++
			c = r.text[i]
			if means, ok := escaped[c]; ok {
				c = means
			}
		}
		b.WriteByte(c)
	}
	r.step(len(r.text))
	return b.String()
}

// next reads one statement and reports whether there was one.
func (r *sqlReader) next() bool {
	word, _, ok := r.token()
	if !ok {
		return false
	}
	switch strings.ToUpper(word) {
	case "INSERT":
		r.insert()
	case "COPY":
		r.copy()
	case "CREATE":
		r.create()
	case ";":
	default:
		r.skip()
	}
	return true
}

// skip passes the rest of a statement.
func (r *sqlReader) skip() {
	for {
		text, quoted, ok := r.token()
		if !ok || text == ";" && !quoted {
			return
		}
	}
}

// table reads the name of a table, without its schema, and the token behind.
func (r *sqlReader) table() (name, behind string) {
	name, quoted, _ := r.token()
	if !quoted { // public.apps is one word
		if i := strings.LastIndexByte(name, '.'); i >= 0 {
			name = name[i+1:]
		}
		if name == "" { // public."apps"
			name, _, _ = r.token()
		}
	}
	behind, _, _ = r.token()
	for strings.HasPrefix(behind, ".") { // "public"."apps"
		if name = behind[1:]; name == "" {
			name, _, _ = r.token()
		}
		behind, _, _ = r.token()
	}
	return name, behind
}

func (r *sqlReader) wanted(table string) bool {
	if slices.Contains(r.tables, table) {
		return true
	}
	if table != "" && len(table) < 64 && !slices.Contains(r.seen, table) && len(r.seen) < 100 {
		r.seen = append(r.seen, table)
	}
	return false
}

// create reads the columns of CREATE TABLE.
func (r *sqlReader) create() {
	if word, _, _ := r.token(); !strings.EqualFold(word, "TABLE") {
		if word != ";" {
			r.skip()
		}
		return
	}
	name, behind := r.table()
	if !r.wanted(name) || behind != "(" {
		r.skip()
		return
	}
	r.columns = nil
	for depth, first := 1, true; depth > 0; {
		text, quoted, ok := r.token()
		if !ok {
			return
		}
		switch {
		case quoted && first:
			r.columns = append(r.columns, text)
		case quoted:
		case text == "(":
			depth++
		case text == ")":
			depth--
		case first && !keyword(text):
			r.columns = append(r.columns, text)
		}
		first = text == "," && !quoted && depth == 1
	}
	r.skip()
}

// keyword reports whether a line of CREATE TABLE is not about a column.
// Backticks stand around a column that is called key.
func keyword(word string) bool {
	return slices.Contains([]string{"PRIMARY", "UNIQUE", "KEY", "CONSTRAINT", "INDEX", "FOREIGN", "CHECK"}, word)
}

// list reads what stands between parentheses, of which the first is read.
func (r *sqlReader) list() []cell {
	var cells []cell
	for depth := 1; depth > 0; {
		text, quoted, ok := r.token()
		switch {
		case !ok:
			return cells
		case !quoted && text == "(":
			depth++
		case !quoted && text == ")":
			depth--
		case !quoted && (text == "," || text == ":"): // '…'::json
		case len(cells) < 200:
			cells = append(cells, cell{text: text, null: !quoted && strings.EqualFold(text, "NULL")})
		}
	}
	return cells
}

// insert reads INSERT INTO table [(columns)] VALUES (…), (…);
func (r *sqlReader) insert() {
	name, behind := "", ""
	for {
		word, _, ok := r.token()
		if !ok || word == ";" {
			return
		}
		if strings.EqualFold(word, "INTO") {
			name, behind = r.table()
			break
		}
	}
	if !r.wanted(name) {
		r.skip()
		return
	}
	columns := r.columns
	if behind == "(" {
		columns = nil
		for _, c := range r.list() {
			columns = append(columns, c.text)
		}
	}
	for len(r.rows) <= maxApps {
		text, quoted, ok := r.token()
		if !ok || text == ";" && !quoted {
			return
		}
		if text == "(" && !quoted {
			place := Place{r.file, r.line}
			r.row(place, columns, r.list())
		}
	}
}

func (r *sqlReader) row(place Place, columns []string, cells []cell) {
	if len(columns) != len(cells) {
		r.rows = append(r.rows, row{place: place})
		return
	}
	values := map[string]cell{}
	for i, c := range cells {
		values[columns[i]] = c
	}
	r.rows = append(r.rows, row{place, values})
}

// copy reads COPY table (columns) FROM stdin; and the lines behind, to \.
func (r *sqlReader) copy() {
	name, behind := r.table()
	var columns []string
	if behind == "(" {
		for _, c := range r.list() {
			columns = append(columns, c.text)
		}
	}
	r.skip()
	r.stepPast("\n")
	wanted := r.wanted(name)
	for r.at < len(r.text) && len(r.rows) <= maxApps {
		place := Place{r.file, r.line}
		before := r.at
		r.stepPast("\n")
		line := strings.TrimRight(string(r.text[before:r.at]), "\r\n")
		if line == `\.` {
			return
		}
		if !wanted || line == "" {
			continue
		}
		var cells []cell
		for _, field := range strings.Split(line, "\t") {
			cells = append(cells, cell{text: unescapeCopy.Replace(field), null: field == `\N`})
		}
		r.row(place, columns, cells)
	}
}

var unescapeCopy = strings.NewReplacer(`\\`, `\`, `\t`, "\t", `\n`, "\n", `\r`, "\r")
