package store

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/latticed/latticed/graph"
)

// newID returns a UUIDv7.
func newID() (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	return id.String(), nil
}

// micros is an instant as it is stored; a zero one is NULL.
func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

func fromMicros(µs int64) time.Time {
	if µs == 0 {
		return time.Time{}
	}
	return time.UnixMicro(µs).UTC()
}

// text is a word that is NULL when empty.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// rawText is JSON as it came; NULL when there is none.
func rawText(m json.RawMessage) any {
	if m == nil {
		return nil
	}
	return string(m)
}

func fromRawText(s string) json.RawMessage {
	if s == "" {
		return nil
	}
	return json.RawMessage(s)
}

// jsonText encodes a value of ours; NULL when absent is set.
func jsonText(v any, absent bool) (any, error) {
	if absent {
		return nil, nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return string(b), nil
}

// fromJSONText decodes into v what jsonText wrote.
func fromJSONText[T any](s string) (*T, error) {
	if s == "" {
		return nil, nil
	}
	v := new(T)
	if err := json.Unmarshal([]byte(s), v); err != nil {
		return nil, fmt.Errorf("stored JSON %.60q: %w", s, err)
	}
	return v, nil
}

func fromJSONMap[V any](s string) (map[string]V, error) {
	m, err := fromJSONText[map[string]V](s)
	if m == nil {
		return nil, err
	}
	return *m, err
}

// hash is a SHA-256 in hex as it is stored.
func hash(sha256 string) ([]byte, error) {
	b, err := hex.DecodeString(sha256)
	if err != nil || len(b) != 32 {
		return nil, fmt.Errorf("%q is not a SHA-256 in lower-case hex", sha256)
	}
	return b, nil
}

// assetColumns are the two columns of an asset somewhere; NULL when there is none.
func assetColumns(a *graph.Asset) (sha, size any, err error) {
	if a == nil {
		return nil, nil, nil
	}
	b, err := hash(a.SHA256)
	return b, a.Size, err
}

func fromAssetColumns(sha []byte, size int64) *graph.Asset {
	if sha == nil {
		return nil
	}
	return &graph.Asset{SHA256: hex.EncodeToString(sha), Size: size}
}
