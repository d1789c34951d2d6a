package rawjson

import (
	"encoding/binary"
	"unicode/utf8"
)

// The scanners below take the index where something starts and return the
// index after it, or invalid.

const invalid = -1

// space skips white space. It cannot fail.
func space(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\n' || text[i] == '\r' || text[i] == '\t') {
		i++
	}
	return i
}

// value reads any value. An object or array that starts here would be the
// depth-th around its content.
func value(text []byte, i, depth int) int {
	if i >= len(text) {
		return invalid
	}
	switch text[i] {
	case '{':
		return object(text, i, depth, nil)
	case '[':
		return array(text, i, depth, nil)
	case '"':
		end, _ := quoted(text, i)
		return end
	case 't':
		return word(text, i, "true")
	case 'f':
		return word(text, i, "false")
	case 'n':
		return word(text, i, "null")
	}
	return number(text, i)
}

// object reads an object, whose brace is at i, and reports its members, unless
// member is nil.
func object(text []byte, i, depth int, member func(key, value []byte)) int {
	if depth > MaxDepth {
		return invalid
	}
	i = space(text, i+1)
	if i < len(text) && text[i] == '}' {
		return i + 1
	}
	for {
		if i >= len(text) || text[i] != '"' {
			return invalid
		}
		keyEnd, plain := quoted(text, i)
		if keyEnd < 0 {
			return invalid
		}
		colon := space(text, keyEnd)
		if colon == len(text) || text[colon] != ':' {
			return invalid
		}
		start := space(text, colon+1)
		end := value(text, start, depth+1)
		if end < 0 {
			return invalid
		}
		if member != nil {
			key := text[i+1 : keyEnd-1]
			if !plain {
				key = unescape(make([]byte, 0, len(key)), key)
			}
			member(key, text[start:end])
		}
		more := false
		if i, more = next(text, end, '}'); !more {
			return i
		}
	}
}

// array reads an array, whose bracket is at i, and reports its elements,
// unless element is nil.
func array(text []byte, i, depth int, element func(value []byte)) int {
	if depth > MaxDepth {
		return invalid
	}
	i = space(text, i+1)
	if i < len(text) && text[i] == ']' {
		return i + 1
	}
	for {
		end := value(text, i, depth+1)
		if end < 0 {
			return invalid
		}
		if element != nil {
			element(text[i:end])
		}
		more := false
		if i, more = next(text, end, ']'); !more {
			return i
		}
	}
}

// next reads what follows a member or element. After a comma it returns the
// start of the next one and true. After what closes the list it returns the
// end and false.
func next(text []byte, i int, closing byte) (int, bool) {
	i = space(text, i)
	if i == len(text) {
		return invalid, false
	}
	switch text[i] {
	case ',':
		return space(text, i+1), true
	case closing:
		return i + 1, false
	}
	return invalid, false
}

// word reads one of the three literal names.
func word(text []byte, i int, name string) int {
	if len(text)-i < len(name) || string(text[i:i+len(name)]) != name {
		return invalid
	}
	return i + len(name)
}

// number reads a number.
func number(text []byte, i int) int {
	if i < len(text) && text[i] == '-' {
		i++
	}
	switch {
	case i == len(text):
		return invalid
	case text[i] == '0':
		i++
	default:
		if i = digits(text, i); i < 0 {
			return invalid
		}
	}
	if i < len(text) && text[i] == '.' {
		if i = digits(text, i+1); i < 0 {
			return invalid
		}
	}
	if i < len(text) && (text[i] == 'e' || text[i] == 'E') {
		i++
		if i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		return digits(text, i)
	}
	return i
}

// digits reads one or more digits.
func digits(text []byte, i int) int {
	start := i
	for i < len(text) && '0' <= text[i] && text[i] <= '9' {
		i++
	}
	if i == start {
		return invalid
	}
	return i
}

// quoted reads a string literal, whose quote is at i. It is plain if it has no
// escapes, so that what stands between the quotes is the string itself.
func quoted(text []byte, i int) (end int, plain bool) {
	plain = true
	i++
	for {
		i = ordinary(text, i)
		if i == len(text) {
			return invalid, false
		}
		switch c := text[i]; {
		case c == '"':
			return i + 1, plain
		case c == '\\':
			plain = false
			if i = escape(text, i); i < 0 {
				return invalid, false
			}
		case c < ' ':
			return invalid, false
		default:
			r, size := utf8.DecodeRune(text[i:])
			if r == utf8.RuneError && size == 1 {
				return invalid, false
			}
			i += size
		}
	}
}

// Eight bytes at once: each constant repeats a byte, and taking eachOne from a
// byte that is zero sets that byte's high bit.
const (
	eachOne   = 0x0101010101010101
	eachHigh  = 0x80 * eachOne
	eachSpace = ' ' * eachOne
	eachQuote = '"' * eachOne
	eachSlash = '\\' * eachOne
)

// ordinary skips ASCII characters that stand for themselves in a string
// literal: all but quotes, backslashes and control characters.
func ordinary(text []byte, i int) int {
	for ; len(text)-i >= 8; i += 8 {
		w := binary.LittleEndian.Uint64(text[i:])
		if (w|(w-eachSpace)|((w^eachQuote)-eachOne)|((w^eachSlash)-eachOne))&eachHigh != 0 {
			break
		}
	}
	for i < len(text) && text[i] >= ' ' && text[i] != '"' && text[i] != '\\' && text[i] < utf8.RuneSelf {
		i++
	}
	return i
}

// escape reads one escape, whose backslash is at i. Half of a surrogate pair
// is let through, as encoding/json does.
func escape(text []byte, i int) int {
	i++
	if i == len(text) {
		return invalid
	}
	switch text[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		if _, ok := hex4(text[i+1:]); ok {
			return i + 5
		}
	}
	return invalid
}

// hex4 reads the four hexadecimal digits of a \u escape.
func hex4(digits []byte) (r rune, ok bool) {
	if len(digits) < 4 {
		return 0, false
	}
	for _, c := range digits[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
