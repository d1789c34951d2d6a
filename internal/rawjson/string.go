package rawjson

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// String decodes a string literal. It is ok only if value is one valid literal
// and nothing else. Escapes are taken as encoding/json takes them: half of a
// surrogate pair becomes U+FFFD. The string is the one thing allocated.
func String(value []byte) (s string, ok bool) {
	if !IsString(value) {
		return "", false
	}
	end, plain := quoted(value, 0)
	if end != len(value) {
		return "", false
	}
	if plain {
		return string(value[1 : end-1]), true
	}
	return Unquote(value), true
}

// Unquote decodes literal as String does. It must be a string literal that
// encoding/json takes, so bytes that are no UTF-8 stay what they are.
func Unquote(literal []byte) string {
	content := literal[1 : len(literal)-1]
	if bytes.IndexByte(content, '\\') < 0 {
		return string(content)
	}
	var short [128]byte
	return string(unescape(short[:0], content))
}

// StringLen returns how many bytes String would return for literal, which
// must be a valid string literal, without decoding it.
func StringLen(literal []byte) int {
	content := literal[1 : len(literal)-1]
	n := 0
	for {
		i := bytes.IndexByte(content, '\\')
		if i < 0 {
			return n + len(content)
		}
		r, size := unescapeOne(content[i:])
		n += i + utf8.RuneLen(r)
		content = content[i+size:]
	}
}

// unescape appends what a literal's content, the part between valid quotes,
// stands for.
func unescape(dst, content []byte) []byte {
	for {
		i := bytes.IndexByte(content, '\\')
		if i < 0 {
			return append(dst, content...)
		}
		dst = append(dst, content[:i]...)
		r, size := unescapeOne(content[i:])
		dst = utf8.AppendRune(dst, r)
		content = content[i+size:]
	}
}

// unescapeOne decodes the valid escape at the start of content, and returns
// how many bytes it took: two escapes when they are a surrogate pair.
func unescapeOne(content []byte) (r rune, size int) {
	switch c := content[1]; c {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		r, _ = hex4(content[2:])
	default:
		return rune(c), 2
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if rest := content[6:]; len(rest) >= 6 && rest[0] == '\\' && rest[1] == 'u' {
		low, _ := hex4(rest[2:])
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return utf8.RuneError, 6
}
