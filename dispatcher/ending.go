package dispatcher

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
)

// ending is how an attempt ended, ready to be recorded: its large files are staged.
type ending struct {
	record    graph.AttemptEnd
	assets    []graph.NewAsset
	raw       json.RawMessage // the result
	result    *graph.Asset
	pickle    *graph.Asset
	files     map[string]graph.Asset
	print     json.RawMessage // the fingerprint of what completed
	permanent bool            // another attempt would end the same way
	release   func(keep bool)
}

// preserve stores what an attempt left, for as long as that takes; nil when it is
// told to stop before: then the executor is asked again by the next process.
func (k *walk) preserve(ctx context.Context, a *attempt, res executors.Result, v verdict) *ending {
	for n := 1; ; n++ {
		e, err := k.assets(res)
		if err == nil {
			e.record = record(a, res, v)
			e.record.Stdout, e.record.Stderr = e.stdout, e.stderr
			e.permanent, e.release = v.permanent, res.Release
			if e.record.Status == graph.Completed {
				e.print = k.fingerprint(a)
			}
			return &e.ending
		}
		k.w.d.count.storeErrors.Add(1)
		k.w.log.Error().AnErr(keyErr, err).Str(keyElectron, a.name).Str(keyAttempt, a.id).
			Msg("what an attempt left could not be stored")
		k.tell(news{attempt: a, trouble: trouble{code: waitStore, detail: err.Error()}})
		if !k.pause(ctx, n) {
			return nil
		}
	}
}

// record says how an attempt ended, without its assets.
func record(a *attempt, res executors.Result, v verdict) graph.AttemptEnd {
	r := graph.AttemptEnd{
		Electron: a.electron, N: a.n, ID: a.id,
		ExitCode: res.ExitCode, Signal: res.Signal, Handle: res.Handle, Usage: res.Usage,
		Notes: res.Notes, At: res.EndedAt,
	}
	if r.At.IsZero() {
		r.At = time.Now()
	}
	err := res.Error
	switch {
	case v.status != "":
		r.Status = v.status
		if err == nil {
			err = v.err
		}
	case res.Cancelled:
		r.Status = graph.Cancelled
		if err == nil {
			err = cancelledError()
		}
	case err != nil:
		r.Status = graph.Failed
	default:
		r.Status = graph.Completed
		return r
	}
	named := *err
	named.Electron, named.Attempt = a.name, a.id
	r.Error = &named
	if keeps(r.Status) {
		r.WorkDir = res.WorkDir
	}
	return r
}

// keeps tells whether the directory of an attempt is worth a later look.
func keeps(s graph.Status) bool { return s == graph.Failed || s == graph.Lost }

// collected is an ending while its assets are gathered.
type collected struct {
	ending
	stdout, stderr *graph.Asset
}

// assets stores or packs the bytes of a result.
func (k *walk) assets(res executors.Result) (c collected, err error) {
	keep := func(f *executors.File) *graph.Asset {
		if f == nil || err != nil {
			return nil
		}
		var n graph.NewAsset
		if n, err = k.keep(f); err != nil {
			err = fmt.Errorf("%s: %w", f.Name, err)
			return nil
		}
		c.assets = append(c.assets, n)
		return &n.Asset
	}
	if res.Value != nil {
		c.raw = res.Value
		c.result = keep(&executors.File{Name: "result", Size: int64(len(res.Value)), Data: res.Value})
	}
	c.pickle = keep(res.Pickle)
	c.stdout, c.stderr = keep(res.Stdout), keep(res.Stderr)
	for name, f := range res.Outputs {
		if a := keep(&f); a != nil {
			if c.files == nil {
				c.files = make(map[string]graph.Asset, len(res.Outputs))
			}
			c.files[name] = *a
		}
	}
	return c, err
}

// keep packs a small file into the step and stages a large one.
func (k *walk) keep(f *executors.File) (graph.NewAsset, error) {
	var r io.Reader = bytes.NewReader(f.Data)
	if f.Data == nil && f.Open != nil {
		file, err := f.Open()
		if err != nil {
			return graph.NewAsset{}, err
		}
		defer file.Close()
		r = file
	}
	if f.Size > inlineMax || len(f.Data) > inlineMax {
		return k.w.d.store.StageAsset(k.ctx, r)
	}
	b := f.Data
	if b == nil {
		var err error
		if b, err = io.ReadAll(io.LimitReader(r, inlineMax+1)); err != nil {
			return graph.NewAsset{}, err
		}
		if len(b) > inlineMax { // it has grown
			return k.w.d.store.StageAsset(k.ctx, io.MultiReader(bytes.NewReader(b), r))
		}
	}
	sum := sha256.Sum256(b)
	return graph.NewAsset{
		Asset: graph.Asset{SHA256: hex.EncodeToString(sum[:]), Size: int64(len(b))}, Data: notNil(b),
	}, nil
}

// released lets go of an attempt whose end is durable.
func (w *walker) released(a *attempt, e ending) {
	s := e.record.Status
	if e.release != nil {
		if err := guard(func() error { e.release(keeps(s)); return nil }); err != nil {
			w.log.Error().AnErr(keyErr, err).Str(keyAttempt, a.id).Msg("attempt could not be released")
		}
	}
	w.d.disown(a.id)
	w.d.count.attempts[s].Add(1)
	l := w.log.Info().Str(keyElectron, a.name).Str(keyAttempt, a.id).Str(keyExecutor, a.executor).
		Str(keyStatus, string(s)).Dur(keyDur, e.record.At.Sub(a.begun))
	if e.record.Error != nil {
		l = l.Str(keyReason, e.record.Error.Code).Str(keyErr, e.record.Error.Message)
	}
	l.Msg("attempt ended")
}
