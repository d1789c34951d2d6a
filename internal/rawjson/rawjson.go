// Package rawjson reads and writes JSON text without re-encoding it.
//
// What clients and backends send is signed, relayed and measured byte for
// byte, so nothing here goes through Go values. A reader gets sub-slices of
// the text it gave, with numbers, escapes and white space as they came. The
// text is validated in the same single pass, as strictly as encoding/json
// does, and beyond that for UTF-8 and for depth. Keys are case-sensitive.
//
// Nothing is allocated except where a comment says so. The package holds no
// state and takes no locks.
package rawjson

import "errors"

// MaxDepth is how many objects and arrays may stand inside each other,
// counting the outermost.
const MaxDepth = 64

// ErrInvalid says that a text is not the one JSON value that was asked for.
var ErrInvalid = errors.New("rawjson: invalid JSON")

// Object reads text as one JSON object, the whole of it, and calls member for
// each of its members in order, repeated keys included. The key is decoded;
// the value is its raw text without surrounding white space. Both are valid
// as long as text is, and are not to be changed: they are parts of text,
// except for a key with escapes, which is allocated.
//
// It returns ErrInvalid for anything else, after possibly some calls.
func Object(text []byte, member func(key, value []byte)) error {
	i := space(text, 0)
	if i == len(text) || text[i] != '{' {
		return ErrInvalid
	}
	return whole(text, object(text, i, 1, member))
}

// Array reads text as one JSON array, the whole of it, and calls element with
// the raw text of each of its values in order. It returns ErrInvalid for
// anything else, after possibly some calls.
func Array(text []byte, element func(value []byte)) error {
	i := space(text, 0)
	if i == len(text) || text[i] != '[' {
		return ErrInvalid
	}
	return whole(text, array(text, i, 1, element))
}

// Valid reports whether text is one JSON value, surrounded by nothing but
// white space, in valid UTF-8 and no deeper than MaxDepth.
func Valid(text []byte) bool {
	return whole(text, value(text, space(text, 0), 1)) == nil
}

// whole checks that nothing but white space follows a value that ended at i.
func whole(text []byte, i int) error {
	if i < 0 || space(text, i) != len(text) {
		return ErrInvalid
	}
	return nil
}

// IsString reports whether value, which is valid JSON without surrounding
// white space, is a string.
func IsString(value []byte) bool { return len(value) > 0 && value[0] == '"' }

// IsObject reports whether value, which is valid JSON without surrounding
// white space, is an object.
func IsObject(value []byte) bool { return len(value) > 0 && value[0] == '{' }

// IsNull reports whether value, which is valid JSON without surrounding white
// space, is null.
func IsNull(value []byte) bool { return len(value) > 0 && value[0] == 'n' }
