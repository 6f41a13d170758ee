package database

import (
	"encoding/json"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgtype"
)

// arrayTypes knows the types that every server has.
var arrayTypes = sync.OnceValue(pgtype.NewMap)

// arrayElement is the type of the elements of an array type.
func arrayElement(oid uint32) (uint32, bool) {
	t, ok := arrayTypes().TypeForOID(oid)
	if !ok {
		return 0, false
	}
	array, ok := t.Codec.(*pgtype.ArrayCodec)
	if !ok {
		return 0, false
	}
	return array.ElementType.OID, true
}

// arrayDocument makes JSON of an array as the server writes it: {1,NULL,"a b",{…}}.
// False: it can't be read.
func arrayDocument(element uint32, text string) (document, bool) {
	a := arrayReader{text: text, element: element}
	v, ok := a.list()
	if !ok || a.text != "" {
		return "", false
	}
	doc, err := json.Marshal(v)
	return document(doc), err == nil
}

type arrayReader struct {
	text    string // what is left
	element uint32
	depth   int
}

// deepest is how many dimensions an array may have: PostgreSQL's own limit.
const deepest = 6

// list reads {item,item,…}.
func (a *arrayReader) list() ([]any, bool) {
	if a.depth++; a.depth > deepest || !a.skip("{") {
		return nil, false
	}
	defer func() { a.depth-- }()
	items := []any{}
	if a.skip("}") {
		return items, true
	}
	for {
		item, ok := a.item()
		if !ok {
			return nil, false
		}
		items = append(items, item)
		switch {
		case a.skip("}"):
			return items, true
		case !a.skip(","):
			return nil, false
		}
	}
}

func (a *arrayReader) item() (any, bool) {
	switch {
	case strings.HasPrefix(a.text, "{"):
		return a.list()
	case a.skip(`"`):
		text, ok := a.quoted()
		return a.value(text), ok
	}
	end := strings.IndexAny(a.text, `,}`)
	if end <= 0 {
		return nil, false
	}
	text := a.text[:end]
	a.text = a.text[end:]
	if text == "NULL" {
		return nil, true
	}
	return a.value(text), true
}

// quoted reads up to the closing quote.
func (a *arrayReader) quoted() (string, bool) {
	var b strings.Builder
	for i := 0; i < len(a.text); i++ {
		switch c := a.text[i]; c {
		case '"':
			a.text = a.text[i+1:]
			return b.String(), true
		case '\\':
			if i++; i == len(a.text) {
				return "", false
			}
			b.WriteByte(a.text[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}

func (a *arrayReader) value(text string) any { return plain(postgresValue(a.element, text)) }

func (a *arrayReader) skip(prefix string) (ok bool) {
	a.text, ok = strings.CutPrefix(a.text, prefix)
	return ok
}
