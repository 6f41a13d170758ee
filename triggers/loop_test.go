package triggers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/latticed/latticed/graph"
)

func TestStem(t *testing.T) {
	for name, want := range map[string]string{
		"scan.tif":         "scan",
		"scan":             "scan",
		"scan.ome.tif":     "scan",
		"brain.nii.gz":     "brain",
		"reads.fastq.gz":   "reads",
		"run.0001":         "run.0001",     // a number in a series
		"run.0001.tif":     "run.0001",     // so is this
		"run.0001.gz":      "run.0001",     //
		"v1.2.tif":         "v1.2",         //
		".hidden":          ".hidden",      // not a format
		"archive.tar.zst":  "archive",      //
		"données 1.tif":    "données 1",    //
		"2026-11-20_1.mrc": "2026-11-20_1", //
	} {
		if got := stem(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestAncestors(t *testing.T) {
	derives := func(from, to string) bool {
		var tr traces
		tr.fired("t", &Pending{fields: map[string]any{"path": from}}, "d", "d")
		return len(tr.ancestors("t", to)) > 0
	}
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"/in/scan.tif", "/in/scan_out.tif", true},
		{"/in/scan_out.tif", "/in/scan_out_out.tif", true},
		{"/in/scan.tif", "/in/scan.tif", true},
		{"/in/scan.tif", "/in/scan.csv", true},
		{"/in/scan.ome.tif", "/in/scan-seg.ome.tif", true},
		{"/in/scan.tif", "/in/results/scan.tif", true},
		{"/in/scan.tif", "/in/results/a/b/scan (copy).tif", true},
		{"/in/run1", "/in/run1_results", true},
		{"/in/scan_1.tif", "/in/scan_10.tif", false},
		{"/in/scan_1.tif", "/in/scan_2.tif", false},
		{"/in/run.0001", "/in/run.0002", false},
		{"/in/run.0001.tif", "/in/run.0002.tif", false},
		{"/in/a/scan.tif", "/in/b/scan_out.tif", false},
		{"/in/a/scan.tif", "/in/scan_out.tif", false},
		{"/in/scan.tif", "/in/scanner.tif", false},
		{"/in/Größe.tif", "/in/Größen.tif", false},
	} {
		if got := derives(c.from, c.to); got != c.want {
			t.Errorf("%s from %s: %v", c.to, c.from, got)
		}
	}
}

func TestTraces(t *testing.T) {
	t.Run("are_bounded_and_forget_the_oldest", func(t *testing.T) {
		var tr traces
		for n := range 3 * maxTraces {
			tr.fired(fmt.Sprint("t", n%2), &Pending{fields: map[string]any{"path": fmt.Sprintf("/in/%d.tif", n)}}, fmt.Sprint(n), "")
		}
		if len(tr.ring) != maxTraces || len(tr.by) != maxTraces || tr.count["t0"]+tr.count["t1"] != maxTraces {
			t.Errorf("%d in the ring, %d names, %v", len(tr.ring), len(tr.by), tr.count)
		}
		last := 3*maxTraces - 1
		if len(tr.ancestors("t1", fmt.Sprintf("/in/%d_out.tif", last))) != 1 || len(tr.ancestors("t1", "/in/1_out.tif")) != 0 {
			t.Error("the wrong ones were forgotten")
		}
	})
	t.Run("of_one_name_the_latest_few_are_kept", func(t *testing.T) {
		var tr traces
		for n := range 3 * maxTraces {
			tr.fired("t", &Pending{Event: Event{Generation: n}, fields: map[string]any{"path": "/in/a.tif"}}, fmt.Sprint(n), "")
		}
		found := tr.ancestors("t", "/in/a.tif")
		if len(found) != maxNamesakes || found[0].generation != 3*maxTraces-1 {
			t.Errorf("%+v", found)
		}
	})
	t.Run("one_trigger_knows_nothing_of_another", func(t *testing.T) {
		var tr traces
		tr.fired("a", &Pending{fields: map[string]any{"path": "/in/a.tif"}}, "1", "1")
		if len(tr.ancestors("b", "/in/a.tif")) != 0 {
			t.Error("it does")
		}
	})
}

func TestDuring(t *testing.T) {
	began := time.Date(2026, 11, 20, 12, 0, 0, 500e6, time.UTC)
	d := graph.Dispatch{StartedAt: began, EndedAt: began.Add(time.Minute)}
	for after, want := range map[time.Duration]bool{
		-time.Hour: false, -time.Second + time.Millisecond: false, -10 * time.Millisecond: true, 0: true,
		-500 * time.Millisecond: true, // whole seconds only
		30 * time.Second:        true, time.Minute: true, time.Minute + time.Millisecond: false,
	} {
		if got := during(began.Add(after), &d); got != want {
			t.Errorf("%s after it began: %v", after, got)
		}
	}
	if during(began, &graph.Dispatch{}) {
		t.Error("one that has not begun changes nothing")
	}
	if !during(began.Add(time.Hour), &graph.Dispatch{StartedAt: began}) {
		t.Error("it is still under way")
	}
}

func FuzzAncestors(f *testing.F) {
	f.Add("/in/scan.tif", "/in/scan_out.tif")
	f.Add("", "/")
	f.Add("relative", "..")
	f.Fuzz(func(t *testing.T, from, to string) {
		var tr traces
		tr.fired("t", &Pending{fields: map[string]any{"path": from}}, "d", "d")
		tr.ancestors("t", to)
		if from != "" && len(tr.ring) == 1 && strings.HasPrefix(from, "/") && len(tr.ancestors("t", filePath(map[string]any{"path": from}))) == 0 {
			t.Errorf("%q does not lead to its next version", from)
		}
	})
}
