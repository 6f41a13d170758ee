package api

import (
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// operation is what a route takes, read off the generated request type.
type operation struct {
	name   string
	params map[string]reflect.Type // of the query
	needed []string                // those that must be there
	body   bool                    // has a JSON or YAML body
	stream bool                    // has a body of bytes, read as it comes
	raw    bool                    // has a body of bytes, read whole, and any query
}

// operations lists the routes by the name of their operation.
func operations() map[string]operation {
	iface := reflect.TypeFor[StrictServerInterface]()
	ops := make(map[string]operation, iface.NumMethod())
	for m := range iface.Methods() {
		req := m.Type.In(1)
		op := operation{name: m.Name, params: map[string]reflect.Type{}}
		if p, ok := req.FieldByName("Params"); ok {
			for f := range p.Type.Fields() {
				name, optional, _ := strings.Cut(f.Tag.Get("form"), ",")
				if name == "" {
					continue
				}
				op.params[name] = f.Type
				if optional == "" {
					op.needed = append(op.needed, name)
				}
			}
		}
		for f := range req.Fields() {
			if strings.HasSuffix(f.Name, "Body") {
				op.body = true
			}
		}
		if m.Name == "PutAsset" {
			op.body, op.stream = false, true
		}
		if m.Name == "DeliverHook" {
			op.body, op.raw = false, true
		}
		ops[m.Name] = op
	}
	return ops
}

const inputPrefix = "input." // of the filters by input

// checkQuery refuses parameters that the route doesn't know, repeated ones that may
// come once, values of the wrong type, and that one is missing.
func (op operation) checkQuery(q url.Values) error {
	if op.raw {
		return nil
	}
	var found []FieldError
	for _, name := range op.needed {
		if !q.Has(name) {
			found = append(found, fieldError(name, codeMissing, "is missing"))
		}
	}
	names := make([]string, 0, len(q))
	for name := range q {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if op.name == "ListDispatches" && strings.HasPrefix(name, inputPrefix) {
			continue
		}
		t, ok := op.params[name]
		if !ok {
			found = append(found, fieldError(name, "unknown_parameter", "unknown query parameter%s", op.meant(name)))
			continue
		}
		found = append(found, checkParam(name, t, q[name])...)
	}
	if len(found) > 0 {
		return invalid(found...)
	}
	return nil
}

func (op operation) meant(name string) string {
	if len(op.params) == 0 {
		return "; this route takes none"
	}
	return hint(name, op.params)
}

func checkParam(name string, t reflect.Type, values []string) []FieldError {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() == reflect.Slice {
		return nil
	}
	if len(values) > 1 {
		return []FieldError{fieldError(name, codeDuplicate, "may be given once")}
	}
	switch v := values[0]; t.Kind() {
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return []FieldError{fieldError(name, codeWrongType, "must be an integer, not %q", v)}
		}
		if name == "limit" && (n < 1 || n > maxLimit) {
			return []FieldError{fieldError(name, codeWrongValue, "must be between 1 and %d, not %d", maxLimit, n)}
		}
		if n < 0 {
			return []FieldError{fieldError(name, codeWrongValue, "must not be negative")}
		}
	case reflect.Bool:
		if _, err := strconv.ParseBool(v); err != nil {
			return []FieldError{fieldError(name, codeWrongType, "must be 1 or 0, not %q", v)}
		}
	}
	return nil
}

const (
	maxLimit     = 500
	defaultLimit = 50
)

func limitOf(n int) int {
	if n == 0 {
		return defaultLimit
	}
	return n
}

// words splits values that may be repeated or separated by commas, and checks them
// against the known ones.
func words[T ~string](name string, values []string, known ...T) ([]T, error) {
	var out []T
	for _, v := range values {
		for word := range strings.SplitSeq(v, ",") {
			if word = strings.TrimSpace(word); word == "" {
				continue
			}
			if !slices.Contains(known, T(word)) {
				names := make([]string, len(known))
				for i, k := range known {
					names[i] = string(k)
				}
				return nil, invalid(fieldError(name, codeWrongValue, "there is no %s %q%s", name, word, meant(word, names)))
			}
			out = append(out, T(word))
		}
	}
	return out, nil
}

// instant reads a query's instant.
func instant(name, v string) (time.Time, error) {
	if v == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, v)
	if err != nil {
		return time.Time{}, invalid(fieldError(name, codeWrongValue, "must be an instant such as 2026-03-01T12:00:00Z, not %q", v))
	}
	return t, nil
}
