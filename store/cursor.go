package store

import (
	"encoding/base64"
	"encoding/json"
)

// A page cursor names the last item of the page before by its place in the order, so
// rows that come or go don't move it. K tells cursors of different lists apart.
type pageCursor struct {
	K string `json:"k"`
	A int64  `json:"a,omitempty"`
	N int64  `json:"n,omitempty"`
	S string `json:"s,omitempty"`
}

func (c pageCursor) String() string {
	b, err := json.Marshal(c)
	if err != nil {
		return "" // numbers and text always encode
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// parseCursor returns nil for the first page.
func parseCursor(kind, s string) (*pageCursor, error) {
	if s == "" {
		return nil, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return nil, ErrCursor
	}
	var c pageCursor
	if err := json.Unmarshal(b, &c); err != nil || c.K != kind {
		return nil, ErrCursor
	}
	return &c, nil
}
