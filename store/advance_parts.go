package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/latticed/latticed/graph"
)

// at is an instant of a step; a missing one is the transaction's.
func (t *tx) at(when time.Time) int64 {
	if when.IsZero() {
		return t.now
	}
	return when.UnixMicro()
}

const endAttemptSQL = `UPDATE attempts SET status = ?, exit_code = ?, signal = ?, handle = coalesce(?, handle), error = ?, usage = ?,
	work_dir = ?, notes = ?, stdout = ?, stdout_size = ?, stderr = ?, stderr_size = ?, ended_at = ?
	WHERE dispatch = ? AND electron = ? AND n = ? AND id = ? AND (status = 'running' OR status = 'unknown')`

func (t *tx) endAttempt(dispatch int64, e *graph.AttemptEnd) error {
	failure, err := jsonText(e.Error, e.Error == nil)
	if err != nil {
		return err
	}
	usage, err := jsonText(e.Usage, e.Usage == nil)
	if err != nil {
		return err
	}
	notes, err := jsonText(e.Notes, len(e.Notes) == 0)
	if err != nil {
		return err
	}
	stdout, stdoutSize, err := assetColumns(e.Stdout)
	if err != nil {
		return err
	}
	stderr, stderrSize, err := assetColumns(e.Stderr)
	if err != nil {
		return err
	}
	var code, ended any
	if e.ExitCode != nil {
		code = *e.ExitCode
	}
	if e.Status.Terminal() {
		ended = t.at(e.At)
	}
	return t.guarded(endAttemptSQL,
		string(e.Status), code, text(e.Signal), rawText(e.Handle), failure, usage,
		text(e.WorkDir), notes, stdout, stdoutSize, stderr, stderrSize, ended,
		dispatch, e.Electron, e.N, e.ID)
}

func (t *tx) changeElectron(dispatch int64, c *graph.ElectronChange) error {
	if c.From != graph.Running && c.From != graph.Pending {
		return fmt.Errorf("electron %s cannot leave %q", c.Name, c.From)
	}
	waiting, err := jsonText(c.Waiting, c.Waiting == nil)
	if err != nil {
		return err
	}
	if c.From == graph.Pending && c.To == graph.Pending {
		return t.upsertElectron(dispatch, c, waiting, nil)
	}
	if c.Reused != nil {
		return t.reuseElectron(dispatch, c)
	}
	if c.From == graph.Pending {
		return t.upsertElectron(dispatch, c, waiting, t.at(c.At))
	}
	return t.leaveRunning(dispatch, c, waiting)
}

// upsertElectron changes a pending electron, which may have no row yet.
func (t *tx) upsertElectron(dispatch int64, c *graph.ElectronChange, waiting, ended any) error {
	failure, err := jsonText(c.Error, c.Error == nil)
	if err != nil {
		return err
	}
	return t.guarded(`INSERT INTO electrons (dispatch, idx, name, status, reason, waiting, error, ended_at) VALUES (?,?,?,?,?,?,?,?)
		ON CONFLICT (dispatch, idx) DO UPDATE SET status = excluded.status, reason = excluded.reason, waiting = excluded.waiting,
		error = excluded.error, ended_at = excluded.ended_at WHERE status = 'pending'`,
		dispatch, c.Electron, c.Name, string(c.To), text(c.Reason), waiting, failure, ended)
}

func (t *tx) leaveRunning(dispatch int64, c *graph.ElectronChange, waiting any) error {
	failure, err := jsonText(c.Error, c.Error == nil)
	if err != nil {
		return err
	}
	files, err := jsonText(c.Files, len(c.Files) == 0)
	if err != nil {
		return err
	}
	result, resultSize, err := assetColumns(c.Result)
	if err != nil {
		return err
	}
	pickle, pickleSize, err := assetColumns(c.Pickle)
	if err != nil {
		return err
	}
	var ended any
	if c.To.Terminal() {
		ended = t.at(c.At)
	}
	return t.guarded(`UPDATE electrons SET status = ?, reason = ?, waiting = ?, result = ?, result_size = ?, pickle = ?, pickle_size = ?,
		error = ?, files = ?, fingerprint = ?, ended_at = ? WHERE dispatch = ? AND idx = ? AND status = 'running'`,
		string(c.To), text(c.Reason), waiting, result, resultSize, pickle, pickleSize,
		failure, files, rawText(c.Fingerprint), ended, dispatch, c.Electron)
}

func (t *tx) startAttempt(dispatch int64, a *graph.AttemptStart) error {
	at := t.at(a.At)
	err := t.guarded(`INSERT INTO electrons (dispatch, idx, name, status, executor, started_at) VALUES (?,?,?,'running',?,?)
		ON CONFLICT (dispatch, idx) DO UPDATE SET status = 'running', reason = NULL, waiting = NULL, error = NULL,
		executor = excluded.executor, started_at = coalesce(started_at, excluded.started_at) WHERE status = 'pending'`,
		dispatch, a.Electron, a.Name, a.Executor, at)
	if err != nil {
		return err
	}
	_, err = t.exec("INSERT INTO attempts (dispatch, electron, n, id, status, handle, started_at) VALUES (?,?,?,?,'running',?,?)",
		dispatch, a.Electron, a.N, a.ID, rawText(a.Handle), at)
	if err != nil || a.Reuse == "" {
		return err
	}
	return t.guarded("UPDATE electrons SET reuse = ? WHERE dispatch = ? AND idx = ?", a.Reuse, dispatch, a.Electron)
}

// stepAssets counts every place of the step that names an asset, and inserts those
// that are new.
func (t *tx) stepAssets(st *graph.Step) error {
	refs := map[string]int64{}
	for i := range st.Ends {
		countAsset(refs, st.Ends[i].Stdout)
		countAsset(refs, st.Ends[i].Stderr)
	}
	for i := range st.Electrons {
		c := &st.Electrons[i]
		countAsset(refs, c.Result)
		countAsset(refs, c.Pickle)
		for _, f := range c.Files {
			countAsset(refs, &f)
		}
		if c.Reused != nil {
			countAsset(refs, c.Reused.Stdout)
			countAsset(refs, c.Reused.Stderr)
		}
	}
	for i := range st.Assets {
		a := &st.Assets[i]
		if err := t.insertAsset(a, refs[a.SHA256]); err != nil {
			return err
		}
		delete(refs, a.SHA256)
	}
	for sha, n := range refs {
		switch err := t.referAsset(sha, n); {
		case errors.Is(err, ErrNotFound) && reuses(st):
			return graph.ErrStale // what was to be reused is gone
		case err != nil:
			return err
		}
	}
	return nil
}

func reuses(st *graph.Step) bool {
	return slices.ContainsFunc(st.Electrons, func(c graph.ElectronChange) bool { return c.Reused != nil })
}

func countAsset(refs map[string]int64, a *graph.Asset) {
	if a != nil {
		refs[a.SHA256]++
	}
}

// attemptNotes decodes what endAttempt wrote.
func attemptNotes(s string) ([]string, error) {
	if s == "" {
		return nil, nil
	}
	var notes []string
	err := json.Unmarshal([]byte(s), &notes)
	return notes, err
}
