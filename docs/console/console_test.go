package console_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/latticed/latticed/docs/console"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParse_blocks_files_and_continued_commands(t *testing.T) {
	page := "# Page\n```yaml file=a.yaml\nx: 1\n\ny: 2\n```\n```text\nno\n```\n```console exit=4\n$ one \\\n> two\nout\n$ three\n```\n"
	got, err := console.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	want := []console.Block{
		{Line: 2, File: "a.yaml", Text: "x: 1\n\ny: 2\n"},
		{Line: 10, Commands: []console.Command{
			{Line: 11, Script: "one \\\ntwo", Output: []string{"out"}, Exit: 4},
			{Line: 14, Script: "three", Exit: 4},
		}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestParse_refuses_what_no_test_would_run(t *testing.T) {
	for page, want := range map[string]string{
		"```\nx\n```":                 `line 1: a block "" is run by no test; say console, text, or file=NAME behind its language`,
		"\n```yaml\nx\n```":           `line 2: a block "yaml" is run by no test; say console, text, or file=NAME behind its language`,
		"```console\nx\n```":          `line 2: a console block begins with a command behind "$ "`,
		"```console exit=a\n$ x\n```": `line 1: "a" is no exit code`,
		"```text\nx":                  "line 1: the block is never closed",
	} {
		if _, err := console.Parse(page); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", page, err, want)
		}
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		want, got string
		match     bool
	}{
		{"a\nb", "a\nb\n", true},
		{"a", "b", false},
		{"", "", true},
		{"", "x", false},
		{"a   b", "a b", true},
		{"a...c", "abc", true},
		{"a...c", "abd", false},
		{"a...b...a", "aba", true},
		{"ab...ba", "aba", false},
		{"...", "", true},
		{"a\n...\nd", "a\nb\nc\nd", true},
		{"a\n...\nd", "a\nb", false},
		{"id 01890a5d-ac96-774b-bcce-b302099a8057", "id 0190ffff-0000-7000-8000-000000000000", true},
		{"at 2026-01-02T03:04:05Z", "at 2027-11-22T13:14:15.123456Z", true},
		{"  Sat 2026-11-21 02:30:00 CET", "  Tue 2027-06-01 02:30:00 CEST", true},
		{"2025-03-30T03:00:00+02:00", "2025-03-30T02:30:00+01:00", false},
		{"Sun 2025-03-30 03:00:00 CEST", "Sun 2025-03-30 03:00:00 CET", false},
		{"day=2026-11-20", "day=2027-01-02", true},
		{"day=2025-03-30", "day=2025-03-31", false},
		{"the oldest for 400ms", "the oldest for 3s", true},
		{"in 1 s", "in 851 ms", true},
		{"took 1.2s", "took 31ms", true},
		{"settle 10s", "settle 30s", false},
		{"a   8.18s  b", "a  1m12s  b", true},
	} {
		var want []string
		if c.want != "" {
			want = strings.Split(c.want, "\n")
		}
		if got := console.Match(want, c.got); got != c.match {
			t.Errorf("Match(%q, %q) = %v", c.want, c.got, got)
		}
	}
}

func TestSession_keeps_directory_and_variables(t *testing.T) {
	s := start(t)
	if err := s.Write(console.Block{File: "it's", Text: "a'b\n\n$x\n"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []console.Command{
		{Script: `mkdir d && mv it* d && cd d && N=5`},
		{Script: `cat "it's"; echo $N; printf end`, Output: []string{"a'b", "", "$x", "5", "end"}},
		{Script: "cat\nread x || echo 'no input'", Output: []string{"no input"}},
		{Script: "echo out; echo err >&2; (exit 3)", Output: []string{"out", "err"}, Exit: 3},
	} {
		if err := s.Check(c); err != nil {
			t.Error(err)
		}
	}
}

func TestSession_types_what_is_there_and_shows_what_the_page_says(t *testing.T) {
	s := start(t)
	s.Typed = func(text string) string { return strings.ReplaceAll(text, "8321", "20000") }
	s.Shown = func(out string) string { return strings.ReplaceAll(out, "20000", "8321") }
	if err := s.Write(console.Block{File: "f", Text: "port 8321\n"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(console.Command{Script: "expr 8321 + 0; grep -c 8321 f; cat f", Output: []string{"8321", "1", "port 8321"}}); err != nil {
		t.Error(err)
	}
}

func TestSession_says_what_differs(t *testing.T) {
	err := start(t).Check(console.Command{Line: 7, Script: "echo a", Output: []string{"b"}})
	want := "line 7: $ echo a\nended with 0 and printed\na\nbut the page says 0 and\nb"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestRewrite_changes_only_what_was_printed(t *testing.T) {
	page := "text\n```console\n$ a \\\n> b\nold\nold\n$ c\n$ d\nkept\n```\nmore\n"
	blocks, err := console.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	c := blocks[0].Commands
	got := console.Rewrite(page, []*console.Difference{{Command: c[0], Output: "new"}, {Command: c[1], Output: "x\ny"}})
	want := "text\n```console\n$ a \\\n> b\nnew\n$ c\nx\ny\n$ d\nkept\n```\nmore\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestPlay_checks_a_page_or_writes_it_anew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	write := func(output string) {
		page := "```sh file=x\necho \"$1\"\n```\n```console\n$ bash x new\n" + output + "\n$ true\n```\n"
		if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("old")
	if err := start(t).Play(path, false); err == nil || !strings.Contains(err.Error(), path+": line 5: $ bash x new\nended with 0 and printed\nnew") {
		t.Errorf("got %v", err)
	}
	if err := start(t).Play(path, true); err != nil {
		t.Error(err)
	}
	if err := start(t).Play(path, false); err != nil {
		t.Error(err)
	}
	write("new\n$ false")
	if err := start(t).Play(path, true); err == nil || !strings.Contains(err.Error(), "line 7: $ false\nended with 1") {
		t.Errorf("an exit code that is not in the page passes: %v", err)
	}
}

func TestSession_repeats_a_command_that_looks(t *testing.T) {
	s := start(t)
	if _, _, err := s.Run("(sleep 0.5; echo done >f) & touch f"); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(console.Command{Script: "cat f", Output: []string{"done"}}); err != nil {
		t.Error(err)
	}
}

func TestSession_ends_what_it_left_in_the_background(t *testing.T) {
	s := start(t)
	pid, _, err := s.Run("sleep 100 & echo $!")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for { // it may stay a zombie, if nobody here reaps orphans
		line, err := os.ReadFile("/proc/" + pid + "/cmdline")
		if err != nil || len(line) == 0 {
			return
		}
		<-time.After(10 * time.Millisecond)
	}
}

func start(t *testing.T) *console.Session {
	t.Helper()
	bash := exec.Command("bash", "--noprofile", "--norc")
	bash.Dir = t.TempDir()
	s, err := console.Start(bash)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}
