package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/store"
)

// inlineResult is the size up to which an electron's result is shown within it.
const inlineResult = 16 << 10

// orNull is nil for the empty text: what isn't there is null in answers.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func orEmpty(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage("{}")
	}
	return raw
}

func dispatchOf(d graph.Dispatch) Dispatch {
	out := Dispatch{
		ID: d.ID, Number: d.Number,
		Lattice: LatticeRef{ID: d.LatticeID, Name: d.LatticeName},
		Status:  string(d.Status), Reason: orNull(d.Reason), Waiting: waitingOf(d.Waiting),
		CancelRequestedAt: Micros(d.CancelRequestedAt),
		Inputs:            orEmpty(d.Inputs), Result: d.Result, Error: errorOf(d.Error),
		Labels: d.Labels, Note: d.Note, Keep: d.Keep,
		Owner: d.Owner, CreatedBy: d.CreatedBy, RunAs: d.RunAs,
		ParentID: orNull(d.ParentID), RootID: d.RootID,
		Trigger: orNull(d.Trigger), FiringID: orNull(d.FiringID),
		CreatedAt: Micros(d.CreatedAt), StartedAt: Micros(d.StartedAt), EndedAt: Micros(d.EndedAt),
		Counts: Counts(d.Counts), Seq: d.Seq,
	}
	if out.Labels == nil {
		out.Labels = Labels{}
	}
	return out
}

func waitingOf(w *graph.Waiting) *Waiting {
	if w == nil {
		return nil
	}
	out := &Waiting{Code: w.Code, Since: Micros(w.Since), Detail: w.Detail}
	if w.Until != nil {
		out.Until = Micros(*w.Until)
	}
	return out
}

func errorOf(e *graph.Error) *RunError {
	if e == nil {
		return nil
	}
	return &RunError{Code: e.Code, Message: e.Message, Electron: e.Electron, Attempt: e.Attempt}
}

// electronOf shows an electron; a small result is read and put in.
func (s *Server) electronOf(ctx context.Context, e graph.Electron) (Electron, error) {
	out := Electron{
		Name: e.Name, Status: string(e.Status), Reason: orNull(e.Reason), Waiting: waitingOf(e.Waiting),
		Executor: e.Executor, Error: errorOf(e.Error), ReusedFrom: orNull(e.ReusedFrom), Reuse: orNull(e.Reuse),
		StartedAt: Micros(e.StartedAt), EndedAt: Micros(e.EndedAt),
		Files: make(map[string]Asset, len(e.Files)), Attempts: make([]Attempt, 0, len(e.Attempts)),
	}
	for name, f := range e.Files {
		out.Files[name] = Asset{Sha256: f.SHA256, Size: f.Size}
	}
	for _, a := range e.Attempts {
		out.Attempts = append(out.Attempts, attemptOf(a))
	}
	if e.Result == nil {
		return out, nil
	}
	if e.Result.Size > inlineResult {
		out.ResultAsset = &Asset{Sha256: e.Result.SHA256, Size: e.Result.Size}
		return out, nil
	}
	raw, err := s.asset(ctx, e.Result.SHA256)
	if err != nil {
		return out, fmt.Errorf("result of electron %s: %w", e.Name, err)
	}
	out.Result = raw
	return out, nil
}

func (s *Server) asset(ctx context.Context, sha256 string) (_ []byte, err error) {
	f, err := s.o.Store.OpenAsset(ctx, sha256)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(f)
}

func attemptOf(a graph.Attempt) Attempt {
	out := Attempt{
		ID: a.ID, N: a.N, Status: string(a.Status), ExitCode: a.ExitCode, Signal: orNull(a.Signal),
		Handle: a.Handle, Error: errorOf(a.Error), StartedAt: Micros(a.StartedAt), EndedAt: Micros(a.EndedAt),
		WorkDir: orNull(a.WorkDir), Notes: a.Notes,
	}
	if a.Usage != nil {
		out.Usage = &Usage{CPUS: a.Usage.CPU, MaxRssBytes: a.Usage.MaxRSS, WallS: a.Usage.Wall}
	}
	if out.Notes == nil {
		out.Notes = []string{}
	}
	return out
}

func latticeOf(l store.LatticeInfo) Lattice {
	out := Lattice{
		ID: l.ID, Name: l.Name, Names: l.Names, Description: l.Description, Electrons: l.Electrons,
		Owner: l.Owner, CreatedBy: l.CreatedBy, CreatedAt: Micros(l.CreatedAt), Document: l.Document,
	}
	if out.Names == nil {
		out.Names = []string{}
	}
	return out
}

func warningsOf(ws []graph.Warning) []Warning {
	out := make([]Warning, 0, len(ws))
	for _, w := range ws {
		out = append(out, Warning(w))
	}
	return out
}

// seconds is the age of an instant, 0 when there is none.
func seconds(since, now time.Time) float64 {
	if since.IsZero() || since.After(now) {
		return 0
	}
	return now.Sub(since).Seconds()
}
