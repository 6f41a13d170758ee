package main

import (
	"bytes"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/latticed/latticed/api/client"
)

func TestPrintable_shows_what_would_steer_the_terminal(t *testing.T) {
	for _, c := range [][3]string{ // text, within a line, in lines
		{"/in/é ü 日本.tif", "/in/é ü 日本.tif", "/in/é ü 日本.tif"},
		{"a\nb\x1b[31m\tc\r", `a\nb\x1b[31m\tc\r`, "a\nb\\x1b[31m\tc\\r"},
		{"\u009b31mred\u0085\x7f", `\u009b31mred\u0085\x7f`, `\u009b31mred\u0085\x7f`},
		{"\xff\xfe\ufffd", "\\xff\\xfe\ufffd", "\\xff\\xfe\ufffd"},
		{"fdp\u202etxt.exe", `fdp\u202etxt.exe`, `fdp\u202etxt.exe`}, // shown as fdpexe.txt
	} {
		if got := oneLine(c[0]); got != c[1] || oneLine(got) != got {
			t.Errorf("%q: %s, want %s", c[0], got, c[1])
		}
		if got := printable(c[0]); got != c[2] {
			t.Errorf("%q: %s, want %s", c[0], got, c[2])
		}
	}
}

func TestPrintable_a_quoted_path_is_one_word_of_the_shell(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"/in/a.tif", "/in/it's $(id).tif", "/in/\x1b[31m'\\red.tif", "/in/a\nb", "/in/\xff\u202e日本", "-x", "a b", "~", "*",
	} {
		word := quoted(path)
		if strings.IndexFunc(word, steers) >= 0 {
			t.Errorf("%q steers the terminal", word)
		}
		got, err := exec.CommandContext(t.Context(), bash, "-c", "printf %s "+word).Output()
		if strings.HasPrefix(word, "-") {
			continue // printf's
		}
		if err != nil || string(got) != path {
			t.Errorf("%q is %q, %v", word, got, err)
		}
	}
}

func TestPrintable_nothing_of_a_file_name_reaches_the_terminal_raw(t *testing.T) {
	const path = "/in/\x1b]0;gone\a\u009b2J.tif"
	reason := "loop: " + path
	tr := &client.TriggerRef{Name: "scans", Kind: "directory", State: "degraded", Reason: &reason}
	var out bytes.Buffer
	c := &cli{stdout: &out, stderr: &out}
	unit := path
	said := errors.Join(
		c.tell("", []client.Explanation{{
			Trigger: tr, Finding: &client.Finding{State: "existing", Detail: "waits for " + path, Unit: &unit},
			Dispatch: &client.ExplainedDispatch{Error: &client.RunError{Message: path}},
			Events:   []client.ExplainedEvent{{Kind: path, State: "held", Reason: &reason}},
		}}),
		c.tell(path, []client.Explanation{{Trigger: tr, Finding: &client.Finding{State: "existing"}}}),
		c.showPreview(client.Preview{
			WouldFire: []client.WouldFire{{Key: path, Inputs: []byte(`{"x": "\u001b"}`)}}, Settling: []client.Settling{{Key: path, Why: path}},
			Ignored: []client.Ignored{{Key: path, Reason: path}}, Warnings: []client.Warning{{Message: path}},
		}),
		c.showTriggers(client.TriggerPage{Items: []client.Trigger{{Name: "scans", Reason: &reason}}}),
		c.showTrigger(client.Trigger{Name: "scans", Reason: &reason}, []byte(`{"advice": [{"message": "\u001b"}], "effective": [{"field": "\u001b", "value": "\u001b", "from": "\u001b"}]}`)),
		c.showChange(client.Change{Kind: "event", Data: []byte(`{"kind": "\u001b", "key": "\u001b", "state": "held", "reason": "\u001b"}`)}),
	)
	c.complain("it is " + path)
	if said != nil {
		t.Fatal(said)
	}
	for line := range strings.SplitSeq(out.String(), "\n") {
		if strings.IndexFunc(line, steers) >= 0 {
			t.Errorf("%q", line)
		}
	}
}
