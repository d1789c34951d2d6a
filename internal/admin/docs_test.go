package admin

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
)

var documentedCall = regexp.MustCompile("(?m)^\\| `([A-Z]+ /[^`]*)` \\|")

// TestEveryCallIsInTheDocument: docs/admin-api.md lists what openapi.yaml
// describes, with the parameters of the query.
func TestEveryCallIsInTheDocument(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			var query []string
			for _, p := range append(slices.Clone(item.Parameters), operation.Parameters...) {
				if p.Value.In == openapi3.ParameterInQuery {
					query = append(query, p.Value.Name+"=")
				}
			}
			call := fmt.Sprintf("%s %s", method, path)
			if len(query) > 0 {
				call += "?" + strings.Join(query, "&")
			}
			want = append(want, call)
		}
	}
	text, err := os.ReadFile("../../docs/admin-api.md")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range documentedCall.FindAllStringSubmatch(string(text), -1) {
		got = append(got, m[1])
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/admin-api.md does not list what openapi.yaml describes (-openapi +document):\n%s", diff)
	}
}
