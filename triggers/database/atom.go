package database

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// atom is a value by which rows are ordered or told apart, as conn.read gave it. It is
// kept in cursors and bound in statements, so it survives JSON without a change.
type atom struct{ v any }

// tagged is an atom that JSON has no value of its own for; one field is given.
type tagged struct {
	Int     *string `json:"i,omitempty"`
	Float   *string `json:"f,omitempty"`
	Bool    *bool   `json:"l,omitempty"`
	Blob    *string `json:"b,omitempty"` // base64; also text that is not UTF-8, see Raw
	Raw     *string `json:"r,omitempty"` // base64 of such a text
	Instant *string `json:"t,omitempty"`
	Wall    *string `json:"w,omitempty"`
	Decimal *string `json:"d,omitempty"`
	JSON    *string `json:"j,omitempty"`
}

// MarshalJSON writes text and null as they are, all else with a tag.
func (a atom) MarshalJSON() ([]byte, error) {
	text := func(s string) *string { return &s }
	var t tagged
	switch v := a.v.(type) {
	case nil:
		return []byte("null"), nil
	case string:
		if valid(v) {
			return json.Marshal(v)
		}
		t.Raw = text(base64.StdEncoding.EncodeToString([]byte(v)))
	case int64:
		t.Int = text(strconv.FormatInt(v, 10))
	case float64:
		t.Float = text(strconv.FormatFloat(v, 'g', -1, 64))
	case bool:
		t.Bool = &v
	case []byte:
		t.Blob = text(base64.StdEncoding.EncodeToString(v))
	case time.Time:
		t.Instant = text(v.UTC().Format(time.RFC3339Nano))
	case wall:
		t.Wall = text(v.UTC().Format(time.RFC3339Nano))
	case decimal:
		t.Decimal = text(string(v))
	case document:
		t.JSON = text(string(v))
	default:
		return nil, fmt.Errorf("a value of type %T can't order rows", a.v)
	}
	return json.Marshal(t)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (a *atom) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] != '{' {
		var s *string
		if err := json.Unmarshal(raw, &s); err != nil {
			return err
		}
		if a.v = nil; s != nil {
			a.v = *s
		}
		return nil
	}
	var t tagged
	err := json.Unmarshal(raw, &t)
	if err == nil {
		a.v, err = t.value()
	}
	return err
}

func (t tagged) value() (any, error) {
	switch {
	case t.Int != nil:
		return strconv.ParseInt(*t.Int, 10, 64)
	case t.Float != nil:
		return strconv.ParseFloat(*t.Float, 64)
	case t.Bool != nil:
		return *t.Bool, nil
	case t.Blob != nil:
		return base64.StdEncoding.DecodeString(*t.Blob)
	case t.Raw != nil:
		b, err := base64.StdEncoding.DecodeString(*t.Raw)
		return string(b), err
	case t.Instant != nil:
		return time.Parse(time.RFC3339Nano, *t.Instant)
	case t.Wall != nil:
		at, err := time.Parse(time.RFC3339Nano, *t.Wall)
		return wall{at}, err
	case t.Decimal != nil:
		return decimal(*t.Decimal), nil
	case t.JSON != nil:
		return document(*t.JSON), nil
	}
	return nil, fmt.Errorf("a value without a type")
}
