package protocol_test

import (
	"math/big"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/protocol"
)

func TestVersion(t *testing.T) {
	tests := map[string]struct {
		query  string
		assume int
		want   int
		err    *protocol.Error
	}{
		"pusher-js":          {query: "protocol=7&client=js&version=8.6.0&flash=false", want: 7},
		"Swift":              {query: "client=pusher-websocket-swift&version=10.1.10&protocol=7", want: 7},
		"Java":               {query: "client=java-client&protocol=5&version=2.4.4", want: 5},
		"libPusher":          {query: "client=x&protocol=6&version=1.6", want: 6},
		"oldest":             {query: "protocol=4", want: 4},
		"leading zeros":      {query: "protocol=007", want: 7},
		"first one wins":     {query: "protocol=5&protocol=x", want: 5},
		"version not looked": {query: "protocol=7&version=abc", want: 7},
		"too old":            {query: "protocol=3", err: protocol.ErrUnsupportedVersion},
		"zero":               {query: "protocol=0", err: protocol.ErrUnsupportedVersion},
		"too new":            {query: "protocol=8", err: protocol.ErrUnsupportedVersion},
		"nine digits":        {query: "protocol=999999999", err: protocol.ErrUnsupportedVersion},
		"ten digits":         {query: "protocol=0000000007", err: protocol.ErrInvalidVersion},
		"word":               {query: "protocol=seven", err: protocol.ErrInvalidVersion},
		"fraction":           {query: "protocol=7.0", err: protocol.ErrInvalidVersion},
		"negative":           {query: "protocol=-7", err: protocol.ErrInvalidVersion},
		"signed":             {query: "protocol=%2B7", err: protocol.ErrInvalidVersion},
		"spaced":             {query: "protocol=+7", err: protocol.ErrInvalidVersion},
		"newline":            {query: "protocol=7%0A", err: protocol.ErrInvalidVersion},
		"nothing":            {query: "", err: protocol.ErrNoVersion},
		"empty":              {query: "protocol=", err: protocol.ErrNoVersion},
		"empty version":      {query: "protocol=&version=", err: protocol.ErrNoVersion},
		"another client":     {query: "client=ruby&version=1.0.0", err: protocol.ErrNoVersion},
		"empty client":       {query: "client=&version=8.0.0", err: protocol.ErrNoVersion},

		"js 1.7.6":          {query: "client=js&version=1.7.6", err: protocol.ErrUnsupportedVersion},
		"js 1.8.0":          {query: "client=js&version=1.8.0", err: protocol.ErrUnsupportedVersion},
		"js 1.10.0":         {query: "client=js&version=1.10.0", err: protocol.ErrUnsupportedVersion},
		"js 1.10.1":         {query: "client=js&version=1.10.1", want: 4},
		"js 1.11":           {query: "version=1.11", want: 5},
		"js 1.12.7":         {query: "version=1.12.7", want: 5},
		"js 2.0.0":          {query: "version=2.0.0", want: 6},
		"js 2.1.4":          {query: "version=2.1.4", want: 6},
		"js 2.1.5":          {query: "version=2.1.5", want: 7},
		"js 2.2.0-rc1":      {query: "version=2.2.0-rc1", want: 7},
		"js 8.6.0":          {query: "protocol=&version=8.6.0&client=js", want: 7},
		"js huge":           {query: "version=99999999999999999999999.0", want: 7},
		"js 1.huge":         {query: "version=1.99999999999999999999999", want: 5},
		"js 8":              {query: "version=8", err: protocol.ErrInvalidVersion},
		"js 8.x":            {query: "version=8.x", err: protocol.ErrInvalidVersion},
		"js 2.1.5beta":      {query: "version=2.1.5beta", want: 7},
		"js 2.1.x":          {query: "version=2.1.x", want: 6},
		"js 2.1-5":          {query: "version=2.1-5", want: 6},
		"js 2.1beta":        {query: "version=2.1beta", err: protocol.ErrInvalidVersion},
		"js v8.6.0":         {query: "version=v8.6.0", err: protocol.ErrInvalidVersion},
		"assumed":           {query: "", assume: 7, want: 7},
		"assumed, other":    {query: "client=ruby&version=1.0.0", assume: 5, want: 5},
		"not assumed: old":  {query: "version=1.7.6", assume: 7, err: protocol.ErrUnsupportedVersion},
		"not assumed: bad":  {query: "protocol=x", assume: 7, err: protocol.ErrInvalidVersion},
		"assumed, too high": {query: "", assume: 9, err: protocol.ErrUnsupportedVersion},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			query, err := url.ParseQuery(test.query)
			if err != nil {
				t.Fatal(err)
			}
			got, refusal := protocol.Version(query, test.assume)
			if got != test.want || refusal != test.err {
				t.Errorf("Version(%q, %d) = %d, %v, want %d, %v", test.query, test.assume, got, refusal, test.want, test.err)
			}
		})
	}
}

var libraryPattern = regexp.MustCompile(`(?s)\A([0-9]+)\.([0-9]+)(?:\.([0-9]+).*|[-.+].*)?\z`)

// inferred is the published table by another way: numbers of any size, and a
// search among the releases that changed the protocol.
func inferred(version string) int {
	parts := libraryPattern.FindStringSubmatch(version)
	if parts == nil {
		return -1
	}
	var v []*big.Int
	for _, part := range parts[1:] {
		n, _ := new(big.Int).SetString("0"+part, 10)
		v = append(v, n)
	}
	protocols := 2
	for _, release := range [][]int64{{1, 8, 0}, {1, 10, 1}, {1, 11, 0}, {2, 0, 0}, {2, 1, 5}} {
		if slices.CompareFunc(v, release, func(a *big.Int, b int64) int { return a.Cmp(big.NewInt(b)) }) >= 0 {
			protocols++
		}
	}
	return protocols
}

func FuzzVersion(f *testing.F) {
	f.Add("7", "8.6.0", "js", true)
	f.Add("", "1.10.1", "js", true)
	f.Add("", "2.1.5-rc1", "", false)
	f.Add("", "1.2.", "js", true)
	f.Add("0000000007", "", "", true)
	f.Fuzz(func(t *testing.T, version, library, client string, hasClient bool) {
		query := url.Values{"protocol": {version}, "version": {library}}
		if hasClient {
			query.Set("client", client)
		}
		got, err := protocol.Version(query, 0)
		if (err == nil) != (4 <= got && got <= 7) || err != nil && got != 0 {
			t.Fatalf("Version(%q) = %d, %v", query, got, err)
		}
		var want *protocol.Error
		switch {
		case version != "" && (len(version) > 9 || strings.Trim(version, "0123456789") != ""):
			want = protocol.ErrInvalidVersion
		case version != "":
			n := strings.TrimLeft(version, "0")
			if len(n) != 1 || n < "4" || n > "7" {
				want = protocol.ErrUnsupportedVersion
			}
		case library == "" || hasClient && client != "js":
			want = protocol.ErrNoVersion
		case inferred(library) < 0:
			want = protocol.ErrInvalidVersion
		case inferred(library) < 4:
			want = protocol.ErrUnsupportedVersion
		case inferred(library) != got:
			t.Fatalf("Version(%q) = %d, want %d", query, got, inferred(library))
		}
		if err != want {
			t.Fatalf("Version(%q) = %d, %v, want %v", query, got, err, want)
		}
	})
}
