package directory

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

const second = int64(time.Second)

// at is a local file of one version: written at a second.
func at(sec, size int64) stamp {
	return stamp{dev: 1, ino: 2, size: size, mtime: sec * second, ctime: sec * second}
}

func TestJudge(t *testing.T) {
	all := rules{want: created | closed | ready, minSize: 1, settle: 10 * time.Second}
	edits := rules{want: modified, settle: 10 * time.Second}
	tests := []struct {
		name   string
		rules  rules
		old    *entry
		st     stamp
		closed bool
		now    int64 // seconds
		report kinds
		owed   kinds
		store  bool
	}{
		{"a_new_file_is_created_and_owes_the_rest", all, nil, at(100, 5), false, 101, created, closed | ready, true},
		{"a_new_file_that_was_just_closed_is_closed", all, nil, at(100, 5), true, 101, created | closed, ready, true},
		{"a_new_file_with_an_old_ctime_is_ready_at_first_sight", all, nil, at(100, 5), false, 110, created | closed | ready, 0, true},
		{"on_a_network_only_our_clock_counts", rules{want: ready, settle: 10 * time.Second, network: true}, nil, at(100, 5), false, 500, 0, ready, false},
		{"a_ctime_of_the_future_does_not_count", all, nil, at(1000, 5), false, 500, created, closed | ready, true},
		{"nothing_new_is_nothing", all, &entry{stamp: at(100, 5)}, at(100, 5), true, 500, 0, 0, false},
		{"a_change_of_attributes_is_not_news", all, &entry{stamp: at(100, 5)}, stamp{1, 2, 5, 100 * second, 400 * second}, true, 500, 0, 0, false},
		{"another_device_number_is_not_news", all, &entry{stamp: at(100, 5)}, stamp{9, 2, 5, 100 * second, 100 * second}, false, 500, 0, 0, false},
		{"a_change_owes_closed_and_ready_but_not_created", all, &entry{stamp: at(100, 5)}, at(200, 6), false, 201, 0, closed | ready, false},
		{"a_change_that_is_quiet_is_reported", all, &entry{stamp: at(100, 5)}, at(200, 6), false, 210, closed | ready, 0, true},
		{"another_file_of_the_same_name_is_news", all, &entry{stamp: at(100, 5)}, stamp{1, 3, 5, 100 * second, 100 * second}, true, 500, closed | ready, 0, true},
		{"on_a_network_another_inode_is_not", rules{want: ready, network: true}, &entry{stamp: at(100, 5)}, stamp{1, 3, 5, 100 * second, 100 * second}, true, 500, 0, 0, false},
		{"growth_starts_the_quiet_anew", all, &entry{stamp: at(100, 5), owed: ready, since: 100 * second}, at(108, 6), false, 111, 0, closed | ready, false},
		{"attributes_start_the_quiet_anew", all, &entry{stamp: at(100, 5), owed: ready, since: 100 * second}, stamp{1, 2, 5, 100 * second, 108 * second}, false, 111, 0, ready, false},
		{"quiet_is_ready", all, &entry{stamp: at(100, 5), owed: ready, since: 100 * second}, at(100, 5), false, 110, ready, 0, true},
		{"a_clock_that_was_set_back_starts_the_quiet_anew", all, &entry{stamp: at(100, 5), owed: ready, since: 9000 * second}, at(100, 5), false, 110, 0, ready, false},
		{"too_small_is_never_closed_nor_ready", all, nil, at(100, 0), true, 500, created, 0, true},
		{"too_small_waits_for_more", all, nil, at(100, 0), true, 101, created, closed | ready, true},
		{"a_change_is_modified_once_its_writer_closes", edits, &entry{stamp: at(100, 5)}, at(200, 6), true, 201, modified, 0, true},
		{"a_change_that_nobody_closes_waits_a_moment", edits, &entry{stamp: at(100, 5)}, at(200, 6), false, 200, 0, modified, false},
		{"and_is_then_modified", edits, &entry{stamp: at(200, 6), owed: modified, since: 200 * second, paced: 200 * second}, at(200, 6), false, 201, modified, 0, true},
		{"also_when_it_goes_on_changing", edits, &entry{stamp: at(200, 6), owed: modified, since: 200 * second, paced: 200 * second}, at(201, 7), false, 201, modified, 0, true},
		{"what_a_new_file_grows_at_first_is_no_modification", edits, &entry{stamp: at(200, 6), since: 200 * second, paced: 200 * second, young: true}, at(200, 7), false, 200, 0, 0, true},
		{"refire_never_keeps_quiet_about_changes", rules{want: closed | ready | modified, once: true}, &entry{stamp: at(100, 5), done: true}, at(200, 6), true, 300, modified, 0, true},
		{"refire_never_reports_what_was_not_reported", rules{want: closed | ready, once: true}, &entry{stamp: at(100, 5)}, at(200, 6), true, 300, closed | ready, 0, true},
		{"what_is_not_wanted_is_not_owed", rules{want: created}, nil, at(100, 5), true, 101, created, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := tt.rules.judge(tt.old, tt.st, tt.closed, tt.now*second)
			if v.report != tt.report || v.owed != tt.owed || v.store != tt.store {
				t.Errorf("reports %v owes %v stores %v, want %v %v %v", v.report.names(), v.owed.names(), v.store, tt.report.names(), tt.owed.names(), tt.store)
			}
		})
	}
}

// TestJudge_over_a_history drives judge along a random history of one file and
// compares what it reports with what a reader of the whole history would.
func TestJudge_over_a_history(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rules{
			want:    kinds(rapid.IntRange(1, 63).Draw(t, "want")),
			settle:  time.Duration(rapid.IntRange(0, 20).Draw(t, "settle")) * time.Second,
			network: rapid.Bool().Draw(t, "network"),
		}
		var old *entry
		var st stamp
		type key struct {
			kind  kinds
			mtime int64
		}
		times := map[key]int{}
		sizes := int64(0)
		now, lastWrite := int64(1000)*second, int64(0)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			now += int64(rapid.IntRange(1, 8).Draw(t, "pass")) * second
			wasClosed := false
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				sizes++
				st, lastWrite = stamp{dev: 1, ino: 2, size: sizes, mtime: now, ctime: now}, now
			case 1:
				wasClosed = true
			}
			if lastWrite == 0 {
				continue
			}
			v := r.judge(old, st, wasClosed, now)
			for _, k := range []kinds{moved, created, modified, closed, ready, deleted} {
				if !v.report.has(k) {
					continue
				}
				if !r.want.has(k) {
					t.Fatalf("%v was not asked for", k.names())
				}
				if times[key{k, st.mtime}]++; times[key{k, st.mtime}] > 1 {
					t.Fatalf("%v twice for one version", k.names())
				}
				if k == ready && now-lastWrite < int64(r.settle) {
					t.Fatalf("ready %s after the last write", time.Duration(now-lastWrite))
				}
			}
			if r.want.has(closed) && wasClosed && times[key{closed, st.mtime}] != 1 {
				t.Fatal("closed by its writer and not reported")
			}
			e := v.entry
			old = &e
		}
		if old == nil {
			return
		}
		// In the end, after a look or two, every version that stayed was reported.
		for range 2 {
			now += int64(r.settle) + second
			v := r.judge(old, st, false, now)
			for _, k := range v.report.names() {
				times[key{kindsOf([]string{k}), st.mtime}]++
			}
			e := v.entry
			old = &e
		}
		for _, k := range []kinds{closed, ready} {
			if r.want.has(k) && times[key{k, st.mtime}] != 1 {
				t.Fatalf("the last version was %v %d times", k.names(), times[key{k, st.mtime}])
			}
		}
		if r.want.has(modified) && sizes > 1 && times[key{modified, st.mtime}] != 1 {
			t.Fatalf("the last change was reported %d times", times[key{modified, st.mtime}])
		}
		if old.owed != 0 {
			t.Fatalf("still owes %v", old.owed.names())
		}
	})
}
