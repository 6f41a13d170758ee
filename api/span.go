package api

import (
	"encoding/json"
	"strconv"
)

// span is how long something takes in a body: text with a unit, or a number of seconds,
// which becomes text with its unit.
type span string

// UnmarshalJSON implements json.Unmarshaler.
func (s *span) UnmarshalJSON(body []byte) error {
	var seconds float64
	if err := json.Unmarshal(body, &seconds); err == nil {
		*s = span(strconv.FormatFloat(seconds, 'f', -1, 64) + "s")
		return nil
	}
	return json.Unmarshal(body, (*string)(s))
}
