package rawjson_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/rawjson"
)

// members lists what Object reports, as key=value.
func members(text string) ([]string, error) {
	var got []string
	err := rawjson.Object([]byte(text), func(key, value []byte) {
		got = append(got, string(key)+"="+string(value))
	})
	return got, err
}

func elements(text string) ([]string, error) {
	var got []string
	err := rawjson.Array([]byte(text), func(value []byte) {
		got = append(got, string(value))
	})
	return got, err
}

func TestObjectReportsMembersRaw(t *testing.T) {
	tests := map[string]struct {
		text string
		want []string
	}{
		"empty":                        {`{}`, nil},
		"empty with white space":       {" \t\r\n{ \n} ", nil},
		"every kind of value":          {`{"a":"x","b":1,"c":{"d":[]},"e":[1,{}],"f":true,"g":false,"h":null}`, []string{`a="x"`, `b=1`, `c={"d":[]}`, `e=[1,{}]`, `f=true`, `g=false`, `h=null`}},
		"white space around the value": {`{ "a" : 1 , "b" : [ 2 , 3 ] }`, []string{`a=1`, `b=[ 2 , 3 ]`}},
		"repeated keys":                {`{"a":1,"a":2}`, []string{`a=1`, `a=2`}},
		"keys differ in case":          {`{"event":1,"EVENT":2}`, []string{`event=1`, `EVENT=2`}},
		"escaped key":                  {`{"\u0065vent":1,"a\"b\\":2}`, []string{`event=1`, `a"b\=2`}},
		"empty key":                    {`{"":1}`, []string{`=1`}},
		"number keeps its digits":      {`{"a":12345678901234567890,"b":-0,"c":1.50e+07}`, []string{`a=12345678901234567890`, `b=-0`, `c=1.50e+07`}},
		"escapes stay in values":       {`{"a":"\u00e9\/\ud800"}`, []string{`a="\u00e9\/\ud800"`}},
		"raw UTF-8 and DEL":            {"{\"ż\":\"☕\U0001F600\x7f\u2028\"}", []string{"ż=\"☕\U0001F600\x7f\u2028\""}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := members(test.text)
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("Object(%q) = %q, %v, want %q", test.text, got, err, test.want)
			}
		})
	}
}

func TestArrayReportsElementsRaw(t *testing.T) {
	tests := map[string]struct {
		text string
		want []string
	}{
		"empty":             {` [ ] `, nil},
		"strings":           {`["a","b\n"]`, []string{`"a"`, `"b\n"`}},
		"mixed with spaces": {` [ 1 , {"a" : []} , null ] `, []string{`1`, `{"a" : []}`, `null`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := elements(test.text)
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("Array(%q) = %q, %v, want %q", test.text, got, err, test.want)
			}
		})
	}
}

// broken holds values that no JSON text may hold.
var broken = map[string]string{
	"nothing":                   ``,
	"bare word":                 `x`,
	"word in capitals":          `True`,
	"half a word":               `tru`,
	"word that goes on":         `nullx`,
	"two values":                `1 2`,
	"leading zero":              `01`,
	"leading plus":              `+1`,
	"minus alone":               `-`,
	"minus and zero and digit":  `-01`,
	"point without digits":      `1.`,
	"point first":               `.5`,
	"exponent without digits":   `1e`,
	"exponent sign alone":       `1e+`,
	"hexadecimal":               `0x10`,
	"infinity":                  `Infinity`,
	"open string":               `"abc`,
	"open string, eight long":   `"abcdefgh`,
	"open escape":               `"\`,
	"unknown escape":            `"\x41"`,
	"escaped quote alone":       `"\"`,
	"short \\u":                 `"\u12"`,
	"\\u without hexadecimal":   `"\u12g4"`,
	"control character":         "\"a\nb\"",
	"NUL after eight":           "\"abcdefgh\x00\"",
	"last control character":    "\"\x1f\"",
	"single quotes":             `'a'`,
	"invalid UTF-8":             "\"\xff\"",
	"cut UTF-8":                 "\"\xe2\x98\"",
	"overlong UTF-8":            "\"\xc0\xaf\"",
	"surrogate in UTF-8":        "\"\xed\xa0\x80\"",
	"beyond Unicode":            "\"\xf4\x90\x80\x80\"",
	"open array":                `[1`,
	"array with trailing comma": `[1,]`,
	"array with leading comma":  `[,1]`,
	"array without comma":       `[1 2]`,
	"wrong bracket":             `[1}`,
	"open object":               `{"a":1`,
	"object with bare key":      `{a:1}`,
	"object with number key":    `{1:1}`,
	"object without colon":      `{"a" 1}`,
	"object without value":      `{"a":}`,
	"object with trailing comma": `{"a":1,
}`,
	"object without comma":  `{"a":1 "b":2}`,
	"object with open key":  `{"a`,
	"object cut at a key":   `{"a"`,
	"object cut at a colon": `{"a":`,
	"object cut at a comma": `{"a":1,`,
	"comment":               `/* */ 1`,
	"no-break space":        "\u00a01",
	"vertical tab":          "\v1",
}

func TestBrokenJSONIsInvalidEverywhere(t *testing.T) {
	for name, value := range broken {
		t.Run(name, func(t *testing.T) {
			if rawjson.Valid([]byte(value)) {
				t.Errorf("Valid(%q) = true, want false", value)
			}
			object := `{"k":` + value + `}`
			if _, err := members(object); !errors.Is(err, rawjson.ErrInvalid) {
				t.Errorf("Object(%q) = %v, want ErrInvalid", object, err)
			}
			array := `[0,[` + value + `,1]]`
			if _, err := elements(array); !errors.Is(err, rawjson.ErrInvalid) {
				t.Errorf("Array(%q) = %v, want ErrInvalid", array, err)
			}
		})
	}
}

func TestOnlyObjectsAreObjects(t *testing.T) {
	for _, text := range []string{``, ` `, `[]`, `3`, `"x"`, `"{}"`, `null`, `true`, `{} {}`, `{},`, `{}x`, "\ufeff{}"} {
		if _, err := members(text); !errors.Is(err, rawjson.ErrInvalid) {
			t.Errorf("Object(%q) = %v, want ErrInvalid", text, err)
		}
	}
	for _, text := range []string{``, ` `, `{}`, `3`, `"x"`, `null`, `[] []`, `[],`, `[]x`} {
		if _, err := elements(text); !errors.Is(err, rawjson.ErrInvalid) {
			t.Errorf("Array(%q) = %v, want ErrInvalid", text, err)
		}
	}
}

func TestValid(t *testing.T) {
	for _, text := range []string{
		`0`, `-0`, `10`, `1.5`, `1e5`, `1E-5`, `-1.25e+10`, `""`, `"\"\\\/\b\f\n\r\t\u00aF"`, `true`, `false`, `null`,
		` [ ] `, `[[],{}]`, `{"a":[{}]}`, "\"12345678\"", "\"1234567é\"", "\"\U0010FFFF\"", "\n1\t",
	} {
		if !rawjson.Valid([]byte(text)) {
			t.Errorf("Valid(%q) = false, want true", text)
		}
	}
}

func TestDepthIsLimited(t *testing.T) {
	nested := func(depth int) string {
		return strings.Repeat(`{"a":[`, depth/2) + strings.Repeat(`]}`, depth/2)
	}
	deepest, deeper := nested(rawjson.MaxDepth), "["+nested(rawjson.MaxDepth)+"]"
	if !rawjson.Valid([]byte(deepest)) {
		t.Errorf("Valid of %d levels = false, want true", rawjson.MaxDepth)
	}
	if _, err := members(deepest); err != nil {
		t.Errorf("Object of %d levels = %v, want nil", rawjson.MaxDepth, err)
	}
	if rawjson.Valid([]byte(deeper)) {
		t.Errorf("Valid of %d levels = true, want false", rawjson.MaxDepth+1)
	}
	if _, err := elements(deeper); !errors.Is(err, rawjson.ErrInvalid) {
		t.Errorf("Array of %d levels = %v, want ErrInvalid", rawjson.MaxDepth+1, err)
	}
	if _, err := members(`{"a":` + deepest + `}`); !errors.Is(err, rawjson.ErrInvalid) {
		t.Errorf("Object of %d levels = %v, want ErrInvalid", rawjson.MaxDepth+1, err)
	}
	if text := strings.Repeat("[", 1<<20); rawjson.Valid([]byte(text)) {
		t.Errorf("Valid of %d open brackets = true, want false", len(text))
	}
}

func TestKindsOfValues(t *testing.T) {
	tests := map[string]struct{ isString, isObject, isNull bool }{
		`"a"`:  {isString: true},
		`{}`:   {isObject: true},
		`null`: {isNull: true},
		`[]`:   {},
		`1`:    {},
		`true`: {},
		``:     {},
	}
	for value, want := range tests {
		b := []byte(value)
		if got := rawjson.IsString(b); got != want.isString {
			t.Errorf("IsString(%s) = %t, want %t", value, got, want.isString)
		}
		if got := rawjson.IsObject(b); got != want.isObject {
			t.Errorf("IsObject(%s) = %t, want %t", value, got, want.isObject)
		}
		if got := rawjson.IsNull(b); got != want.isNull {
			t.Errorf("IsNull(%s) = %t, want %t", value, got, want.isNull)
		}
	}
}
