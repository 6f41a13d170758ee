package dispatcher_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/dispatcher"
	"github.com/latticed/latticed/executors"
	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/store"
)

const one = "lattice: o\nelectrons:\n  a: {run: [x]}\n"

// firsts counts what is stored with its first attempts.
func (h *house) firsts() *atomic.Int64 {
	var n atomic.Int64
	h.st.onInsert(func(_ graph.Dispatch, do func() (graph.Dispatch, error)) (graph.Dispatch, error) {
		n.Add(1)
		return do()
	})
	return &n
}

func TestBegin_is_stored_with_the_dispatch(t *testing.T) {
	for name, c := range map[string]struct {
		doc    string
		firsts int64
		steps  int64
	}{
		"one":                      {one, 1, 1},
		"a chain":                  {two, 1, 2},
		"it knows its id":          {`{"lattice": "o", "electrons": {"a": {"run": ["x", "${{ dispatch.id }}"]}}}`, 1, 1},
		"it asks for its number":   {late(one), 0, 2},
		"its output asks for that": {one + "output: \"${{ dispatch.number }}\"\n", 1, 1},
		"a condition asks for it":  {"lattice: o\nelectrons:\n  a: {run: [x], if: \"${{ dispatch.number > 0 }}\"}\n", 0, 2},
		"something is skipped":     {one + "  b: {run: [x], if: false}\n", 0, 2},
		"nothing runs":             {"lattice: o\nelectrons:\n  a: {run: [x], if: false}\n", 0, 1},
		"an expression fails":      {"lattice: o\nelectrons:\n  a: {run: [x, \"${{ [1][5] }}\"]}\n", 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T) {
				p := newPlayer()
				var number atomic.Int64
				p.act = func(_ context.Context, task executors.Task, _ int) (executors.Result, error) {
					number.Store(task.Number)
					return value("1"), nil
				}
				h := newHouse(t, p).start()
				synctest.Wait()
				firsts := h.firsts()
				g := h.submit(c.doc, nil)
				if g.Status != graph.Pending || g.Number != 1 || g.RootID != g.ID {
					t.Errorf("it was accepted as %+v", g)
				}
				g = h.end(g.ID)
				synctest.Wait()
				if n, m := firsts.Load(), h.st.steps.Load(); n != c.firsts || m != c.steps {
					t.Errorf("%d began as they were stored, %d further steps", n, m)
				}
				if c.firsts > 0 && (!g.StartedAt.Equal(g.CreatedAt) || number.Load() != 1) {
					t.Errorf("it was created %v, began %v, and ran as number %d", g.CreatedAt, g.StartedAt, number.Load())
				}
				if s := h.d.Stats(); s.Live != 0 || s.Running["local"] != 0 || s.Restarts != 0 {
					t.Errorf("stats are %+v", s)
				}
			})
		})
	}
}

func TestBegin_waits_its_turn(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		p.act = patient(time.Minute)
		h := newHouse(t, p)
		h.opts.Window, h.opts.Parallel = 3, 1
		h.start()
		synctest.Wait()
		firsts := h.firsts()
		var last graph.Dispatch
		for range 5 { // one runs, two wait for its slot, and two for a place in the window
			last = h.submit(one, nil)
		}
		h.end(last.ID)
		synctest.Wait()
		if got := p.startOrder(); firsts.Load() != 1 || len(got) != 5 || got[0] != "1/a" || got[4] != "5/a" || p.most != 1 {
			t.Errorf("%d began as they were stored, order %v, %d at a time", firsts.Load(), got, p.most)
		}
		h.run(one, nil)
		if firsts.Load() != 2 {
			t.Error("when nothing waits any more, the next one does not begin as it is stored")
		}
	})
}

func TestBegin_starts_nothing_in_a_hold(t *testing.T) {
	simulate(t, func(t *testing.T) {
		h := newHouse(t, newPlayer()).start()
		synctest.Wait()
		firsts := h.firsts()
		h.d.Hold(dispatcher.HoldDisk, "full")
		g := h.submit(one, nil)
		time.Sleep(time.Minute)
		if got, err := h.st.Dispatch(t.Context(), g.ID); err != nil || got.Counts.Running != 0 || firsts.Load() != 0 {
			t.Errorf("it is %+v: %v", got, err)
		}
		h.d.Release(dispatcher.HoldDisk)
		if g = h.end(g.ID); g.Status != graph.Completed {
			t.Errorf("it ended %s", g.Status)
		}
	})
}

func TestBegin_that_is_refused_leaves_nothing(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		h := newHouse(t, p)
		h.opts.Parallel, h.opts.Window = 1, 1
		h.start()
		synctest.Wait()
		full := errors.New("no space left on device")
		h.st.onInsert(func(graph.Dispatch, func() (graph.Dispatch, error)) (graph.Dispatch, error) {
			return graph.Dispatch{}, full
		})
		for range 3 {
			if _, _, err := h.d.Accept(t.Context(), dispatcher.Request{Document: []byte(one), Owner: "ada"}); !errors.Is(err, full) {
				t.Fatalf("it was accepted: %v", err)
			}
		}
		synctest.Wait()
		if s := h.d.Stats(); s.Live != 0 || s.Running["local"] != 0 || s.Accepted != 0 || len(p.startOrder()) != 0 {
			t.Errorf("what was refused holds %+v, starts %v", s, p.startOrder())
		}
		h.firsts()
		if g := h.run(one, nil); g.Status != graph.Completed || g.Number != 1 {
			t.Errorf("the next one ended %+v", g)
		}
	})
}

func TestBegin_whose_answer_was_lost_runs_once(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		h := newHouse(t, p).start()
		synctest.Wait()
		h.st.onInsert(func(_ graph.Dispatch, do func() (graph.Dispatch, error)) (graph.Dispatch, error) {
			if _, err := do(); err != nil {
				return graph.Dispatch{}, err
			}
			return graph.Dispatch{}, errors.New("the answer got lost")
		})
		g := h.submit(two, nil)
		if end := h.end(g.ID); end.Status != graph.Completed || g.Number != 1 || p.starts(g.ID, "a") != 1 || p.starts(g.ID, "b") != 1 {
			t.Errorf("dispatch %d ended %s after %v", g.Number, end.Status, p.startOrder())
		}
	})
}

func TestBegin_a_repeated_key_begins_nothing_twice(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		h := newHouse(t, p).start()
		synctest.Wait()
		firsts := h.firsts()
		once := func() error {
			ctx := store.WithOnce(t.Context(), &store.Once{Principal: "ada", Route: "POST /x", Key: "k", Render: func(any) (store.Answer, bool, error) {
				return store.Answer{Status: 201}, true, nil
			}})
			_, _, err := h.d.Accept(ctx, dispatcher.Request{Document: []byte(one), Owner: "ada"})
			return err
		}
		if err := h.keep(one); err != nil { // so that the dispatch is what the key is for
			t.Fatal(err)
		}
		var again *store.ReplayedError
		if err := once(); err != nil {
			t.Fatal(err)
		}
		if err := once(); !errors.As(err, &again) {
			t.Errorf("the second time: %v", err)
		}
		synctest.Wait()
		if s := h.d.Stats(); firsts.Load() != 2 || len(p.startOrder()) != 1 || s.Live != 0 || s.Running["local"] != 0 {
			t.Errorf("%d tries, starts %v, %+v", firsts.Load(), p.startOrder(), s)
		}
	})
}

// keep stores a lattice.
func (h *house) keep(doc string) error {
	l, err := graph.Parse([]byte(doc))
	if err == nil {
		_, err = h.st.InsertLattice(h.t.Context(), l, false, "ada")
	}
	return err
}

func TestBegin_cancelled_before_it_could_start_never_starts(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		h := newHouse(t, p).start()
		synctest.Wait()
		h.st.onInsert(func(_ graph.Dispatch, do func() (graph.Dispatch, error)) (graph.Dispatch, error) {
			g, err := do()
			if err == nil { // somebody who lists dispatches has seen it at once
				h.cancel(g.ID)
			}
			return g, err
		})
		g := h.run(two, nil)
		if s := h.d.Stats(); g.Status != graph.Cancelled || p.starts(g.ID, "a") != 0 || s.Running["local"] != 0 {
			t.Errorf("it ended %s after %v: %+v", g.Status, p.startOrder(), s)
		}
	})
}

func TestBegin_crash_after_its_commit_is_made_up_for(t *testing.T) {
	for name, cancel := range map[string]bool{"it is started": false, "unless it was cancelled": true} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(t *testing.T) {
				p := newPlayer()
				h := newHouse(t, p).start()
				synctest.Wait()
				stored := make(chan string, 1)
				h.st.onInsert(func(_ graph.Dispatch, do func() (graph.Dispatch, error)) (graph.Dispatch, error) {
					g, err := do()
					stored <- g.ID
					panic(err) // this process dies here
				})
				func() {
					defer func() { _ = recover() }()
					h.submit(one, nil)
				}()
				id := <-stored
				if n := p.starts(id, "a"); n != 0 {
					t.Fatalf("it was started %d times before the crash", n)
				}
				want, starts := graph.Completed, 1
				if cancel {
					h.cancel(id)
					want, starts = graph.Cancelled, 0
				}
				h.reborn()
				g := h.end(id)
				if g.Status != want || p.starts(id, "a") != starts || len(h.electron(id, "a").Attempts) != 1 {
					t.Errorf("it ended %s after %d starts", g.Status, p.starts(id, "a"))
				}
			})
		})
	}
}

func TestBegin_while_run_ends_is_found_by_the_next(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		p.act = patient(time.Second)
		h := newHouse(t, p).start()
		synctest.Wait()
		stopping, stopped := make(chan struct{}), make(chan struct{})
		h.st.onInsert(func(_ graph.Dispatch, do func() (graph.Dispatch, error)) (graph.Dispatch, error) {
			close(stopping)
			time.Sleep(time.Second) // Run was told to end and waits
			return do()
		})
		go func() {
			<-stopping
			h.stop()
			close(stopped)
		}()
		g := h.submit(one, nil)
		<-stopped
		h.start()
		if g = h.end(g.ID); g.Status != graph.Completed || p.starts(g.ID, "a") != 1 || len(h.electron(g.ID, "a").Attempts) != 1 {
			t.Errorf("it ended %s after %v", g.Status, p.startOrder())
		}
	})
}

func TestBegin_is_not_for_what_may_reuse(t *testing.T) {
	simulate(t, func(t *testing.T) {
		h := newHouse(t, newPlayer()).start()
		synctest.Wait()
		parent := h.run(one, nil)
		firsts := h.firsts()
		g, _, err := h.d.Redispatch(t.Context(), parent.ID, dispatcher.Request{Owner: "ada", Reuse: true, Document: []byte("lattice: o\nelectrons:\n  a: {run: [y]}\n")})
		if err != nil {
			t.Fatal(err)
		}
		if g = h.end(g.ID); g.Status != graph.Completed || firsts.Load() != 0 {
			t.Errorf("it ended %s, %d began as they were stored", g.Status, firsts.Load())
		}
	})
}

func TestBegin_does_not_overtake_what_is_still_to_be_read(t *testing.T) {
	simulate(t, func(t *testing.T) {
		p := newPlayer()
		p.act = patient(time.Minute)
		h := newHouse(t, p)
		h.opts.Parallel = 1
		older := h.make().submit(one, nil) // nobody runs yet
		slow := func() error { time.Sleep(time.Second); return nil }
		h.st.pending.Store(&slow)
		firsts := h.firsts()
		h.start()
		synctest.Wait()
		g := h.end(h.submit(one, nil).ID)
		h.end(older.ID)
		if g.Number != 2 || firsts.Load() != 0 || len(p.startOrder()) != 2 {
			t.Errorf("dispatch %d, %d began as they were stored, starts %v", g.Number, firsts.Load(), p.startOrder())
		}
	})
}
