package docs_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// blockAfter is the first block of text under a heading of docs/http.md.
func blockAfter(t *testing.T, heading string) string {
	t.Helper()
	page, err := os.ReadFile("http.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(page), "\n## "+heading+"\n\n```text\n")
	block, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatalf("there is no block under %s", heading)
	}
	return block
}

func openapi(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("../api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s: the page has %v, openapi.yaml %v", what, got, want)
	}
}

func TestHTTP_lists_every_route_with_its_parameters(t *testing.T) {
	listed := map[string][]string{}
	route := ""
	parameter := regexp.MustCompile(`[?&]([a-z0-9_]+)=`)
	for line := range strings.Lines(blockAfter(t, "All routes")) {
		if words := strings.Fields(line); !strings.HasPrefix(line, " ") {
			route = words[0] + " " + words[1]
			listed[route] = nil
		}
		for _, m := range parameter.FindAllStringSubmatch(line, -1) {
			listed[route] = append(listed[route], m[1])
		}
	}
	for path, item := range openapi(t).Paths.Map() {
		for method, op := range item.Operations() {
			var want []string
			for _, p := range append(slices.Clone(item.Parameters), op.Parameters...) {
				if p.Value.In == "query" {
					want = append(want, p.Value.Name)
				}
			}
			got, ok := listed[method+" "+path]
			if !ok {
				t.Errorf("%s %s is not listed", method, path)
			}
			same(t, method+" "+path, got, want)
			delete(listed, method+" "+path)
		}
	}
	for route := range listed {
		t.Errorf("there is no route %s", route)
	}
}

func TestHTTP_lists_every_object_with_its_fields(t *testing.T) {
	listed := map[string][]string{}
	for _, m := range regexp.MustCompile(`(?m)^(\w+)\s+\{([^}]*)\}`).FindAllStringSubmatch(blockAfter(t, "All objects"), -1) {
		listed[m[1]] = strings.FieldsFunc(m[2], func(r rune) bool { return strings.ContainsRune(", \n", r) })
	}
	for name, schema := range openapi(t).Components.Schemas {
		if len(schema.Value.Properties) == 0 || strings.HasSuffix(name, "Page") {
			continue
		}
		var want []string
		for field := range schema.Value.Properties {
			want = append(want, field)
		}
		same(t, name, listed[name], want)
		delete(listed, name)
	}
	for name := range listed {
		t.Errorf("there is no object %s", name)
	}
}
