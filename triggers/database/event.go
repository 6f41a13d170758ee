package database

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// payload is `event` in expressions.
type payload struct {
	Backfill bool            `json:"backfill"`
	Key      json.RawMessage `json:"key"`
	Kind     string          `json:"kind"`
	Row      json.RawMessage `json:"row"`
	Table    string          `json:"table"`
	Time     string          `json:"time"`
}

// payload is the event of a row, by the values of all columns that are read.
func (l *layout) payload(values []any, p payload) (json.RawMessage, error) {
	var err error
	if p.Row, err = l.object(l.hand, values); err != nil {
		return nil, err
	}
	if p.Key, err = l.object(l.key, values); err != nil {
		return nil, err
	}
	p.Table = l.table.name
	raw, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("write the event of a row of %s: %w", l.table.name, err)
	}
	return raw, nil
}

// object is some columns with their values, in the order of the table.
func (l *layout) object(columns []int, values []any) (json.RawMessage, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, c := range columns {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(l.columns[c].name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(plain(l.columns[c].typed(values[c])))
		if err != nil {
			return nil, fmt.Errorf("write column %s: %w", l.columns[c].name, err)
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// typed makes of a value what its column promises, where the engine keeps it otherwise.
func (c column) typed(v any) any {
	switch n, isInt := v.(int64); {
	case c.class == classBool && isInt && (n == 0 || n == 1):
		return n == 1
	case c.class == classJSON:
		if s, ok := v.(string); ok {
			return document(s)
		}
	}
	return v
}
