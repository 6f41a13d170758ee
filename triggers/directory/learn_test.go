package directory

import (
	"strings"
	"testing"
	"time"

	"github.com/latticed/latticed/triggers"
)

func TestLearned(t *testing.T) {
	of := func(files int64, longest time.Duration, again int64) learned {
		return learned{Files: files, Longest: longest, Again: again, Settle: 10 * time.Second}
	}
	for name, c := range map[string]struct {
		learned
		settle time.Duration
		want   string
	}{
		"nothing_seen_proposes_nothing":    {learned{}, 0, ""},
		"a_settle_that_fits_is_left_alone": {of(1203, 4*time.Second, 0), 0, ""},
		"files_that_change_again_ask_for_a_longer_one": {
			of(1203, 42*time.Second, 4), 0,
			"longest pause inside a file: 42s over 1,203 files; 4 files changed again after being ready: set settle to 90s",
		},
		"a_pause_that_almost_reached_it_asks_for_a_longer_one": {
			of(2, 8*time.Second, 0), 0,
			"longest pause inside a file: 8s over 2 files, which is close to the settle of 10s: set settle to 20s",
		},
		"many_files_without_pauses_allow_a_shorter_one": {
			of(100, 300*time.Millisecond, 0), time.Minute,
			"longest pause inside a file: 300ms over 100 files: a settle of 1s would do, and events would come 59s sooner",
		},
		"few_files_allow_nothing": {of(99, 300*time.Millisecond, 0), time.Minute, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if advice := c.advice(c.settle); len(advice) > 0 {
				got = advice[0].Message
			}
			if got != c.want {
				t.Errorf("%q", got)
			}
		})
	}
	t.Run("a_change_long_after_is_another_use_of_the_file", func(t *testing.T) {
		var l learned
		l.changed(24*time.Hour, time.Minute)
		l.changed(7*time.Minute, time.Minute)
		if l.Again != 1 || l.Longest != 7*time.Minute {
			t.Errorf("%+v", l)
		}
	})
	t.Run("another_settle_starts_to_count_anew", func(t *testing.T) {
		var l learned
		l.ready(time.Second)
		l.changed(3*time.Second, time.Second)
		l.ready(time.Minute)
		if l.Files != 1 || l.Again != 0 || l.Longest != 3*time.Second {
			t.Errorf("%+v", l)
		}
	})
}

func TestLearned_from_files_that_change_after_they_were_ready(t *testing.T) {
	w := newWorld(t)
	w.hub.interval = 50 * time.Millisecond
	w.add(`,"settle":"1s"`)
	w.write("fine.dat", "1")
	w.write("slow.dat", "1")
	eventually(w, "events", func() int { return len(w.events()) }, 2)
	w.write("slow.dat", "12")
	eventually(w, "events", func() int { return len(w.events()) }, 3)
	advice := func() string {
		tr, err := w.store.Trigger(t.Context(), "t")
		w.must(err)
		raw, err := w.store.Cursor(t.Context(), tr.ID)
		w.must(err)
		made, err := triggers.Make(func(f *triggers.Fields) triggers.Made { return w.hub.make(f) }, map[string]any{"dir_path": w.dir, "settle": "1s"})
		w.must(err)
		adviser, ok := made.Source.(triggers.Adviser)
		if !ok {
			t.Fatal("gives no advice")
		}
		if list := adviser.Advice(raw); len(list) > 0 {
			return list[0].Message
		}
		return ""
	}
	has := func(part string) func() bool { return func() bool { return strings.Contains(advice(), part) } }
	eventually(w, "advice", has("1 file changed again after being ready: set settle to"), true)
	eventually(w, "advice", has("over 3 files"), true)
}
