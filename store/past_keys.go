package store

import (
	"crypto/sha256"
	"database/sql"
	"errors"
	"slices"
)

// The keys of events whose rows are gone are kept as hashes, so that a source that
// tells of one once more, a file restored or a delivery repeated, is not believed.

// keyKind keeps keys of events and dedupe keys apart.
type keyKind byte

const (
	eventKey  keyKind = 'k'
	dedupeKey keyKind = 'd'
)

func pastHash(kind keyKind, key string) []byte {
	h := sha256.Sum256(append([]byte{byte(kind)}, key...))
	return h[:16]
}

const insertPast = "INSERT INTO past_keys (trigger, hash) VALUES (?,?) ON CONFLICT DO NOTHING"

// keepKeys remembers the keys of an event that is about to go.
func (t *tx) keepKeys(trigger int64, key, dedupe string) error {
	if _, err := t.exec(insertPast, trigger, pastHash(eventKey, key)); err != nil || dedupe == "" {
		return err
	}
	_, err := t.exec(insertPast, trigger, pastHash(dedupeKey, dedupe))
	return err
}

const (
	hasPast   = "SELECT EXISTS (SELECT 1 FROM past_keys WHERE trigger = ?)"
	knownPast = "SELECT hash FROM past_keys WHERE trigger = ? AND hash IN "
)

// pastKeys tells which of the keys belong to events that are gone.
func pastKeys(q querier, trigger int64, kind keyKind, keys []string) ([]string, error) {
	var some bool
	if err := q.row(hasPast, []any{trigger}, &some); err != nil || !some {
		return nil, err
	}
	var known []string
	for part := range slices.Chunk(keys, keysPerQuery) {
		byHash := make(map[string]string, len(part))
		n := placesFor(len(part))
		args := append(make([]any, 0, n+1), trigger)
		for i := range n {
			key := part[min(i, len(part)-1)]
			h := pastHash(kind, key)
			byHash[string(h)] = key
			args = append(args, h)
		}
		err := q.rows(knownPast+values(1, n), args, func(r rowScanner) error {
			var h []byte
			err := r.Scan(&h)
			known = append(known, byHash[string(h)])
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return known, nil
}

// past is pastKeys of a trigger by its id.
func past(q querier, id string, kind keyKind, keys []string) ([]string, error) {
	var n int64
	if err := q.row(triggerNumber, []any{id}, &n); err != nil {
		if errors.Is(err, sql.ErrNoRows) {
			err = nil // nobody knows anything of it
		}
		return nil, err
	}
	return pastKeys(q, n, kind, keys)
}

// keepSeq remembers the last sequence number, which the row that has it may be about to
// take along: it must not be handed out again.
func (t *tx) keepSeq() error {
	_, err := t.exec("INSERT INTO meta (key, value) VALUES ('seq', ?) ON CONFLICT DO UPDATE SET value = max(value, excluded.value)", t.w.seq)
	return err
}
