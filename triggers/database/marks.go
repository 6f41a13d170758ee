package database

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
)

// marks are many of them; in JSON base64, eight bytes each.
type marks []mark

// MarshalJSON packs them.
func (ms marks) MarshalJSON() ([]byte, error) {
	packed := make([]byte, 0, 8*len(ms))
	for _, m := range ms {
		packed = binary.BigEndian.AppendUint64(packed, uint64(m))
	}
	return json.Marshal(base64.RawStdEncoding.EncodeToString(packed))
}

// UnmarshalJSON unpacks them.
func (ms *marks) UnmarshalJSON(raw []byte) error {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return err
	}
	packed, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return err
	}
	if len(packed)%8 != 0 {
		return errors.New("marks are cut off")
	}
	*ms = make(marks, 0, len(packed)/8)
	for ; len(packed) > 0; packed = packed[8:] {
		*ms = append(*ms, mark(binary.BigEndian.Uint64(packed)))
	}
	return nil
}
