package directory

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/latticed/latticed/triggers"
)

// folders returns an assembler of folders with a settle of ten seconds.
func folders(baseline *bool) *units {
	a := newUnits(&unitRules{form: aFolder, depth: 1}, ground{
		dir: "/in", settle: func() time.Duration { return time.Duration(settleOfTest) },
		baseline: func() bool { return baseline != nil && *baseline },
	}, unitKinds{created: true, ready: true, deleted: true})
	a.counts, a.partial = counted, func(rel string) bool { return strings.HasSuffix(rel, ".part") }
	return a
}

// takes lists the kinds that an assembler reports, with the units.
func (a *units) takes(now int64) string {
	var out []string
	for _, r := range a.take(now) {
		for _, e := range r.events {
			out = append(out, e.Kind+" "+strings.TrimPrefix(keyOf(e), "/in/"))
		}
	}
	return strings.Join(out, ", ")
}

// named lists the units that are to be looked at again.
func (a *units) named(now int64) string {
	var out []string
	for _, d := range a.doubts(now) {
		out = append(out, d.unit)
	}
	return strings.Join(out, " ")
}

func TestAssembler(t *testing.T) {
	const s = int64(time.Second)
	expect := func(t *testing.T, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}

	t.Run("what_was_named_and_changed_meanwhile_is_not_reported", func(t *testing.T) {
		a := folders(nil)
		a.saw("run/a.dat", stamp{size: 1}, 100*s)
		expect(t, a.takes(100*s), "created run")
		expect(t, a.named(110*s), "run")
		a.saw("run/a.dat", stamp{size: 2}, 109*s) // nobody had told of it
		expect(t, a.takes(110*s), "")
		expect(t, a.named(118*s), "")
		expect(t, a.named(119*s), "run")
		expect(t, a.takes(119*s), "ready run")
	})

	t.Run("what_was_not_named_is_not_reported", func(t *testing.T) {
		a := folders(nil)
		a.saw("run/a.dat", stamp{size: 1}, 100*s)
		a.doubts(100 * s)
		expect(t, a.takes(110*s), "created run")
		if a.due() > 110*s {
			t.Error("it waits for nothing")
		}
		a.doubts(110 * s)
		expect(t, a.takes(110*s), "ready run")
	})

	t.Run("a_folder_in_which_something_is_missing_is_looked_at_again", func(t *testing.T) {
		a := folders(nil)
		a.saw("run/a.dat", stamp{size: 1}, 100*s)
		a.doubts(110 * s)
		a.rest("run", false, 111*s)
		expect(t, a.takes(110*s), "created run")
		if a.due() != 111*s {
			t.Error(a.due())
		}
		a.gone("run/a.dat")
		a.doubts(111 * s)
		expect(t, a.takes(111*s), "deleted run")
		if len(a.all) != 0 || a.due() != 0 {
			t.Error("it is not forgotten")
		}
	})

	t.Run("a_folder_that_never_comes_to_rest_is_not_looked_at_without_end", func(t *testing.T) {
		a := folders(nil)
		a.again, a.settle = true, func() time.Duration { return 0 }
		looks := 0
		for now := 100 * s; now < 110*s; now += s / 50 {
			a.saw("run/log.dat", stamp{size: now}, now)
			for _, d := range a.doubts(now) {
				looks++
				a.rest(d.unit, true, now+s)
			}
			a.take(now)
		}
		if looks != 10 {
			t.Errorf("it was looked at %d times in 10 seconds", looks)
		}
		expect(t, a.named(111*s), "run") // the last version is told
		expect(t, a.takes(111*s), "ready run")
	})

	t.Run("a_file_that_grows_costs_neither_memory_nor_a_look_at_all_others", func(t *testing.T) {
		a := folders(nil)
		a.deadline, a.count = time.Hour, 1000
		for i := range int64(100) {
			a.saw(fmt.Sprintf("run/%d.dat", i), stamp{size: 1, mtime: 100 * s}, 100*s)
		}
		for i := range int64(1000) {
			a.saw("run/log.dat", stamp{size: i, mtime: 100*s + i}, 100*s+i)
			a.take(100*s + i)
			if a.all["run"].worn {
				t.Fatal("all files have to be gone through")
			}
		}
		if len(a.queue) != 1 {
			t.Errorf("%d appointments for one folder", len(a.queue))
		}
		if u := a.all["run"]; u.since != 100*s+999 || u.latest != 100*s+999 {
			t.Error(u.since, u.latest)
		}
		a.saw("run/log.dat", stamp{size: 1, mtime: 200 * s}, 99*s) // the clock was set back
		if u := a.all["run"]; !u.worn {
			t.Error("it is not known how long the others have been quiet")
		}
	})

	t.Run("a_file_that_is_written_under_another_name_is_waited_for", func(t *testing.T) {
		a := folders(nil)
		a.saw("run/a.dat", stamp{size: 1}, 100*s)
		a.saw("run/b.dat.part", stamp{size: 1}, 108*s)
		expect(t, a.takes(110*s), "created run")
		expect(t, a.takes(117*s), "")
		a.gone("run/b.dat.part")
		a.saw("run/b.dat", stamp{size: 1}, 117*s)
		expect(t, a.takes(126*s), "")
		expect(t, a.takes(127*s), "ready run")
	})

	t.Run("a_new_baseline_forgets_units_without_a_word", func(t *testing.T) {
		old := false
		a := folders(&old)
		a.saw("run/a.dat", stamp{size: 1}, 100*s)
		expect(t, a.takes(120*s), "created run, ready run")
		old = true
		a.gone("run/a.dat")
		a.saw("other/a.dat", stamp{size: 1}, 100*s)
		expect(t, a.takes(120*s), "")
		old = false
		a.saw("other/a.dat", stamp{size: 2}, 120*s)
		expect(t, a.takes(200*s), "")
	})

	t.Run("deadlines_move_with_the_clock", func(t *testing.T) {
		a := folders(nil)
		a.deadline, a.count = 60*time.Second, 2
		a.saw("run/a.dat", stamp{size: 1}, 100*s)
		expect(t, a.takes(100*s), "created run")
		a.shift(time.Hour)
		expect(t, a.takes(3600*s+159*s), "")
		expect(t, a.takes(3600*s+160*s), "ready run")
	})

	t.Run("a_restored_unit_is_deleted_only_after_a_look", func(t *testing.T) {
		a := folders(nil)
		err := a.restore(triggers.Change{
			Key: []byte(unitPrefix + "run"), Version: sum{}.String() + "." + sum{}.String(), Data: []byte(`{"state":"new","first":1000}`),
		})
		if err != nil {
			t.Fatal(err)
		}
		expect(t, a.takes(100*s), "")
		a.looked()
		expect(t, a.takes(100*s), "deleted run")
	})
}

func TestAssembler_refuses_to_restore_what_it_can_not_read(t *testing.T) {
	good := sum{1, 2}.String() + "." + sum{3, 4}.String()
	for _, c := range []triggers.Change{
		{Version: good, Data: []byte(`{`)},
		{Version: good, Data: []byte(`{"state":"lost"}`)},
		{Version: "1.2", Data: []byte(`{"state":"new"}`)},
		{Version: strings.Repeat("g", 32) + "." + strings.Repeat("0", 32), Data: []byte(`{"state":"new"}`)},
		{Version: strings.Repeat("0", 32) + "." + strings.Repeat("-", 32), Data: []byte(`{"state":"new"}`)},
	} {
		c.Key = []byte(unitPrefix + "run")
		if err := folders(nil).restore(c); err == nil {
			t.Errorf("%s %s", c.Version, c.Data)
		}
	}
	c := triggers.Change{Key: []byte(unitPrefix + "run"), Version: good, Data: []byte(`{"state":"held","first":5,"key":"k"}`)}
	if p, err := parsePast(c); err != nil || p != (past{unitHeld, 5000, sum{1, 2}, sum{3, 4}, "k"}) {
		t.Error(p, err)
	}
}

// pain point 10: on NFS nobody tells of changes
func TestUnits_are_found_by_looking(t *testing.T) {
	w := newWorld(t)
	w.hub.interval = 200 * time.Millisecond
	w.add(`,"unit":"folder","settle":"2s","mode":"poll","marker":{"all":["done"]}`)
	w.lay("run/done")
	for i := range 10 {
		w.lay(fmt.Sprintf("run/%d/x.dat", i))
		time.Sleep(100 * time.Millisecond) // the instrument is slow
	}
	if got := w.units(); got != "" {
		t.Errorf("told while it was written: %s", got)
	}
	w.reports("ready run 11")
}

func TestUnits_that_lose_files_are_not_new_to_a_backfill(t *testing.T) {
	w := newWorld(t)
	w.add(`,"unit":"folder","settle":"100ms"`)
	w.lay("a/1.dat", "a/2.dat")
	w.reports("ready a 2")
	w.must(os.Remove(w.path("a/2.dat")))
	eventually(w, "known", func() int { return w.backfill(triggers.Range{}, true).Known }, 1)
	w.reports("ready a 2")
}

// BenchmarkUnits_saw is the cost of a file of a large run folder.
func BenchmarkUnits_saw(b *testing.B) {
	a := folders(nil)
	names := make([]string, 100_000)
	for i := range names {
		names[i] = fmt.Sprintf("run/Data/L%03d/%05d.dat", i%1000, i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		a.saw(names[i%len(names)], stamp{size: int64(i)}, int64(i))
		if i%500 == 0 {
			a.take(int64(i))
		}
	}
}
