package graph

import (
	"slices"
	"strings"
)

// inputs reads the declared inputs, each a fragment of JSON Schema.
func (b *builder) inputs(t *tree) {
	if t.kind != kindMap {
		b.problem(t, "inputs", CodeWrongType, "inputs is a mapping of names to JSON Schema, not %s", t.kind)
		return
	}
	members := slices.Clone(t.members)
	slices.SortFunc(members, func(x, y member) int { return strings.Compare(x.key, y.key) })
	b.lattice.binder = &binder{}
	for _, m := range members {
		path := join("inputs", m.key)
		if !ValidName(m.key) {
			b.problemAt(m.pos, path, CodeBadName, "%s", badName("an input", m.key))
			continue
		}
		b.input(m, path)
	}
}

func (b *builder) input(m member, path string) {
	in := Input{Name: m.key, Required: true}
	if m.value.kind != kindMap {
		b.problem(m.value, path, CodeWrongType, "an input is a JSON Schema such as {type: integer, default: 1}, not %s", m.value.kind)
		b.lattice.Inputs = append(b.lattice.Inputs, in)
		return
	}
	plain, _ := m.value.plain().(map[string]any)
	in.Type, _ = plain["type"].(string)
	in.Format, _ = plain["format"].(string)
	in.Schema, _ = Canonical(plain)
	in.Default = plain["default"]
	in.paths = namesPaths(plain)
	if _, ok := plain["default"]; ok {
		in.Required = false
	}
	b.lattice.Inputs = append(b.lattice.Inputs, in)
	if !b.schema(m.value, path) {
		return
	}
	schema, err := compileSchema(m.key, plain)
	if err != nil {
		b.schemaProblem(m.value, path, err)
		return
	}
	if d := m.value.get("default"); d != nil {
		v, problems := check(schema, in, in.Default, join(path, "default"))
		for _, p := range problems {
			b.problem(d, p.Path, p.Code, "%s", p.Message)
		}
		b.lattice.Inputs[len(b.lattice.Inputs)-1].Default = v
	}
	b.lattice.binder.schemas = append(b.lattice.binder.schemas, namedSchema{m.key, schema})
}

// schema looks for keys that JSON Schema would silently ignore, here and below.
func (b *builder) schema(t *tree, path string) bool {
	if t.kind == kindBool {
		return true
	}
	if t.kind != kindMap {
		b.problem(t, path, CodeWrongType, "a schema is a mapping, true or false, not %s", t.kind)
		return false
	}
	good := true
	for _, m := range t.members {
		at := join(path, m.key)
		if m.key == "$ref" || m.key == "$defs" {
			// Few of them double what has to be looked at so often that checking a
			// value would never end.
			b.problemAt(m.pos, at, CodeSchema, "schemas are written out; in YAML, an &anchor and its *alias repeat one")
			good = false
			continue
		}
		below, known := schemaKeyword(m.key)
		if !known {
			b.problemAt(m.pos, at, CodeUnknownKey, "JSON Schema has no key %s%s", quote(m.key), didYouMean(m.key, schemaKeywords()))
			good = false
			continue
		}
		good = b.schemaKey(m, at) && b.subschemas(m.value, at, below) && good
	}
	return good
}

// schemaKey checks what the schema library would accept or fetch.
func (b *builder) schemaKey(m member, at string) bool {
	s, isText := m.value.text()
	switch {
	case m.key == "format" && !slices.Contains(formats(), s):
		b.problem(m.value, at, CodeSchema, "there is no format %s%s", b.shown(m.value), didYouMean(s, formats()))
	case m.key == "type" && m.value.kind == kindList:
		good := true
		for i, it := range m.value.items {
			good = b.schemaKey(member{key: m.key, value: it}, item(at, i)) && good
		}
		return good
	case m.key == "type" && isText && !slices.Contains(schemaTypes(), s):
		b.problem(m.value, at, CodeSchema, "there is no type %s%s", quote(s), schemaTypeHint(s))
	default:
		return true
	}
	return false
}

// subschemas walks the schemas that the value of a keyword holds.
func (b *builder) subschemas(t *tree, at string, below schemaShape) bool {
	good := true
	switch below {
	case shapeOne:
		return b.schema(t, at)
	case shapeMap:
		for _, m := range t.members {
			good = b.schema(m.value, join(at, m.key)) && good
		}
	case shapeList:
		for i, it := range t.items {
			good = b.schema(it, item(at, i)) && good
		}
	case shapeNone:
	}
	return good
}

type schemaShape uint8

const (
	shapeNone schemaShape = iota // no schema below
	shapeOne                     // one schema
	shapeMap                     // schemas by name
	shapeList                    // a list of schemas
)

// schemaKeyword tells what lies below a keyword of JSON Schema 2020-12.
func schemaKeyword(key string) (schemaShape, bool) {
	switch key {
	case "items", "contains", "additionalProperties", "propertyNames", "not", "if", "then", "else",
		"unevaluatedItems", "unevaluatedProperties":
		return shapeOne, true
	case "properties", "patternProperties", "dependentSchemas":
		return shapeMap, true
	case "prefixItems", "allOf", "anyOf", "oneOf":
		return shapeList, true
	}
	return shapeNone, slices.Contains(schemaKeywords(), key)
}

func schemaKeywords() []string {
	return []string{
		"type", "format", "default", "description", "title", "enum", "const", "examples", "$comment", "deprecated",
		"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
		"minLength", "maxLength", "pattern",
		"items", "prefixItems", "contains", "minContains", "maxContains", "minItems", "maxItems", "uniqueItems", "unevaluatedItems",
		"properties", "required", "additionalProperties", "patternProperties", "propertyNames", "unevaluatedProperties",
		"minProperties", "maxProperties", "dependentRequired", "dependentSchemas",
		"allOf", "anyOf", "oneOf", "not", "if", "then", "else",
	}
}

func schemaTypes() []string {
	return []string{"string", "integer", "number", "boolean", "array", "object", "null"}
}

func schemaTypeHint(s string) string {
	switch strings.ToLower(s) {
	case "text", "str", "path", "file":
		return "; did you mean string?"
	case "int", "long":
		return "; did you mean integer?"
	case "float", "double", "real":
		return "; did you mean number?"
	case "list", "tuple":
		return "; did you mean array?"
	case "dict", "map", "mapping":
		return "; did you mean object?"
	}
	if hint := didYouMean(s, schemaTypes()); hint != "" {
		return hint
	}
	return "; it has " + strings.Join(schemaTypes(), ", ")
}

func formats() []string {
	return []string{
		"path", "directory", "date", "time", "date-time", "duration", "uri", "uri-reference", "email", "hostname",
		"ipv4", "ipv6", "uuid", "regex", "json-pointer",
	}
}
