package store

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/latticed/latticed/triggers"
)

// Record saves a batch and, in the same transaction, decisions that name events of
// the batch by id. An event with a known key is dropped, but if it Amends and that one
// is undecided, that one takes over its payload and is held for its turn (backlog). A
// decision that names a dropped event is dropped whole. It returns the events that were
// new, with their Seq, and the dispatches inserted.
func (s *Store) Record(ctx context.Context, id string, revision int, b triggers.Batch, ds []triggers.Decision) (triggers.Recorded, error) {
	var out triggers.Recorded
	err := s.change(ctx, func(t *tx) error {
		var err error
		if out, err = t.record(id, revision, &b, ds); err != nil {
			return err
		}
		return t.effect(out)
	})
	if err != nil {
		return triggers.Recorded{}, fmt.Errorf("record events of trigger %s: %w", id, err)
	}
	return out, nil
}

func (t *tx) record(id string, revision int, b *triggers.Batch, ds []triggers.Decision) (triggers.Recorded, error) {
	ref, err := t.trigger(id, revision)
	if err != nil {
		return triggers.Recorded{}, err
	}
	n := ref.n
	if err := t.saveCursor(n, b.Cursor); err != nil {
		return triggers.Recorded{}, err
	}
	if err := t.saveEntities(n, b.Entities); err != nil {
		return triggers.Recorded{}, err
	}
	if a := b.Amended; a != nil {
		if err := t.guarded("UPDATE events SET payload = ?, path = ?, seq = ? WHERE id = ? AND trigger = ? AND firing IS NULL",
			rawText(a.Payload), pathOf(a.Payload), t.seq(), a.ID, n); err != nil {
			return triggers.Recorded{}, err
		}
	}
	fresh, amended, err := t.newEvents(n, id, b.Events)
	if err != nil {
		return triggers.Recorded{}, err
	}
	f := firings{t: t, trigger: ref, revision: revision, events: make(map[string]*eventState, len(fresh))}
	rows := make([]eventState, len(fresh))
	for i := range fresh {
		fresh[i].Seq = t.seq()
		rows[i] = eventState{n: fresh[i].Seq, seq: fresh[i].Seq, event: &fresh[i]}
		f.events[fresh[i].ID] = &rows[i]
	}
	for i := range ds {
		if err := f.decide(ds[i], true); err != nil {
			return triggers.Recorded{}, err
		}
	}
	if err := t.insertEvents(n, rows); err != nil {
		return triggers.Recorded{}, err
	}
	undecided := int64(0)
	for i := range rows {
		if rows[i].firing == 0 {
			undecided++
		}
	}
	t.countPending(n, undecided)
	if happened := len(fresh) > 0 || amended || b.Amended != nil; happened || b.NoNext || !b.Next.IsZero() {
		if err := t.noteEvents(n, b, happened, f.fired > 0); err != nil {
			return triggers.Recorded{}, err
		}
	}
	return triggers.Recorded{Events: fresh, Dispatches: f.dispatches}, nil
}

// noteEvents keeps what a trigger shows of its events.
func (t *tx) noteEvents(trigger int64, b *triggers.Batch, events, firings bool) error {
	var at [2]any
	if events {
		at[0] = t.now
	}
	if firings {
		at[1] = t.now
	}
	_, err := t.exec("UPDATE triggers SET last_event_at = coalesce(?, last_event_at), last_firing_at = coalesce(?, last_firing_at), next_at = coalesce(?, iif(?, NULL, next_at)), seq = ? WHERE n = ?",
		at[0], at[1], micros(b.Next), b.NoNext, t.seq(), trigger)
	return err
}

func (t *tx) saveCursor(trigger int64, cursor json.RawMessage) error {
	if cursor == nil {
		return nil
	}
	_, err := t.exec("INSERT INTO cursors (trigger, data, updated_at) VALUES (?,?,?) ON CONFLICT (trigger) DO UPDATE SET data = excluded.data, updated_at = excluded.updated_at",
		trigger, string(cursor), t.now)
	return err
}

// rowsPerStatement bounds statements of many rows: compiling one is paid once for
// them, but the driver finds each argument by a walk along all.
const rowsPerStatement = 8

// values is the VALUES list of a statement of many rows.
func values(rows, columns int) string {
	one := "(" + strings.TrimSuffix(strings.Repeat("?,", columns), ",") + ")"
	return strings.TrimSuffix(strings.Repeat(one+",", rows), ",")
}

func (t *tx) saveEntities(trigger int64, cs []triggers.Change) error {
	for len(cs) > 0 {
		if cs[0].Deleted {
			if _, err := t.exec("DELETE FROM entities WHERE trigger = ? AND key = ?", trigger, key(cs[0].Key)); err != nil {
				return err
			}
			cs = cs[1:]
			continue
		}
		rows, args := 0, make([]any, 0, 4*rowsPerStatement)
		for rows < rowsPerStatement && rows < len(cs) && !cs[rows].Deleted {
			c := &cs[rows]
			args = append(args, trigger, key(c.Key), c.Version, rawText(c.Data))
			rows++
		}
		_, err := t.exec("INSERT INTO entities (trigger, key, version, data) VALUES "+values(rows, 4)+
			" ON CONFLICT (trigger, key) DO UPDATE SET version = excluded.version, data = excluded.data", args...)
		if err != nil {
			return err
		}
		cs = cs[rows:]
	}
	return nil
}

// key is never NULL, not even the empty one.
func key(k []byte) []byte {
	if k == nil {
		return []byte{}
	}
	return k
}

// newEvents returns the events whose key is not known, each key once, and amends those
// that are.
func (t *tx) newEvents(trigger int64, id string, es []triggers.Event) (fresh []triggers.Event, amended bool, err error) {
	if len(es) == 0 {
		return nil, false, nil
	}
	known, err := t.knownKeys(trigger, es)
	if err != nil {
		return nil, false, err
	}
	fresh = make([]triggers.Event, 0, len(es))
	at := map[string]int{} // in fresh, by key
	for _, e := range es {
		i, here := at[e.Key]
		switch {
		case here && e.Amends:
			fresh[i].Payload = e.Payload
			continue
		case known[e.Key] && e.Amends:
			did, err := t.amend(trigger, &e)
			if err != nil {
				return nil, false, err
			}
			amended = amended || did
			continue
		case here, known[e.Key]:
			continue
		}
		at[e.Key] = len(fresh)
		e.TriggerID, e.State, e.Reason, e.FiringID, e.Amends = id, triggers.EventPending, "", "", false
		if e.At.IsZero() {
			e.At = t.time()
		}
		fresh = append(fresh, e)
	}
	return fresh, amended, nil
}

const amendEvent = "UPDATE events SET payload = ?, path = ?, state = 'held', reason = '" + triggers.ReasonBacklog + "', seq = ? WHERE trigger = ? AND key = ? AND firing IS NULL"

// amend gives an undecided event another payload, to be judged anew when its turn comes.
func (t *tx) amend(trigger int64, e *triggers.Event) (bool, error) {
	n, err := t.exec(amendEvent,
		rawText(e.Payload), pathOf(e.Payload), t.seq(), trigger, e.Key)
	return n > 0, err
}

// knownKeys tells which of the events have the key of a stored one.
func (t *tx) knownKeys(trigger int64, es []triggers.Event) (map[string]bool, error) {
	const keysPerStatement = 32
	known := map[string]bool{}
	for from := 0; from < len(es); from += keysPerStatement {
		part := es[from:min(from+keysPerStatement, len(es))]
		args := append(make([]any, 0, keysPerStatement+1), trigger)
		for i := range part {
			args = append(args, part[i].Key)
		}
		err := t.rows("SELECT key FROM events WHERE trigger = ? AND key IN "+values(1, len(part)), args, func(r rowScanner) error {
			var k string
			err := r.Scan(&k)
			known[k] = true
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	keys := make([]string, len(es))
	for i := range es {
		keys[i] = es[i].Key
	}
	past, err := pastKeys(t, trigger, eventKey, keys)
	for _, k := range past {
		known[k] = true
	}
	return known, err
}

const eventColumns = "n, id, trigger, key, kind, at, state, reason, firing, path, payload, dedupe, seq, generation"

func (t *tx) insertEvents(trigger int64, rows []eventState) error {
	for from := 0; from < len(rows); from += rowsPerStatement {
		part := rows[from:min(from+rowsPerStatement, len(rows))]
		args := make([]any, 0, 14*len(part))
		for i := range part {
			e := part[i].event
			args = append(args, part[i].n, e.ID, trigger, e.Key, e.Kind, e.At.UnixMicro(), string(e.State), e.Reason,
				null(part[i].firing), pathOf(e.Payload), rawText(e.Payload), text(part[i].dedupe), part[i].seq, e.Generation)
		}
		if _, err := t.exec("INSERT INTO events ("+eventColumns+") VALUES "+values(len(part), 14), args...); err != nil {
			return err
		}
	}
	return nil
}

// pathOf is the path a payload tells about, as bytes; nil when none.
func pathOf(payload json.RawMessage) any {
	if !bytes.Contains(payload, []byte(`"path`)) {
		return nil
	}
	var p struct {
		Path string `json:"path"`
		B64  string `json:"path_b64"`
	}
	if json.Unmarshal(payload, &p) != nil {
		return nil // not an object, or a path that is none
	}
	if b, err := base64.StdEncoding.DecodeString(p.B64); err == nil && len(b) > 0 {
		return b
	}
	if p.Path == "" {
		return nil
	}
	return []byte(p.Path)
}
