package directory

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/latticed/latticed/triggers"
)

func TestUnitEvent(t *testing.T) {
	set := func(files ...string) (unitPayload, map[string]json.RawMessage) {
		r, err := triggers.Make(Kind(Options{}), map[string]any{"dir_path": "/in", "group": map[string]any{"by": `^(\w+)\.`, "need": []any{"*.json", "*.bin"}}})
		if err != nil {
			t.Fatal(err)
		}
		s, ok := r.Source.(*source)
		if !ok {
			t.Fatal("not our source")
		}
		a, ok := s.units.make(ground{dir: s.path, settle: func() time.Duration { return 0 }, baseline: func() bool { return false }}).(*units)
		if !ok {
			t.Fatal("not our assembler")
		}
		for _, f := range files {
			a.saw(f, stamp{size: 2, mtime: 5e9}, 1)
		}
		var p unitPayload
		var raw map[string]json.RawMessage
		for _, r := range a.take(10) {
			for _, e := range r.events {
				if err := json.Unmarshal(e.Payload, &p); err != nil {
					t.Fatal(err)
				}
				if err := json.Unmarshal(e.Payload, &raw); err != nil {
					t.Fatal(err)
				}
			}
		}
		return p, raw
	}

	t.Run("a_set_lists_its_files_in_the_order_of_need", func(t *testing.T) {
		p, _ := set("a.zip", "a.bin", "a.json", "a.1.bin")
		if got := strings.Join(p.Members, " "); got != "/in/a.json /in/a.1.bin /in/a.bin /in/a.zip" || *p.Path != "/in/a.json" || p.Size != 8 || p.Files != 4 {
			t.Error(got, p)
		}
		if p.Mtime != "1970-01-01T00:00:05.000000Z" || *p.Group != "a" || *p.Stem != "a" || *p.Ext != ".json" || *p.Rel != "a.json" || *p.Dir != "/in" {
			t.Errorf("%+v", p)
		}
	})

	t.Run("files_that_are_not_text_are_not_listed", func(t *testing.T) {
		p, raw := set("a.json", "a.\xff.bin")
		if _, listed := raw["members"]; listed || p.Files != 2 || *p.Path != "/in/a.json" {
			t.Errorf("%s", raw)
		}
	})

	t.Run("too_many_files_are_not_listed", func(t *testing.T) {
		files := []string{"a.json"}
		for i := range maxMembers {
			files = append(files, fmt.Sprintf("a.%d.bin", i))
		}
		if p, raw := set(files...); raw["members"] != nil || p.Files != maxMembers+1 {
			t.Error(p.Files)
		}
	})
}

func TestSum_does_not_depend_on_the_order(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sums := rapid.SliceOf(rapid.Map(rapid.String(), func(s string) sum { return sumOf(s, int64(len(s)), 1) })).Draw(t, "sums")
		var forth, back sum
		for i := range sums {
			forth, back = forth.plus(sums[i]), back.plus(sums[len(sums)-1-i])
		}
		if again, err := parseSum(forth.String()); err != nil || again != back {
			t.Fatal(forth, back, err)
		}
		for _, s := range sums {
			forth = forth.minus(s)
		}
		if forth != (sum{}) {
			t.Fatal("something is left")
		}
	})
}

func TestJudgeUnit_holds_what_is_not_complete(t *testing.T) {
	for kind, want := range map[string]string{"ready": triggers.ReasonIncomplete, "created": ""} {
		if j := judgeUnit(map[string]any{"kind": kind, "complete": false}, time.Time{}); j.Hold != want {
			t.Error(kind, j)
		}
	}
	if j := judgeUnit(map[string]any{"kind": "ready", "complete": true}, time.Time{}); j.Hold != "" {
		t.Error(j)
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 0: "0s", 300 * time.Millisecond: "300ms", 3 * time.Second: "3s", 42400 * time.Millisecond: "42s",
		90 * time.Second: "1m30s", 2 * time.Minute: "2m", time.Hour - time.Second: "1h", 26*time.Hour + 20*time.Minute: "26h20m",
	} {
		if got := short(d); got != want {
			t.Errorf("%s: %s", d, got)
		}
	}
}

func TestAnswer(t *testing.T) {
	t.Run("a_panic_is_an_error", func(t *testing.T) {
		_, err := answer(t.Context(), "/in", func() (int, error) { panic("oops") })
		if err == nil || !strings.Contains(err.Error(), "panic: oops") {
			t.Error(err)
		}
	})
	t.Run("what_does_not_answer_is_left_behind", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			dead := make(chan struct{})
			n, err := answer(ctx, "/in", func() (int, error) {
				<-dead
				return 7, nil
			})
			if n != 0 || err == nil || !strings.Contains(err.Error(), "/in does not answer") {
				t.Error(n, err)
			}
			close(dead)
		})
	})
}
