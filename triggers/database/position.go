package database

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// position is where a row stands: in the order, and among rows of the same order.
type position struct {
	Order []atom `json:"o"`
	Key   []atom `json:"k,omitempty"` // nil in a bound: before all rows of that order
}

// row is a row that was read.
type row struct {
	at     position
	values []any // of the columns that are handed over
}

// mark stands for a position among those that were seen.
type mark uint64

// placed is a position with what is compared of it.
type placed struct {
	position
	mark  mark
	order mark // of the order alone: equal for rows that tie
}

// marked makes the position of a row comparable.
func marked(p position) placed {
	order := encode(p.Order)
	return placed{position: p, order: sum(order), mark: sum(order, encode(p.Key))}
}

// orderOf is the mark of the order of a position.
func orderOf(p position) mark { return sum(encode(p.Order)) }

// encode writes atoms so that equal ones, and no others, have the same text.
func encode(atoms []atom) []byte {
	b, err := json.Marshal(atoms)
	if err != nil {
		return fmt.Appendf(nil, "%#v", atoms) // of a type that atom refuses where it is stored
	}
	return append(b, '\n')
}

func sum(parts ...[]byte) mark {
	h := sha256.New()
	for _, part := range parts {
		h.Write(part)
	}
	return mark(binary.BigEndian.Uint64(h.Sum(nil)))
}

// number is the order of a row when it is one integer.
func (p position) number() (int64, bool) {
	if len(p.Order) != 1 {
		return 0, false
	}
	n, ok := p.Order[0].v.(int64)
	return n, ok
}

// longestKey is how long the key of an event may be before it is hashed, in bytes.
const longestKey = 200

// eventKey names a row for ever: a repeated key makes no second event. The order belongs
// to it, so that a key that is used again later, or another version, is another event.
func eventKey(p position, unique bool) (string, error) {
	parts := p.Order
	if !unique {
		parts = append(append([]atom{}, p.Order...), p.Key...)
	}
	words := make([]string, len(parts))
	for i, a := range parts {
		word, err := a.word()
		if err != nil {
			return "", err
		}
		words[i] = word
	}
	key := strings.Join(words, ",")
	if len(key) <= longestKey {
		return key, nil
	}
	h := sha256.Sum256([]byte(key))
	return "sha256:" + hex.EncodeToString(h[:16]), nil
}

// word is an atom for people, and different for different atoms of a column.
func (a atom) word() (string, error) {
	switch v := a.v.(type) {
	case int64:
		return fmt.Sprint(v), nil
	case decimal:
		return string(v), nil
	}
	b, err := json.Marshal(plain(a.v))
	if err != nil {
		return "", fmt.Errorf("name a row: %w", err)
	}
	return string(b), nil
}
