package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/latticed/latticed/api/client"
)

func rowOf(t *testing.T, raw string) client.Dispatch {
	t.Helper()
	var d client.Dispatch
	if err := json.Unmarshal([]byte(raw), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

const wholeRow = `{"id": "0190", "number": 7, "status": "completed", "lattice": {"id": "abc", "name": "fit"}, "reason": null, "waiting": null,
	"inputs": {"bins": 64, "who": {"first": "ada"}, "big": 12345678901234567890, "text": "a, \"b\"\nc", "empty": ""},
	"result": {"fit": {"r2": 0.50, "peaks": [1, {"x": 2}], "dotted.key": true, "none": null}},
	"labels": {"lab/sample.no": "3"}, "error": null, "note": "n", "counts": {"completed": 1}, "parent_id": null,
	"created_at": "2026-03-01T12:00:00.000001Z", "started_at": "2026-03-01T12:00:00.000000Z", "ended_at": "2026-03-01T12:00:01.500000Z"}`

func TestColumns(t *testing.T) {
	d := rowOf(t, wholeRow)
	for name, want := range map[string]string{
		"number": "7", "id": "0190", "status": "completed", "lattice": "fit", "lattice.id": "abc", "note": "n", "parent_id": "", "trigger": "",
		"inputs.bins": "64", "inputs.who": `{"first":"ada"}`, "inputs.who.first": "ada", "inputs.who.last": "", "inputs.big": "12345678901234567890",
		"inputs.text": "a, \"b\"\nc", "inputs.nothing": "", "inputs.bins.x": "",
		"result.fit.r2": "0.50", "result.fit.peaks": `[1,{"x":2}]`, "result.fit.peaks.0": "1", "result.fit.peaks.1.x": "2", "result.fit.peaks.2": "", "result.fit.peaks.-1": "",
		"result.fit.dotted.key": "true", "result.fit.none": "", "labels.lab/sample.no": "3", "counts.completed": "1", "error.code": "",
		"took": "1.5", "created_at": "2026-03-01T12:00:00.000001Z",
	} {
		columns, err := readColumns([]string{name})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := plainCells(columns, d)[0]; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	pending := rowOf(t, `{"number": 8, "status": "pending", "waiting": {"code": "sweep", "detail": "x"}, "inputs": {}, "result": null}`)
	columns, err := readColumns([]string{"status", "result.fit.r2", "took", "started_at"})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(shownCells(columns, pending), "|"); got != "pending (sweep)|-|-|-" {
		t.Errorf("a row that waits is %s", got)
	}
	if got := strings.Join(plainCells(columns, pending), "|"); got != "pending|||" {
		t.Errorf("in CSV it is %s", got)
	}
	for word, want := range map[string]string{
		"imputs.x": "did you mean inputs?", "statue": "did you mean status?", "status.x": "status has no parts", "inputs.": "a dispatch has no inputs", "x": "write inputs.NAME, result.NAME or labels.NAME, or one of number, ",
	} {
		if _, err := readColumns([]string{word}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", word, err)
		}
	}
	if h := headings([]string{"number", "created_at", "inputs.alg", "result.alg", "result.Fit.r2", "lattice"}); strings.Join(h, "|") != "NUMBER|CREATED AT|inputs.alg|result.alg|Fit.r2|LATTICE" {
		t.Errorf("%q", h)
	}
}

// TestTable asks a real daemon for more than a page, of which most has not ended.
func TestTable(t *testing.T) {
	v := newVictim(t)
	v.start()
	socket := "unix:" + filepath.Join(v.dir, "s")
	cli := func(want int, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if got := run(t.Context(), append(args, "--server", socket), strings.NewReader(""), &out, &errs); got != want {
			t.Fatalf("%v: exit %d, %s%s", args, got, out.String(), errs.String())
		}
		return out.String() + errs.String()
	}
	const members = 1201
	values := make([]string, members)
	for i := range values {
		values[i] = fmt.Sprint(i)
	}
	file := filepath.Join(v.dir, "l.yaml")
	write(t, file, `
lattice: quoted
inputs: {n: {type: integer}, text: {type: string, default: "a, \"b\""}}
electrons:
  work:
    bash: if [ $N -gt 2 ]; then sleep 1000; fi; echo "{\"n\":$N,\"deep\":{\"er\":[$N]}}" > $LATTICED_RESULT; exit $(( N == 1 ))
    env: {N: "${{ inputs.n }}"}
`)
	cli(0, "sweep", file, "-i", "n:=["+strings.Join(values, ",")+"]", "--name", "t", "--max-in-flight", "1")
	for n := 1; n <= 3; n++ {
		v.ended(fmt.Sprint(n))
	}
	if said := cli(1, "sweep", file, "-i", "n:=[0,1]", "--wait"); !strings.HasSuffix(said, "\nlatticed: 1 of 2 did not complete; why: latticed show 1203\n") {
		t.Error(said)
	}
	write(t, filepath.Join(v.dir, "l.csv"), "n\n1\n2\n")
	if said := cli(4, "sweep", file, "-i", "n=0", "--list", filepath.Join(v.dir, "l.csv")); said != "latticed: --list n: is in inputs, too, which is of all of them: give it once\n" {
		t.Error(said)
	}
	rows := func(args ...string) [][]string {
		t.Helper()
		all, err := csv.NewReader(strings.NewReader(cli(0, append([]string{"table", "--label", "sweep=t", "--csv"}, args...)...))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	all := rows("--columns", "number,inputs.n,inputs.text,result.work.deep.er.0,error.code,status")
	if len(all) != members+1 {
		t.Fatalf("%d rows", len(all))
	}
	for i, row := range all[1:] {
		if row[0] != fmt.Sprint(i+1) || row[1] != values[i] || row[2] != `a, "b"` {
			t.Errorf("%v", row)
		}
	}
	if got := fmt.Sprint(all[0], all[1], all[2], all[5]); got != `[number inputs.n inputs.text result.work.deep.er.0 error.code status] [1 0 a, "b" 0  completed] [2 1 a, "b"  exit_code failed] [5 4 a, "b"   pending]` {
		t.Error(got)
	}
	own := rows()
	if got := fmt.Sprint(own[0], own[1], own[2]); got != `[number status inputs.n result.work.deep.er result.work.n] [1 completed 0 [0] 0] [2 failed 1  ]` {
		t.Error(got)
	}
	if few := cli(0, "table", "--label", "sweep=t", "--limit", "2", "--order", "newest", "--columns", "inputs.n"); few != "n\n1200\n1199\nthere are more than 2: --limit, or narrower filters\n" {
		t.Error(few)
	}
	if unused := cli(0, "table", "--label", "sweep=t", "--limit", "1", "--columns", "inputs.m,inputs.n,result.x,error.code"); !strings.HasSuffix(unused,
		"latticed: warning: no row has a value for inputs.m\nlatticed: warning: no row has a value for result.x\n") || strings.Count(unused, "warning") != 2 {
		t.Error(unused)
	}
	if early := cli(0, "table", "--status", "pending", "--limit", "1", "--columns", "result.x"); strings.Contains(early, "warning") {
		t.Error(early)
	}
	lines := cli(0, "table", "--json", "--label", "sweep=t", "--status", "failed", "--columns", "number,result.work")
	if lines != `{"number":2,"result.work":null}`+"\n" {
		t.Error(lines)
	}
	if none := cli(0, "table", "--label", "sweep=u"); none != "nothing is found\n" {
		t.Error(none)
	}
	cli(2, "table", "--csv", "--json")
	cli(2, "table", "--limit", "-1")
	cli(2, "table", "--columns", "statsu")

	if found := cli(0, "cancel", "--where", "label=sweep=t,input.n=1200", "--dry-run"); !strings.HasPrefix(found, "NUMBER  STATUS\n1201    pending\n1 dispatch would be asked to cancel\n") {
		t.Errorf("%q", found)
	}
	if found := cli(0, "redispatch", "--where", "label=sweep=t,input.n=0", "-i", `n:="x"`, "--dry-run"); !strings.HasPrefix(found, "NUMBER  STATUS     REFUSED\n1       completed  inputs.n: ") ||
		!strings.HasSuffix(found, "\n0 dispatches would be run again\n") {
		t.Errorf("%q", found)
	}
	if said := cli(4, "cancel", "4", "wrk"); said != "latticed: there is no electron \"wrk\"; did you mean work?\n" {
		t.Error(said)
	}
	write(t, filepath.Join(v.dir, "w.yaml"), "run: [echo, '${{ inputs.m }}']")
	if said := cli(4, "redispatch", "1", "--replace", "work="+filepath.Join(v.dir, "w.yaml")); !strings.HasPrefix(said, "latticed: --replace work.run[1]: ") {
		t.Error(said)
	}
	began := time.Now()
	if done := cli(0, "cancel", "--where", "label=sweep=t", "--max", "2000"); done != "1198 dispatches asked to cancel\n" {
		t.Error(done)
	}
	t.Logf("1,198 cancelled in %s", time.Since(began))
	for _, n := range []string{"4", "5", "1201"} {
		if d := v.ended(n); d.Status != "cancelled" || n != "4" && len(d.Electrons[0].Attempts) > 0 {
			t.Errorf("dispatch %s is %+v", n, d)
		}
	}
}
