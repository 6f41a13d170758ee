package triggers_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

func TestExplain(t *testing.T) {
	about := func(key, path string) triggers.Batch {
		return triggers.Batch{Events: []triggers.Event{{Key: key, Kind: "ready", Payload: json.RawMessage(fmt.Sprintf(`{"path":%q,"n":1}`, path))}}}
	}
	t.Run("tells_the_rule_and_the_events_of_a_file_and_its_unit", func(t *testing.T) { // pain point 43
		inBubble(t, func(t *testing.T, w *world) {
			tr := w.add(`"overlap": "allow"`)
			w.feed.covers = "/in/"
			until := time.Now().Add(5 * time.Second)
			w.feed.explain = func(_ context.Context, path string) (triggers.Finding, error) {
				if path != "/in/run/a.tif" {
					t.Error(path)
				}
				return triggers.Finding{State: triggers.FindingSettling, Detail: "not quiet for 10s", Unit: "/in/run", Until: until}, nil
			}
			for _, b := range []triggers.Batch{about("a", "/in/run/a.tif"), about("b", "/in/run/b.tif"), about("run", "/in/run")} {
				if err := w.emit(b); err != nil {
					t.Fatal(err)
				}
			}
			for _, trigger := range []string{"", "t", tr.ID} {
				es, err := w.manager.Explain(t.Context(), "/in/run/../run/a.tif", trigger)
				if err != nil || len(es) != 1 {
					t.Fatal(es, err)
				}
				e := es[0]
				if e.Trigger.ID != tr.ID || e.Trigger.State != triggers.Active || e.Finding.State != triggers.FindingSettling || !e.Finding.Until.Equal(until) {
					t.Errorf("%+v", e)
				}
				if len(e.Events) != 2 || e.Events[0].Key != "run" || e.Events[1].Key != "a" || e.Events[0].FiringID == "" {
					t.Errorf("%+v", e.Events)
				}
			}
		})
	})

	t.Run("asks_the_triggers_that_cover_the_path_only", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(``)
			w.feed.covers = "/in/"
			if es, err := w.manager.Explain(t.Context(), "/out/a", ""); err != nil || len(es) != 0 {
				t.Error(es, err)
			}
			es, err := w.manager.Explain(t.Context(), "/out/a", "t")
			if err != nil || len(es) != 1 || es[0].Finding.State != triggers.FindingIgnored || !strings.Contains(es[0].Finding.Detail, "not inside") {
				t.Error(es, err)
			}
		})
	})

	t.Run("refuses_what_it_can_not_look_for", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			var invalid *graph.Invalid
			if _, err := w.manager.Explain(t.Context(), "a.tif", ""); !errors.As(err, &invalid) {
				t.Error(err)
			}
			if _, err := w.manager.Explain(t.Context(), "/a.tif", "nope"); !errors.Is(err, triggers.ErrNotFound) {
				t.Error(err)
			}
		})
	})

	t.Run("says_so_when_a_folder_does_not_answer", func(t *testing.T) {
		inBubble(t, func(t *testing.T, w *world) {
			w.add(``)
			w.feed.covers = "/"
			hung := make(chan struct{})
			w.feed.explain = func(context.Context, string) (triggers.Finding, error) {
				<-hung
				return triggers.Finding{State: triggers.FindingReported}, nil
			}
			begin := time.Now()
			es, err := w.manager.Explain(t.Context(), "/a", "")
			if err != nil || len(es) != 1 || es[0].Finding.State != triggers.FindingUnseen || es[0].Trigger.Name != "t" || time.Since(begin) > 21*time.Second {
				t.Error(es, err)
			}
			if es, err = w.manager.Explain(t.Context(), "/a", "t"); err != nil || es[0].Finding.State != triggers.FindingUnseen || !strings.Contains(es[0].Finding.Detail, "no answer") {
				t.Error(es, err)
			}
			close(hung)
			synctest.Wait()
			w.feed.explain = func(context.Context, string) (triggers.Finding, error) {
				return triggers.Finding{}, errors.New("permission denied")
			}
			if es, err = w.manager.Explain(t.Context(), "/a", ""); err != nil || !strings.Contains(es[0].Finding.Detail, "permission denied") {
				t.Error(es, err)
			}
		})
	})

	t.Run("of_a_kind_without_paths_says_so", func(t *testing.T) {
		_, m := bareManager(t)
		if _, _, err := m.Add(t.Context(), []byte(`{"name": "b", "kind": "bare", "lattice": "echo"}`), triggers.Principal{}); err != nil {
			t.Fatal(err)
		}
		es, err := m.Explain(t.Context(), "/a", "b")
		if err != nil || !strings.Contains(es[0].Finding.Detail, "bare watches no paths") {
			t.Error(es, err)
		}
	})
}

func TestExplain_among_thousands_of_triggers_is_quick(t *testing.T) {
	w := newWorld(t)
	w.stop()
	w.feed.covers = "/in/"
	for i := range 3000 {
		name := fmt.Sprintf("t%d", i)
		_, err := w.ledger.CreateTrigger(t.Context(), triggers.Trigger{
			ID: "id" + name, Name: name, Kind: "feed", Spec: json.RawMessage(strings.Replace(string(spec(``)), `"t"`, `"`+name+`"`, 1)),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	w.start()
	begin := time.Now()
	if es, err := w.manager.Explain(t.Context(), "/elsewhere/a", ""); err != nil || len(es) != 0 {
		t.Error(es, err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("%s", took)
	}
	asked := 0
	w.feed.explain = func(context.Context, string) (triggers.Finding, error) {
		asked++
		return triggers.Finding{}, nil
	}
	last := ""
	for page, want := range []string{"t0", "t100"} {
		es, more, err := w.manager.ExplainPage(t.Context(), "/in/a", last, 3)
		if err != nil || len(es) != 3 || !more || es[0].Trigger.Name != want || asked != 3*(page+1) {
			t.Fatalf("page %d: %+v %v %v, %d were asked", page, es, more, err, asked)
		}
		last = es[2].Trigger.Name
	}
	if es, more, err := w.manager.ExplainPage(t.Context(), "/in/a", "t998", 3); err != nil || len(es) != 1 || more {
		t.Errorf("%+v %v %v", es, more, err)
	}
}
