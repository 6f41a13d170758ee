package database

import (
	"encoding/json"
	"testing"
	"time"
)

func TestLevel_fires_at_every_nth_poll_that_finds_rows(t *testing.T) {
	path, w := lab(t, "wal")
	w.do("INSERT INTO samples VALUES (1, 'a', 'ready')")
	r := on(t, path, "samples", map[string]any{"mode": "level", "trigger_after_n": int64(3), "where_clauses": []any{"at = 'ready'", "id > 0"}})
	stop := r.start()
	r.until("two events", func() bool { return len(r.events) >= 2 })
	stop()
	var c cursor
	if err := json.Unmarshal(r.cursor, &c); err != nil {
		t.Fatal(err)
	}
	if got, want := int64(len(r.events)), c.Polls/3; got != want {
		t.Errorf("%d events after %d polls that found rows, want %d", got, c.Polls, want)
	}
	if row := r.rows()[0]; row["name"] != "a" {
		t.Errorf("the row that stands for them is %v", row)
	}
}

func TestLevel_does_not_begin_to_count_again_when_there_are_no_rows(t *testing.T) {
	path, w := lab(t, "delete")
	r := on(t, path, "samples", map[string]any{"mode": "level", "trigger_after_n": int64(1_000_000)})
	polls := func() int64 {
		var c cursor
		_ = json.Unmarshal(r.cursor, &c)
		return c.Polls
	}
	stop := r.start()
	r.active()
	w.do("INSERT INTO samples VALUES (1, 'a', NULL)")
	r.until("polls that find rows", func() bool { return polls() >= 2 })
	w.do("DELETE FROM samples")
	before := r.stats().Polls
	r.until("polls that find none", func() bool { return r.stats().Polls > before+2 })
	r.mu.Lock()
	counted := polls()
	r.mu.Unlock()
	stop()
	w.do("INSERT INTO samples VALUES (2, 'b', NULL)")
	r.start()
	r.until("it counts on", func() bool { return polls() > counted })
}

func TestLevel_polls_a_table_without_key_and_again_though_nothing_changes(t *testing.T) {
	path, w := lab(t, "wal")
	w.do("CREATE VIEW some AS SELECT name FROM samples")
	w.do("INSERT INTO samples VALUES (1, 'a', NULL)")
	r := on(t, path, "some", map[string]any{"mode": "level"})
	began := time.Now()
	r.start()
	r.until("three events", func() bool { return len(r.events) >= 3 })
	if took := time.Since(began); took < 100*time.Millisecond {
		t.Errorf("three events took %s, with 50ms between two polls", took)
	}
}
