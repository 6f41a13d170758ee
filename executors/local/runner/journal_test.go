package runner

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

func someRecords(n int) []record {
	var out []record
	for i := range n {
		id := fmt.Sprint("attempt-", i)
		out = append(out,
			record{Kind: recPrepare, Attempt: id},
			record{Kind: recIntent, Attempt: id, Slot: "/cg/1", Timeout: 5, Grace: 6, At: 7},
			record{Kind: recPID, Attempt: id, PID: int64(100 + i), From: 8, To: 9})
		if i%2 == 0 {
			out = append(out, record{Kind: recEnd, Attempt: id, At: 10, Exit: -1, Signal: 9, CPU: 1, MaxRSS: 2, Notes: []string{"a note"}})
		}
		if i%4 == 0 {
			out = append(out, record{Kind: recRelease, Attempt: id, Keep: true})
		}
	}
	return out
}

func TestJournal_comes_back(t *testing.T) {
	keepsNoDescriptor(t)
	path := filepath.Join(t.TempDir(), "journal")
	want := someRecords(10)
	j, err := newJournal(path, "boot", nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if err := j.append(&want[i]); err != nil {
			t.Fatal(err)
		}
	}
	// No close: whoever reads it comes after a crash.
	got, err := readJournal(path, "boot")
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read %v, %v", got, err)
	}
	if got, err := readJournal(path, "another boot"); err != nil || got != nil {
		t.Errorf("of another boot: %v, %v", got, err)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
}

// Another runner's journal at the same path is left alone.
func TestJournal_of_another_at_its_path(t *testing.T) {
	keepsNoDescriptor(t)
	dir := filepath.Join(t.TempDir(), "own")
	path := filepath.Join(dir, "journal")
	begin := func() *journal {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		j, err := newJournal(path, "boot", nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = j.close() })
		return j
	}
	old := begin()
	if err := old.rewrite(); err != nil || old.gone() {
		t.Errorf("its own is gone: %v, %v", old.gone(), err)
	}
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}
	if !old.gone() {
		t.Error("it is not gone although its folder was moved")
	}
	other := begin()
	if err := old.rewrite(); err == nil || !old.gone() || other.gone() {
		t.Errorf("rewritten: %v; gone %v, the other one %v", err, old.gone(), other.gone())
	}
	if err := old.append(&record{Kind: recEnd, Attempt: "a"}); err != nil {
		t.Errorf("an end can't be written any more: %v", err)
	}
}

// A journal torn at any byte tells the beginning of what was written, and nothing else.
func TestJournal_torn_at_every_byte(t *testing.T) {
	want := someRecords(4)
	full := appendFrame(nil, &record{Kind: recHeader, Boot: "boot", Version: journalVersion})
	ends := []int{}
	for i := range want {
		full = appendFrame(full, &want[i])
		ends = append(ends, len(full))
	}
	for cut := range full {
		for _, rest := range [][]byte{nil, make([]byte, 100)} { // the end of the file, or what was preallocated
			torn := append(append([]byte{}, full[:cut]...), rest...)
			got := readFrames(torn)
			whole := 0
			for _, e := range ends {
				if e <= cut {
					whole++
				}
			}
			if len(got) > 0 {
				got = got[1:]
			}
			if len(got) != whole || whole > 0 && !reflect.DeepEqual(got, want[:whole]) {
				t.Fatalf("cut at %d of %d: %d records, want %d", cut, len(full), len(got), whole)
			}
		}
		flipped := append([]byte{}, full...)
		flipped[cut] ^= 0x40
		for i, r := range readFrames(flipped) {
			if i > 0 && !reflect.DeepEqual(r, want[i-1]) {
				t.Fatalf("a damaged byte %d made a record up: %+v", cut, r)
			}
		}
	}
}

func FuzzReadFrames(f *testing.F) {
	recs := someRecords(3)
	var b []byte
	for i := range recs {
		b = appendFrame(b, &recs[i])
	}
	f.Add(b)
	f.Add(b[:len(b)-3])
	f.Fuzz(func(t *testing.T, b []byte) {
		recs := readFrames(b)
		fold(recs)
		var again []byte
		for i := range recs {
			again = appendFrame(again, &recs[i])
		}
		if got := readFrames(again); !reflect.DeepEqual(got, recs) {
			t.Fatalf("%v became %v", recs, got)
		}
	})
}

// FuzzRecord gets past the checksum, which FuzzReadFrames hardly does.
func FuzzRecord(f *testing.F) {
	for _, r := range someRecords(1) {
		f.Add(appendFrame(nil, &r)[frameHeader:])
	}
	f.Add([]byte{2 * recEnd, 1, 'a', 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, body []byte) {
		frame := binary.LittleEndian.AppendUint32(nil, uint32(len(body)))
		frame = binary.LittleEndian.AppendUint32(frame, crc32.Checksum(body, castagnoli))
		for _, r := range readFrames(append(frame, body...)) {
			if got := readFrames(appendFrame(nil, &r)); !reflect.DeepEqual(got, []record{r}) {
				t.Fatalf("%+v became %+v", r, got)
			}
		}
	})
}

// The journal stays small however many attempts pass through it, and what is live is
// in it whenever it is read.
func TestJournal_keeps_what_is_live(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "journal")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		path := filepath.Join(dir, "journal")
		j, err := newJournal(path, "boot", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer j.close()
		live := map[string]int{}
		every := rapid.IntRange(20, 200).Draw(t, "one in so many stays")
		for i := range rapid.IntRange(100, 3000).Draw(t, "attempts") {
			id := fmt.Sprint(i)
			recs := someRecords(1)
			for k := range recs {
				recs[k].Attempt = id
				if err := j.append(&recs[k]); err != nil {
					t.Fatal(err)
				}
			}
			if i%every == 0 {
				live[id] = len(recs)
			} else {
				j.forget(id)
			}
		}
		recs, err := readJournal(path, "boot")
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		for _, r := range recs {
			got[r.Attempt]++
		}
		for id, n := range live {
			if got[id] != n {
				t.Fatalf("attempt %s has %d records, want %d", id, got[id], n)
			}
		}
		if info, _ := os.Stat(path); info.Size() > journalSize+int64(len(live))*4*tailRoom {
			t.Fatalf("the journal has %d bytes for %d attempts", info.Size(), len(live))
		}
	})
}

func TestJournal_that_can_not_grow_refuses_starts_and_takes_ends(t *testing.T) {
	keepsNoDescriptor(t)
	dir := t.TempDir()
	j, err := newJournal(filepath.Join(dir, "journal"), "boot", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	if err := os.Mkdir(filepath.Join(dir, "journal.new"), 0o700); err != nil { // nothing can be put there
		t.Fatal(err)
	}
	var started []string
	for i := 0; ; i++ {
		id := fmt.Sprint(i)
		if err := j.append(&record{Kind: recPrepare, Attempt: id}); err != nil {
			break
		}
		started = append(started, id)
	}
	if len(started) < 100 {
		t.Errorf("only %d attempts fit", len(started))
	}
	note := string(make([]byte, maxNotes))
	for _, id := range started {
		for _, r := range []record{
			{Kind: recIntent, Attempt: id, Slot: "/sys/fs/cgroup/unified/latticed-0123456789ab.1/1"},
			{Kind: recPID, Attempt: id, PID: 1 << 22, From: 1 << 40, To: 1 << 40},
			{Kind: recEnd, Attempt: id, At: 1 << 50, Notes: []string{note}},
			{Kind: recRelease, Attempt: id},
		} {
			if err := j.append(&r); err != nil {
				t.Fatalf("record %d of a started attempt: %v", r.Kind, err)
			}
		}
	}
}

func TestJournal_another_version_is_not_taken_for_nothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	b := appendFrame(nil, &record{Kind: recHeader, Boot: "boot", Version: journalVersion + 1})
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readJournal(path, "boot"); err == nil {
		t.Error("a runner would start without its attempts")
	}
	if recs, err := readJournal(path, "another boot"); recs != nil || err != nil {
		t.Errorf("of another boot: %v, %v", recs, err)
	}
}

func TestReadFrames_passes_over_what_it_does_not_know(t *testing.T) {
	b := appendFrame(nil, &record{Kind: recPrepare, Attempt: "a"})
	b = appendFrame(b, &record{Kind: recFailed + 1, Attempt: "a"})
	b = appendFrame(b, &record{Kind: recIntent, Attempt: "a", At: 3})
	if got := readFrames(b); len(got) != 2 || got[1].Kind != recIntent {
		t.Errorf("%+v", got)
	}
}

func TestFold_a_start_that_was_taken_back_says_nothing_of_the_next(t *testing.T) {
	recs := []record{{Kind: recPrepare, Attempt: "a"}, {Kind: recIntent, Attempt: "a", At: 1}, {Kind: recUndo, Attempt: "a"}}
	if p := fold(recs)[0]; p.intent != nil || p.release != nil {
		t.Errorf("taken back: %+v", p)
	}
	recs = append(recs, record{Kind: recPrepare, Attempt: "a"}, record{Kind: recIntent, Attempt: "a", At: 2}, record{Kind: recPID, Attempt: "a", PID: 3})
	if p := fold(recs)[0]; p.intent == nil || p.intent.At != 2 || p.pid == nil || p.release != nil {
		t.Errorf("tried again: %+v", p)
	}
}

func TestJournal_that_can_not_be_made_leaves_nothing(t *testing.T) {
	keepsNoDescriptor(t)
	path := filepath.Join(t.TempDir(), "journal")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := newJournal(path, "boot", nil); err == nil {
		t.Error("a directory was replaced")
	}
	if _, err := os.Stat(path + ".new"); !os.IsNotExist(err) {
		t.Errorf("left: %v", err)
	}
}

// Without blocks behind it an end might find no room.
func TestPreallocate_says_when_there_is_no_room(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var st unix.Stat_t
	if err := preallocate(f, 100_000); err != nil || unix.Stat(path, &st) != nil || st.Size != 100_000 || st.Blocks*512 < 100_000 {
		t.Errorf("%d bytes in %d blocks: %v", st.Size, st.Blocks, err)
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	if err := preallocate(full, 1); err == nil {
		t.Error("nothing is said")
	}
}

// Whatever is live, there is room for its end, also after the journal was made anew.
func TestJournal_has_room_for_every_end(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, err := newJournal(path, "boot", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.close() }()
	room := func(when string) {
		t.Helper()
		if left := j.size - j.end; left < int64(len(j.live))*tailRoom {
			t.Fatalf("%s there are %d bytes for %d attempts", when, left, len(j.live))
		}
		sum := int64(0)
		for _, frames := range j.live {
			sum += int64(len(frames))
		}
		if sum != j.bytes {
			t.Fatalf("%s %d bytes are taken for %d", when, sum, j.bytes)
		}
	}
	slot := string(make([]byte, 900))
	for i := range 1000 {
		id := fmt.Sprint(i)
		for _, r := range []record{{Kind: recPrepare, Attempt: id}, {Kind: recIntent, Attempt: id, Slot: slot}} {
			if err := j.append(&r); err != nil {
				t.Fatal(err)
			}
			if r.Kind == recPrepare {
				room("after the start of " + id)
			}
		}
	}
	recs, err := readJournal(path, "boot")
	if err != nil || len(recs) != 2000 {
		t.Fatalf("%d records, %v", len(recs), err)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	if j, err = newJournal(path, "boot", recs); err != nil {
		t.Fatal(err)
	}
	room("when it is made anew")
	if len(j.live) != 1000 {
		t.Errorf("it knows %d attempts", len(j.live))
	}
}

// The machine went down and the file system has kept less than was written.
func TestReadJournal_that_holds_nothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	intent := appendFrame(nil, &record{Kind: recIntent, Attempt: "a", Boot: "boot"})
	for name, b := range map[string][]byte{"empty": nil, "zeros": make([]byte, 1000), "without_a_head": intent, "garbage": []byte("garbage, and more of it")} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if recs, err := readJournal(path, ""); recs != nil || err != nil {
			t.Errorf("%s: %v %v", name, recs, err)
		}
	}
}

func TestJournal_does_not_grow_with_what_has_passed(t *testing.T) {
	j, err := newJournal(filepath.Join(t.TempDir(), "journal"), "boot", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	for i := range 5000 {
		for _, r := range someRecords(1) {
			r.Attempt = fmt.Sprint(i)
			if err := j.append(&r); err != nil {
				t.Fatal(err)
			}
		}
		j.forget(fmt.Sprint(i))
	}
	if j.size != journalSize || j.bytes != 0 {
		t.Errorf("it has %d bytes for %d", j.size, j.bytes)
	}
}
