package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// childDir names the state directory of a child that writes until it is killed.
const childDir = "LATTICED_STORE_TEST_CHILD"

// childMain writes from several goroutines and says on stdout what was acknowledged.
func childMain(dir string) int {
	s, err := Open(context.Background(), dir, Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	l, err := s.Lattice(context.Background(), "x")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	tr, err := s.Trigger(context.Background(), "a")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var mu sync.Mutex
	say := func(words ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Println(words...) // one write(2)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { childDispatches(s, l, say) })
	}
	wg.Go(func() { childEvents(s, tr, l, say) })
	wg.Wait()
	return 1 // they end only with an error
}

func childDispatches(s *Store, l *graph.Lattice, say func(...any)) {
	for {
		d, err := s.InsertDispatch(context.Background(), dispatchOf(l))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
		say("dispatch", d.ID, d.Number)
		pending, err := s.Pending(context.Background(), 2, none)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
		for _, p := range pending {
			a, err := s.StageAsset(context.Background(), strings.NewReader(strings.Repeat("x", inlineMax+int(p.Number))))
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				return
			}
			first := stepOne(p.ID)
			first.Begin = time.Now()
			if err := s.Advance(context.Background(), first); errors.Is(err, graph.ErrStale) {
				continue // another was faster
			} else if err != nil {
				fmt.Fprintln(os.Stderr, err)
				return
			}
			c := graph.ElectronChange{Electron: 0, Name: "e0", From: graph.Running, To: graph.Completed, Result: &a.Asset}
			last := graph.Step{Dispatch: p.ID, Assets: []graph.NewAsset{a}, Electrons: []graph.ElectronChange{c}, Finish: &graph.DispatchEnd{Status: graph.Completed}}
			if err := s.Advance(context.Background(), last); err != nil {
				fmt.Fprintln(os.Stderr, err)
				return
			}
			say("finished", p.ID, a.SHA256)
		}
	}
}

func childEvents(s *Store, tr triggers.Trigger, l *graph.Lattice, say func(...any)) {
	for {
		key, err := newID()
		if err != nil {
			return
		}
		e := triggers.Event{ID: key, Key: key, Kind: "ready"}
		b := triggers.Batch{Cursor: []byte(`"` + key + `"`), Events: []triggers.Event{e}, Entities: []triggers.Change{{Key: []byte(key), Version: "1"}}}
		if _, err := s.Record(context.Background(), tr.ID, 1, b, fired(e, dispatchOf(l))); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
		say("event", key)
		if err := childAmends(s, tr, l, say); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
	}
}

// childAmends holds an event, makes it whole, and lets what it fires replace the
// oldest dispatch.
func childAmends(s *Store, tr triggers.Trigger, l *graph.Lattice, say func(...any)) error {
	key, err := newID()
	if err != nil {
		return err
	}
	e := triggers.Event{ID: key, Key: key, Kind: "ready", Payload: []byte(`{"whole":0}`)}
	b := triggers.Batch{Cursor: []byte(`"` + key + `"`), Events: []triggers.Event{e}, Entities: []triggers.Change{{Key: []byte(key), Version: "1"}}}
	held := []triggers.Decision{{EventIDs: []string{e.ID}, State: triggers.EventHeld, Reason: "incomplete"}}
	if _, err := s.Record(context.Background(), tr.ID, 1, b, held); err != nil {
		return err
	}
	whole := triggers.Event{ID: "another", Key: key, Kind: "ready", Payload: []byte(`{"whole":1}`), Amends: true}
	if _, err := s.Record(context.Background(), tr.ID, 1, triggers.Batch{Events: []triggers.Event{whole}}, nil); err != nil {
		return err
	}
	say("amended", key)
	out, err := s.Fire(context.Background(), tr.ID, 1, append(fired(e, dispatchOf(l)), triggers.Decision{Cancel: 1}))
	for _, id := range out.Cancelled {
		say("cancelled", id)
	}
	return err
}

// TestKill kills a writing process again and again: what it acknowledged is there,
// nothing is there twice, and nothing is half.
func TestKill(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	s := openAt(t, dir, Options{})
	l := withLattice(t, s, "x", 1)
	target := dispatchOf(l)
	target.Status = graph.New
	tr := must(s.CreateTrigger(t.Context(), triggerOn(insert(t, s, target), "a")))(t)
	acked := map[string][]string{}
	for range 5 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(killedChild(t, dir, 20+rand.IntN(150))) {
			if words := strings.Fields(line); len(words) > 1 && strings.HasSuffix(line, "\n") {
				acked[words[0]] = append(acked[words[0]], line)
			}
		}
		s = openAt(t, dir, Options{})
		checkWhole(t, s)
	}
	for _, line := range acked["dispatch"] {
		var id string
		var number int64
		if _, err := fmt.Sscanf(line, "dispatch %s %d", &id, &number); err != nil {
			t.Fatal(err)
		}
		if d := must(s.Dispatch(t.Context(), id))(t); d.Number != number {
			t.Errorf("dispatch %s has number %d, was told %d", id, d.Number, number)
		}
	}
	for _, line := range acked["finished"] {
		var id, sha string
		if _, err := fmt.Sscanf(line, "finished %s %s", &id, &sha); err != nil {
			t.Fatal(err)
		}
		if d := must(s.Dispatch(t.Context(), id))(t); d.Status != graph.Completed {
			t.Errorf("dispatch %s is %s", id, d.Status)
		}
		r := must(s.OpenAsset(t.Context(), sha))(t)
		if n, err := io.Copy(io.Discard, r); err != nil || n <= inlineMax {
			t.Errorf("asset %s: %d bytes, %v", sha, n, err)
		}
		r.Close()
	}
	for _, line := range acked["event"] {
		id := strings.Fields(line)[1]
		if e := must(s.Event(t.Context(), tr.ID, id))(t); e.State != triggers.EventFired {
			t.Errorf("event %s is %s", id, e.State)
		}
	}
	for _, line := range acked["amended"] {
		id := strings.Fields(line)[1]
		if e := must(s.Event(t.Context(), tr.ID, id))(t); string(e.Payload) != `{"whole":1}` || e.State == triggers.EventHeld && e.Reason != triggers.ReasonBacklog {
			t.Errorf("event %+v is not amended", e)
		}
	}
	for _, line := range acked["cancelled"] {
		id := strings.Fields(line)[1]
		if d := must(s.Dispatch(t.Context(), id))(t); d.CancelRequestedAt.IsZero() {
			t.Errorf("dispatch %s is %s and was not asked to end", id, d.Status)
		}
	}
	if len(acked["dispatch"]) == 0 || len(acked["amended"]) == 0 || len(acked["cancelled"]) == 0 || len(acked["event"]) == 0 || len(acked["finished"]) == 0 {
		t.Errorf("the children did nothing: %v", acked)
	}
}

// killedChild runs a child until it has said some lines, and returns all it said.
func killedChild(t *testing.T, dir string, lines int) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	r := bufio.NewReader(out)
	for range lines {
		line, err := r.ReadString('\n')
		said.WriteString(line)
		if err != nil {
			t.Fatalf("the child ended by itself: %s", complaints.String())
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	said.Write(rest)
	_ = cmd.Wait() // it was killed
	return said.String()
}

// checkWhole looks for halves: rows that don't fit together.
func checkWhole(t *testing.T, s *Store) {
	t.Helper()
	for _, pragma := range []string{"pragma_integrity_check WHERE integrity_check <> 'ok'", "pragma_foreign_key_check"} {
		if n := rows(t, s, pragma); n != 0 {
			t.Errorf("%s finds %d", pragma, n)
		}
	}
	for name, q := range map[string]string{
		"fired events without a dispatch": `events e WHERE e.state = 'fired' AND NOT EXISTS
			(SELECT 1 FROM firings f JOIN dispatches d ON d.id = f.dispatches ->> 0 WHERE f.n = e.firing AND d.firing_id = f.id)`,
		"events without their entity":    "events e WHERE NOT EXISTS (SELECT 1 FROM entities x WHERE x.trigger = e.trigger AND x.key = CAST(e.key AS BLOB))",
		"dispatches without an event":    "dispatches d WHERE d.trigger IS NOT NULL AND (SELECT count(*) FROM events e JOIN firings f ON f.n = e.firing WHERE f.id = d.firing_id) <> 1",
		"a cursor that is not the last":  "cursors c WHERE c.data <> (SELECT '\"' || key || '\"' FROM events ORDER BY n DESC LIMIT 1)",
		"counts that don't fit":          "dispatches d WHERE d.running + d.completed <> (SELECT count(*) FROM electrons e WHERE e.dispatch = d.number)",
		"events amended by half":         "events WHERE state <> 'fired' AND (payload ->> 'whole' = 1) <> (reason = 'backlog')",
		"dispatches ended unasked":       "dispatches WHERE status = 'cancelled' AND (cancel_requested_at IS NULL OR ended_at IS NULL OR cancelled <> total)",
		"running electrons of ended":     "dispatches d JOIN electrons e ON e.dispatch = d.number WHERE d.status = 'completed' AND e.status <> 'completed'",
		"assets counted wrong":           "assets a LEFT JOIN (SELECT result, count(*) AS n FROM electrons GROUP BY result) e ON e.result = a.sha256 WHERE a.refs <> coalesce(e.n, 0)",
		"numbers that don't go on":       "dispatches WHERE (SELECT max(number) FROM dispatches) <> (SELECT count(*) FROM dispatches)",
		"sequence numbers given to both": "dispatches d JOIN events e ON e.seq = d.seq",
	} {
		if n := rows(t, s, q); n != 0 {
			t.Errorf("%d %s", n, name)
		}
	}
	checkCounts(t, s)
	files := map[string]bool{}
	for _, f := range filesOf(t, s) {
		files[f] = true
	}
	if n := rows(t, s, "assets WHERE data IS NULL"); n != len(files) {
		t.Errorf("%d files for %d assets", len(files), n)
	}
}

// checkCounts compares what is counted in memory with the rows.
func checkCounts(t *testing.T, s *Store) {
	t.Helper()
	for _, tr := range must(s.Triggers(t.Context()))(t) {
		of := "trigger = (SELECT n FROM triggers WHERE id = '" + tr.ID + "')"
		live := "dispatches WHERE " + of + " AND (status = 'new' OR status = 'pending' OR status = 'running')"
		want := triggers.Counts{
			Pending: int64(rows(t, s, "events WHERE "+of+" AND firing IS NULL")), InFlight: rows(t, s, live), Ending: rows(t, s, live+" AND cancel_requested_at IS NOT NULL"),
		}
		if c := must(s.Counts(t.Context(), tr.ID))(t); c != want {
			t.Errorf("counts of %s are %+v, want %+v", tr.Name, c, want)
		}
	}
}
