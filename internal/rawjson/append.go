package rawjson

import "unicode/utf8"

// AppendString appends s as a JSON string literal. Only quotes, backslashes and
// control characters are escaped, so that HTML and every script stand as they
// are; invalid UTF-8 becomes U+FFFD.
func AppendString(dst []byte, s string) []byte {
	return AppendQuoted(dst, []byte(s)) // the compiler sees that no copy is needed
}

// AppendQuoted is AppendString for a string held in bytes. The text may be an
// earlier part of dst.
func AppendQuoted(dst, text []byte) []byte {
	dst = append(dst, '"')
	start := 0 // of what is yet to be appended
	for i := 0; ; {
		i = ordinary(text, i)
		if i == len(text) {
			break
		}
		c := text[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRune(text[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(dst, text[start:i]...)
				dst = utf8.AppendRune(dst, utf8.RuneError)
				start = i + 1
			}
			i += size
			continue
		}
		dst = append(dst, text[start:i]...)
		dst = appendEscape(dst, c)
		i++
		start = i
	}
	dst = append(dst, text[start:]...)
	return append(dst, '"')
}

// appendEscape appends the escape of a quote, backslash or control character.
func appendEscape(dst []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
}

// Compact appends value, which is valid JSON, without the white space that
// means nothing. Everything else stays as it is.
func Compact(dst, value []byte) []byte {
	start := 0 // of what is yet to be appended
	for i := 0; i < len(value); {
		switch value[i] {
		case '"':
			end, _ := quoted(value, i)
			if end < 0 { // not valid after all; the rest is copied
				return append(dst, value[start:]...)
			}
			i = end
		case ' ', '\n', '\r', '\t':
			dst = append(dst, value[start:i]...)
			i = space(value, i)
			start = i
		default:
			i++
		}
	}
	return append(dst, value[start:]...)
}
