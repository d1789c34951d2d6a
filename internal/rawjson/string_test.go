package rawjson_test

import (
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/rawjson"
)

func TestString(t *testing.T) {
	tests := map[string]struct {
		literal string
		want    string
	}{
		"empty":                     {`""`, ""},
		"plain":                     {`"private-room"`, "private-room"},
		"every short escape":        {`"\"\\\/\b\f\n\r\t"`, "\"\\/\b\f\n\r\t"},
		"\\u of one to three bytes": {`"\u0041\u00e9\u2615"`, "Aé☕"},
		"\\u in capitals":           {`"\u00EB\u00Eb"`, "ëë"},
		"surrogate pair":            {`"\ud83d\ude00"`, "\U0001F600"},
		"high surrogate alone":      {`"\ud800x"`, "\uFFFDx"},
		"high surrogate at the end": {`"\ud800"`, "\uFFFD"},
		"low surrogate alone":       {`"\udc00x"`, "\uFFFDx"},
		"two high surrogates":       {`"\ud800\ud83d\ude00"`, "\uFFFD\U0001F600"},
		"surrogate and escape":      {`"\ud800\n"`, "\uFFFD\n"},
		"surrogate and plain \\u":   {`"\ud800\u0041"`, "\uFFFDA"},
		"NUL by escape":             {`"\u0000"`, "\x00"},
		"raw UTF-8":                 {`"zażółć €"`, "zażółć €"},
		"longer than the buffer":    {`"` + strings.Repeat(`\n☕`, 200) + `"`, strings.Repeat("\n☕", 200)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := rawjson.String([]byte(test.literal))
			if !ok || got != test.want {
				t.Errorf("String(%s) = %q, %t, want %q, true", test.literal, got, ok, test.want)
			}
			if got := rawjson.StringLen([]byte(test.literal)); got != len(test.want) {
				t.Errorf("StringLen(%s) = %d, want %d", test.literal, got, len(test.want))
			}
		})
	}
}

func TestStringRefusesWhatIsNone(t *testing.T) {
	for _, value := range []string{``, `"`, `1`, `null`, `{}`, `["a"]`, ` "a"`, `"a" `, `"a"b`, `"a""`, `"\x"`, "\"\xff\"", "\"\n\""} {
		if got, ok := rawjson.String([]byte(value)); ok || got != "" {
			t.Errorf("String(%q) = %q, %t, want \"\", false", value, got, ok)
		}
	}
}

func TestAppendString(t *testing.T) {
	tests := map[string]struct{ s, want string }{
		"empty":                   {"", `""`},
		"plain":                   {"news", `"news"`},
		"quotes and backslashes":  {`a"b\c`, `"a\"b\\c"`},
		"controls":                {"\x00\b\f\n\r\t\x1f\x7f", `"\u0000\b\f\n\r\t\u001f` + "\x7f" + `"`},
		"HTML stays":              {`a<b>&c'/`, `"a<b>&c'/"`},
		"line separators stay":    {"\u2028\u2029", "\"\u2028\u2029\""},
		"every script stays":      {"Zoë ☕ \U0001F600", "\"Zoë ☕ \U0001F600\""},
		"invalid UTF-8":           {"a\xff\xfeb\xe2\x98", "\"a\uFFFD\uFFFDb\uFFFD\uFFFD\""},
		"U+FFFD itself":           {"\uFFFD", "\"\uFFFD\""},
		"special among the eight": {`1234567"89abcdef\` + "\n", `"1234567\"89abcdef\\\n"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := string(rawjson.AppendString([]byte("x"), test.s)); got != "x"+test.want {
				t.Errorf("AppendString(%q) = %s, want x%s", test.s, got, test.want)
			}
			if got := string(rawjson.AppendQuoted(nil, []byte(test.s))); got != test.want {
				t.Errorf("AppendQuoted(%q) = %s, want %s", test.s, got, test.want)
			}
		})
	}
}

func TestAppendQuotedOfItsOwnBuffer(t *testing.T) {
	for _, room := range []int{0, 100} {
		dst := append(make([]byte, 0, 3+room), `a"b`...)
		if got, want := string(rawjson.AppendQuoted(dst, dst)), `a"b"a\"b"`; got != want {
			t.Errorf("AppendQuoted(dst, dst) with room for %d = %s, want %s", room, got, want)
		}
	}
}

func TestCompact(t *testing.T) {
	tests := map[string]struct{ value, want string }{
		"nothing to do":         {`{"a":[1,2]}`, `{"a":[1,2]}`},
		"all kinds of space":    {"{ \"a\"\t:\r\n[ 1 , 2 ] }", `{"a":[1,2]}`},
		"strings stay":          {`{"a b" : " c\" d " }`, `{"a b":" c\" d "}`},
		"escapes and HTML stay": {`[ "\u00e9\/<&>" ]`, `["\u00e9\/<&>"]`},
		"numbers stay":          {` 1.50e+07 `, `1.50e+07`},
		"broken":                {`[ "a`, `["a`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := string(rawjson.Compact([]byte("x"), []byte(test.value))); got != "x"+test.want {
				t.Errorf("Compact(%s) = %s, want x%s", test.value, got, test.want)
			}
		})
	}
}
