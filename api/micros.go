package api

import "time"

// Micros is an instant as answers show it: RFC 3339, UTC, always six digits of a
// second, so that text sorts like time. The zero instant is null.
type Micros time.Time

const microsLayout = "2006-01-02T15:04:05.000000Z"

// MarshalJSON implements json.Marshaler.
func (m Micros) MarshalJSON() ([]byte, error) {
	t := time.Time(m)
	if t.IsZero() {
		return []byte("null"), nil
	}
	b := make([]byte, 0, len(microsLayout)+2)
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, microsLayout)
	return append(b, '"'), nil
}
