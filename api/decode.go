package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/latticed/latticed/graph"
)

const (
	maxFindings = 20  // findings of one body
	maxDepth    = 500 // levels of a body
)

// errEnough stops the reading of a body that has been judged.
var errEnough = errors.New("enough")

// strict reads a JSON body into the struct that into points at. Unknown, repeated
// and missing keys, wrong types and trailing data are findings with their place.
func strict(body []byte, into any) error {
	w := &walker{src: body, dec: json.NewDecoder(bytes.NewReader(body))}
	w.dec.UseNumber()
	if len(bytes.TrimSpace(body)) == 0 {
		return invalid(fieldError("", codeInvalidJSON, "the body is empty; a JSON object is needed"))
	}
	if err := w.value("", reflect.TypeOf(into).Elem(), 0); err != nil && !errors.Is(err, errEnough) {
		w.syntax(err)
	} else if err == nil {
		w.end()
	}
	if len(w.found) > 0 {
		return invalid(w.found...)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return invalid(fieldError("", codeInvalidJSON, "%v", err))
	}
	return nil
}

// walker goes through the tokens of a body along the type it will be read into.
type walker struct {
	src   []byte
	dec   *json.Decoder
	found []FieldError
}

// add notes a finding at an offset of the body.
func (w *walker) add(at int64, e FieldError) error {
	e.Line, e.Column = place(w.src, at)
	w.found = append(w.found, e)
	if len(w.found) >= maxFindings {
		return errEnough
	}
	return nil
}

// next is the offset where the next token begins.
func (w *walker) next() int64 {
	at := w.dec.InputOffset()
	for at < int64(len(w.src)) && strings.IndexByte(" \t\r\n,:", w.src[at]) >= 0 {
		at++
	}
	return at
}

func (w *walker) value(path string, t reflect.Type, depth int) error {
	at := w.next()
	if depth > maxDepth {
		_ = w.add(at, fieldError(path, codeInvalidJSON, "more than %d levels", maxDepth))
		return errEnough
	}
	tok, err := w.dec.Token()
	if err != nil {
		return err
	}
	free := t == nil || t == reflect.TypeFor[json.RawMessage]() || t.Kind() == reflect.Interface
	if !free {
		if want, ok := fits(tok, t); !ok {
			if err := w.add(at, fieldError(path, codeWrongType, "must be %s, not %s", want, kindOf(tok))); err != nil {
				return err
			}
			t, free = nil, true
		}
	}
	switch tok {
	case json.Delim('{'):
		if free {
			t = nil
		}
		return w.object(path, t, at, depth)
	case json.Delim('['):
		var elem reflect.Type
		if !free {
			elem = t.Elem()
		}
		for i := 0; w.dec.More(); i++ {
			if err := w.value(path+"["+strconv.Itoa(i)+"]", elem, depth+1); err != nil {
				return err
			}
		}
		_, err := w.dec.Token()
		return err
	}
	return nil
}

func (w *walker) object(path string, t reflect.Type, start int64, depth int) error {
	fields, required := fieldsOf(t)
	seen := map[string]bool{}
	for w.dec.More() {
		at := w.next()
		tok, err := w.dec.Token()
		if err != nil {
			return err
		}
		key, _ := tok.(string)
		here := join(path, key)
		if seen[key] {
			if err := w.add(at, fieldError(here, codeDuplicate, "the key appears twice")); err != nil {
				return err
			}
		}
		seen[key] = true
		var elem reflect.Type
		switch {
		case t != nil && t.Kind() == reflect.Map:
			elem = t.Elem()
		case t != nil:
			var known bool
			if elem, known = fields[key]; !known {
				if err := w.add(at, fieldError(here, codeUnknownKey, "unknown key%s", hint(key, fields))); err != nil {
					return err
				}
			}
		}
		if err := w.value(here, elem, depth+1); err != nil {
			return err
		}
	}
	for _, key := range required {
		if !seen[key] {
			if err := w.add(start, fieldError(join(path, key), codeMissing, "is missing")); err != nil {
				return err
			}
		}
	}
	_, err := w.dec.Token()
	return err
}

// end looks for trailing data.
func (w *walker) end() {
	at := w.next()
	if _, err := w.dec.Token(); !errors.Is(err, io.EOF) {
		_ = w.add(at, fieldError("", codeInvalidJSON, "there is more after the JSON object"))
	}
}

// syntax asks for the place of a syntax error again: tokens don't know it well.
func (w *walker) syntax(err error) {
	at := int64(len(w.src))
	var syn *json.SyntaxError
	if errors.As(json.Unmarshal(w.src, new(json.RawMessage)), &syn) && syn.Offset < at {
		at, err = max(syn.Offset-1, 0), syn
	} else if errors.As(err, &syn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("it ends in the middle")
	}
	_ = w.add(at, fieldError("", codeInvalidJSON, "not JSON: %v", err))
}

// fieldsOf lists the keys of a request type with their types, and those without
// omitempty, which are required.
func fieldsOf(t reflect.Type) (map[string]reflect.Type, []string) {
	if t == nil || t.Kind() != reflect.Struct {
		return nil, nil
	}
	fields, required := make(map[string]reflect.Type, t.NumField()), []string(nil)
	for f := range t.Fields() {
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		fields[name] = f.Type
		if opts == "" {
			required = append(required, name)
		}
	}
	return fields, required
}

// fits tells whether a token can begin a value of type t, and what could.
func fits(tok json.Token, t reflect.Type) (want string, ok bool) {
	if t == reflect.TypeFor[span]() {
		_, text := tok.(string)
		_, number := tok.(json.Number)
		return "text such as 30s or 90d, or a number of seconds", text || number
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return "an object", tok == json.Delim('{')
	case reflect.Slice:
		return "a list", tok == json.Delim('[')
	case reflect.Bool:
		_, ok = tok.(bool)
		return "true or false", ok
	case reflect.String:
		_, ok = tok.(string)
		return "text", ok
	case reflect.Int, reflect.Int64:
		n, isNumber := tok.(json.Number)
		_, err := n.Int64()
		return "an integer", isNumber && err == nil
	default:
		_, ok = tok.(json.Number)
		return "a number", ok
	}
}

func kindOf(tok json.Token) string {
	switch v := tok.(type) {
	case json.Delim:
		if v == '{' {
			return "an object"
		}
		return "a list"
	case string:
		return "text"
	case bool:
		return strconv.FormatBool(v)
	case json.Number:
		return v.String()
	default:
		return "null"
	}
}

// hint is "; did you mean …?", or what there is.
func hint(word string, fields map[string]reflect.Type) string {
	known := make([]string, 0, len(fields))
	for k := range fields {
		known = append(known, k)
	}
	slices.Sort(known)
	return meant(word, known)
}

func meant(word string, known []string) string {
	if s := graph.Suggest(word, known); s != "" {
		return fmt.Sprintf("; did you mean %q?", s)
	}
	return "; known are " + strings.Join(known, ", ")
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// place turns an offset into line and column, both from 1; columns count runes.
func place(src []byte, at int64) (line, column int) {
	before := src[:min(at, int64(len(src)))]
	line = bytes.Count(before, []byte("\n")) + 1
	return line, len([]rune(string(before[bytes.LastIndexByte(before, '\n')+1:]))) + 1
}
