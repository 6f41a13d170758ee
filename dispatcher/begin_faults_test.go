package dispatcher_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/dispatcher"
	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

var errLost = errors.New("the answer got lost")

// blind lets nothing be read of dispatches for a while.
func (h *house) blind(d time.Duration) {
	until := time.Now().Add(d)
	look := func() error {
		if time.Now().Before(until) {
			return errors.New("it can't be read")
		}
		return nil
	}
	h.st.look.Store(&look)
}

func TestBegin_that_may_be_stored_is_looked_for_until_that_is_known(t *testing.T) {
	for name, stored := range map[string]bool{"it is": true, "it is not": false} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T) {
				p := newPlayer()
				h := newHouse(t, p).start()
				synctest.Wait()
				var id atomic.Value
				h.st.onInsert(func(g graph.Dispatch, do func() (graph.Dispatch, error)) (graph.Dispatch, error) {
					id.Store(g.ID)
					if stored {
						_, _ = do()
					}
					return graph.Dispatch{}, errLost
				})
				h.blind(time.Hour)
				if _, _, err := h.d.Accept(t.Context(), dispatcher.Request{Document: []byte(two), Owner: "ada"}); !errors.Is(err, errLost) {
					t.Fatalf("it was accepted: %v", err)
				}
				time.Sleep(time.Minute)
				if n := p.starts(id.Load().(string), "a"); n != 0 {
					t.Errorf("it was started %d times before it was known", n)
				}
				time.Sleep(2 * time.Hour)
				starts := 0
				if stored {
					starts = 1
					if g := h.end(id.Load().(string)); g.Status != graph.Completed {
						t.Errorf("it ended %s", g.Status)
					}
				}
				synctest.Wait()
				s := h.d.Stats()
				if n := p.starts(id.Load().(string), "b"); n != starts || s.Live != 0 || s.Running["local"] != 0 {
					t.Errorf("%d starts, %+v", n, s)
				}
			})
		})
	}
}

func TestBegin_that_may_be_stored_keeps_nobody_from_stopping(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		h := newHouse(t, p).start()
		synctest.Wait()
		var id string
		h.st.onInsert(func(g graph.Dispatch, do func() (graph.Dispatch, error)) (graph.Dispatch, error) {
			id = g.ID
			_, _ = do()
			return graph.Dispatch{}, errLost
		})
		h.blind(time.Hour)
		_, _, _ = h.d.Accept(t.Context(), dispatcher.Request{Document: []byte(one), Owner: "ada"})
		h.stop()
		h.start()
		if g := h.end(id); g.Status != graph.Completed || p.starts(id, "a") != 1 {
			t.Errorf("it ended %s after %d starts", g.Status, p.starts(id, "a"))
		}
	})
}

// forgetful is a ledger whose first answers get lost, before or after the commit.
type forgetful struct {
	triggers.Ledger
	lost   *int
	stored bool
}

func (l forgetful) Fire(ctx context.Context, id string, revision int, ds []triggers.Decision) (triggers.Fired, error) {
	if *l.lost--; *l.lost < 0 {
		return l.Ledger.Fire(ctx, id, revision, ds)
	}
	if l.stored {
		_, _ = l.Ledger.Fire(ctx, id, revision, ds)
	}
	return triggers.Fired{}, errLost
}

func TestLedger_a_firing_that_is_tried_again_starts_once(t *testing.T) {
	for _, c := range []struct{ stored, blind bool }{{false, false}, {false, true}, {true, false}, {true, true}} {
		t.Run(fmt.Sprintf("stored %v, blind %v", c.stored, c.blind), func(t *testing.T) {
			simulate(t, func(t *testing.T) {
				p := newPlayer()
				p.act = patient(time.Minute)
				h := newHouse(t, p).start()
				synctest.Wait()
				f := h.trigger(one)
				e, d := f.draft(1)
				held := triggers.Decision{EventIDs: d.EventIDs, State: triggers.EventHeld, Reason: triggers.ReasonBacklog}
				if _, err := h.st.Record(t.Context(), f.tr.ID, 1, triggers.Batch{Events: []triggers.Event{e}}, []triggers.Decision{held}); err != nil {
					t.Fatal(err)
				}
				if c.blind {
					h.blind(10 * time.Second)
				}
				lost := 1
				l := h.d.Ledger(forgetful{h.st, &lost, c.stored})
				ds := []triggers.Decision{d}
				if _, err := l.Fire(t.Context(), f.tr.ID, 1, ds); !errors.Is(err, errLost) {
					t.Fatal(err)
				}
				if _, err := l.Fire(t.Context(), f.tr.ID, 1, ds); err != nil { // the same dispatch
					t.Fatal(err)
				}
				time.Sleep(30 * time.Second)
				id := d.Dispatches[0].ID
				h.cancel(id) // whoever walks it hears of that
				if g := h.end(id); g.Status != graph.Cancelled || p.starts(id, "a") != 1 {
					t.Errorf("it ended %s after %d starts", g.Status, p.starts(id, "a"))
				}
				synctest.Wait()
				if s := h.d.Stats(); s.Live != 0 || s.Running["local"] != 0 || s.Restarts != 0 {
					t.Errorf("stats are %+v", s)
				}
			})
		})
	}
}

func TestBegin_with_an_electron_cancelled_at_once(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		p.act = patient(time.Hour)
		h := newHouse(t, p).start()
		synctest.Wait()
		h.st.onInsert(func(_ graph.Dispatch, do func() (graph.Dispatch, error)) (graph.Dispatch, error) {
			g, err := do()
			if err == nil {
				h.cancelElectrons(g.ID, "a")
			}
			return g, err
		})
		g := h.run("lattice: o\nelectrons:\n  a: {run: [x]}\n  b: {run: [x], wait_for: [a]}\n  c: {run: [x]}\n", nil)
		h.expect(g.ID, map[string]graph.Status{"a": graph.Cancelled, "b": graph.Cancelled, "c": graph.Completed})
		if p.starts(g.ID, "b") != 0 || p.starts(g.ID, "c") != 1 {
			t.Errorf("starts %v", p.startOrder())
		}
	})
}

func TestBegin_takes_slots_that_come_free_while_it_is_stored(t *testing.T) {
	for name, refused := range map[string]bool{"it is stored": false, "it is refused": true} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T) {
				p := newPlayer()
				p.act = patient(time.Minute)
				h := newHouse(t, p)
				h.opts.Parallel = 2
				h.start()
				synctest.Wait()
				before := h.submit(one, nil)
				synctest.Wait()
				h.st.onInsert(func(_ graph.Dispatch, do func() (graph.Dispatch, error)) (graph.Dispatch, error) {
					h.end(before.ID)
					time.Sleep(time.Second)
					if s := h.d.Stats(); s.Running["local"] != 2 {
						t.Errorf("while it is stored: %+v", s)
					}
					if refused {
						return graph.Dispatch{}, errors.New("no")
					}
					return do()
				})
				g, _, err := h.d.Accept(t.Context(), dispatcher.Request{Document: []byte("lattice: w\nelectrons:\n  a: {run: [x]}\n  b: {run: [x]}\n  c: {run: [x]}\n"), Owner: "ada"})
				if refused != (err != nil) {
					t.Fatal(err)
				}
				if refused {
					if s := h.d.Stats(); s.Live != 0 || s.Running["local"] != 0 {
						t.Errorf("it holds %+v", s)
					}
					h.st.insert.Store(nil)
					g = h.submit("lattice: w\nelectrons:\n  a: {run: [x]}\n  b: {run: [x]}\n", nil)
				}
				time.Sleep(time.Second)
				if s := h.d.Stats(); s.Running["local"] != 2 {
					t.Errorf("afterwards: %+v", s)
				}
				if g = h.end(g.ID); g.Status != graph.Completed || p.most != 2 {
					t.Errorf("it ended %s, %d at a time", g.Status, p.most)
				}
				synctest.Wait()
				if s := h.d.Stats(); s.Running["local"] != 0 {
					t.Errorf("at the end: %+v", s)
				}
			})
		})
	}
}

func TestBegin_a_hold_that_comes_while_it_is_stored_holds_what_follows(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		h := newHouse(t, p).start()
		synctest.Wait()
		h.st.onInsert(func(_ graph.Dispatch, do func() (graph.Dispatch, error)) (graph.Dispatch, error) {
			h.d.Hold(dispatcher.HoldDisk, "full")
			return do()
		})
		g := h.submit(two, nil)
		time.Sleep(time.Minute)
		if p.starts(g.ID, "a") != 1 || p.starts(g.ID, "b") != 0 {
			t.Errorf("in the hold it started %v", p.startOrder())
		}
		if g, err := h.st.Dispatch(t.Context(), g.ID); err != nil || g.Waiting == nil || g.Waiting.Code != dispatcher.HoldDisk {
			t.Errorf("it shows %+v: %v", g.Waiting, err)
		}
		h.d.Release(dispatcher.HoldDisk)
		if g = h.end(g.ID); g.Status != graph.Completed {
			t.Errorf("it ended %s", g.Status)
		}
	})
}

func TestBegin_retries_and_unknown_executors_go_on_as_ever(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		p.act = func(_ context.Context, task executors.Task, try int) (executors.Result, error) {
			if task.Electron == "a" && try < 3 {
				return failure("exit_code"), nil
			}
			return value("1"), nil
		}
		h := newHouse(t, p).start()
		synctest.Wait()
		firsts := h.firsts()
		g := h.submit("lattice: o\nelectrons:\n  a: {run: [x], retries: {max: 3, backoff: 1s}}\n  b: {run: [x], executor: slurm}\n", nil)
		time.Sleep(time.Hour)
		got, err := h.st.Dispatch(t.Context(), g.ID)
		if err != nil || firsts.Load() != 1 || got.Status != graph.Running || got.Waiting == nil || got.Waiting.Code != "executor" {
			t.Errorf("%d began as stored; it is %+v: %v", firsts.Load(), got, err)
		}
		if e := h.electron(g.ID, "a"); e.Status != graph.Completed || len(e.Attempts) != 3 {
			t.Errorf("a is %s after %d attempts", e.Status, len(e.Attempts))
		}
		h.cancel(g.ID)
		h.end(g.ID)
	})
}

// rash panics the first time it is asked for a handle.
type rash struct {
	*player
	asked atomic.Int64
}

func (r *rash) Handle(attempt string) json.RawMessage {
	if r.asked.Add(1) == 1 {
		panic("no handle")
	}
	return r.player.Handle(attempt)
}

func TestBegin_that_panics_goes_the_long_way(t *testing.T) {
	simulate(t, func(t *testing.T) {
		h := newHouse(t, &rash{player: newPlayer()}).start()
		synctest.Wait()
		firsts := h.firsts()
		g := h.run(two, nil)
		synctest.Wait()
		if s := h.d.Stats(); g.Status != graph.Completed || firsts.Load() != 0 || s.Live != 0 || s.Running["local"] != 0 {
			t.Errorf("it ended %s, %+v", g.Status, s)
		}
	})
}

func TestBegin_crowds_lose_and_double_nothing(t *testing.T) {
	p := newPlayer()
	p.act = patient(time.Millisecond)
	h := newHouse(t, p)
	h.opts.Window, h.opts.Parallel = 16, 4
	h.start()
	h.run(late(one), nil)
	h.st.onInsert(func(_ graph.Dispatch, do func() (graph.Dispatch, error)) (graph.Dispatch, error) {
		switch rand.N(6) {
		case 0:
			return graph.Dispatch{}, errors.New("refused")
		case 1:
			_, _ = do()
			return graph.Dispatch{}, errLost
		case 2:
			g, err := do()
			if err == nil {
				h.cancel(g.ID)
			}
			return g, err
		}
		return do()
	})
	f := h.trigger(one)
	l := h.d.Ledger(h.st)
	var mu sync.Mutex
	var ids []string
	var drafts sync.Mutex
	var crowd sync.WaitGroup
	for i := range 64 {
		crowd.Go(func() {
			for range 4 {
				if i%4 == 0 {
					drafts.Lock()
					e, d := f.draft(2)
					drafts.Unlock()
					rec, err := l.Record(t.Context(), f.tr.ID, 1+i/4%4/3, triggers.Batch{Events: []triggers.Event{e}}, []triggers.Decision{d}) // some of a revision that isn't
					if err != nil && !errors.Is(err, triggers.ErrRevised) {
						t.Error(err)
					}
					mu.Lock()
					for _, g := range rec.Dispatches {
						ids = append(ids, g.ID)
					}
					mu.Unlock()
					continue
				}
				g, _, err := h.d.Accept(t.Context(), dispatcher.Request{Document: []byte(two), Owner: "ada"})
				if err == nil {
					mu.Lock()
					ids = append(ids, g.ID)
					mu.Unlock()
				}
			}
		})
	}
	crowd.Wait()
	for _, id := range ids {
		g := h.end(id)
		if n := p.starts(id, "a"); n > 1 || n == 0 && g.Status == graph.Completed {
			t.Errorf("dispatch %d ended %s after %d starts", g.Number, g.Status, n)
		}
	}
	h.stop()
	if s := h.d.Stats(); s.Live != 0 || s.Running["local"] != 0 || s.Restarts != 0 || p.most > 4 || len(p.overlaps) > 0 {
		t.Errorf("%+v, %d at a time, twice at once: %v", s, p.most, p.overlaps)
	}
	if open, err := h.st.Live(t.Context(), 0, 99); err != nil || len(open) != 0 {
		t.Errorf("%d are left running: %v", len(open), err)
	}
	if open, err := h.st.Pending(t.Context(), 99, func(int64) bool { return false }); err != nil || len(open) != 0 {
		t.Errorf("%d are left waiting: %v", len(open), err)
	}
}
