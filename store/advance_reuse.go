package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/latticed/latticed/graph"
)

// reuseElectron ends a pending electron with what another one left.
func (t *tx) reuseElectron(dispatch int64, c *graph.ElectronChange) error {
	if c.From != graph.Pending || c.To != graph.Completed {
		return fmt.Errorf("electron %s is reused and goes from %q to %q", c.Name, c.From, c.To)
	}
	files, err := jsonText(c.Files, len(c.Files) == 0)
	if err != nil {
		return err
	}
	columns := make([]any, 0, 8)
	for _, a := range []*graph.Asset{c.Result, c.Pickle, c.Reused.Stdout, c.Reused.Stderr} {
		sha, size, err := assetColumns(a)
		if err != nil {
			return err
		}
		columns = append(columns, sha, size)
	}
	args := append([]any{dispatch, c.Electron, c.Name, files, c.Reused.From, c.Reused.Why, rawText(c.Fingerprint), t.at(c.At)}, columns...)
	return t.guarded(`INSERT INTO electrons (dispatch, idx, name, status, files, reused_from, reuse, fingerprint, ended_at,
		result, result_size, pickle, pickle_size, stdout, stdout_size, stderr, stderr_size)
		VALUES (?,?,?,'completed',?,?,?,?,?,?,?,?,?,?,?,?,?)
		ON CONFLICT (dispatch, idx) DO UPDATE SET status = 'completed', reason = NULL, waiting = NULL, error = NULL,
		files = excluded.files, reused_from = excluded.reused_from, reuse = excluded.reuse, fingerprint = excluded.fingerprint,
		ended_at = excluded.ended_at, result = excluded.result, result_size = excluded.result_size,
		pickle = excluded.pickle, pickle_size = excluded.pickle_size, stdout = excluded.stdout, stdout_size = excluded.stdout_size,
		stderr = excluded.stderr, stderr_size = excluded.stderr_size
		WHERE status = 'pending'`, args...)
}

// Fingerprint returns what was recorded of a completed electron: what its result
// depends on; nil when nothing was.
func (s *Store) Fingerprint(ctx context.Context, dispatch string, electron int) (raw json.RawMessage, err error) {
	err = s.quick(ctx, func(q querier) error {
		var text string
		err := q.row("SELECT e.fingerprint FROM electrons e JOIN dispatches d ON d.number = e.dispatch WHERE d.id = ? AND e.idx = ? AND d."+notGoing,
			[]any{dispatch, electron}, &text)
		if errors.Is(err, sql.ErrNoRows) {
			return notFound("electron", fmt.Sprint(electron))
		}
		raw = fromRawText(text)
		return err
	})
	return raw, err
}
