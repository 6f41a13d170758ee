package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// try runs the program within the test.
func try(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

func TestWrong_usage_is_explained(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("LATTICED_SOCKET", filepath.Join(dir, "s"))
	t.Setenv("LATTICED_SERVER", "")
	write(t, "ok.yaml", "lattice: ok\ninputs:\n  n: {type: integer, default: 1}\n  s: {type: string, default: x}\n  f: {type: string, format: path, default: /etc/hostname}\n"+
		"  d: {type: string, format: directory, default: /etc}\n  b: {type: boolean, default: true}\n  a: {type: array, default: []}\nelectrons:\n  e: {run: [echo]}\n")
	write(t, "none.yaml", "lattice: none\nelectrons:\n  e: {run: [echo]}\n")
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"lsit", 2, `there is no command "latticed lsit"; did you mean list?`},
		{"frobnicate", 2, `there is no command "latticed frobnicate"; see latticed --help`},
		{"trigger ad", 2, `there is no command "latticed trigger ad"; did you mean add?`},
		{"list --statsu running", 2, "unknown flag --statsu; did you mean --status?"},
		{"trigger add sqlite x --table runs", 2, "unknown flag --table; did you mean --table-name?"},
		{"trigger add sqlite x --db lab.db", 2, "unknown flag --db; did you mean --db-path?"},
		{"trigger add time x --max 3", 2, "unknown flag --max; did you mean --max-in-flight?"},
		{"list --creatd x", 2, "unknown flag --creatd; see latticed list --help"},
		{"token create x", 2, "--role is missing: viewer, operator, admin or source"},
		{"trigger retry x --path y", 2, "unknown flag --path; see latticed trigger retry --help"},
		{"cancel", 2, "ID is missing; usage: latticed cancel ID… | cancel ID ELECTRON… | --where FILTERS [flags]"},
		{"cancel fit", 2, "electrons need one dispatch before them: latticed cancel ID fit"},
		{"cancel 1 2 fit", 2, "electrons need one dispatch before them: latticed cancel ID fit"},
		{"cancel 1 fit 2", 2, "2 comes after names of electrons; give one dispatch, then its electrons"},
		{"cancel 1 --dry-run", 2, "--dry-run is for --where"},
		{"list -z", 2, "unknown flag 'z' in -z"},
		{"list --limit many", 2, `--limit: must be a whole number, not "many"`},
		{"list --since yesterday", 2, "--since yesterday: write an instant such as 2026-03-01T12:00:00Z, a day such as 2026-03-01, or a duration such as 2h"},
		{"list --since 90", 2, "--since: 90 what? Write for example 90d, 90h or 90s"},
		{"cancel --where since=2", 2, "--where since: 2 what? Write for example 2d, 2h or 2s"},
		{"watch /etc --trigger x --server http://x --spool-limit 64", 2, "--spool-limit: 64 what? Write for example 64GiB, 64MB or 64B"},
		{"list -i x", 2, "--input x: write key=value"},
		{"list extra", 2, `unexpected argument "extra"; usage: latticed list [flags]`},
		{"show", 2, "ID is missing; usage: latticed show ID [flags]"},
		{"show 1 2", 2, `unexpected argument "2"; usage: latticed show ID [flags]`},
		{"wait", 2, "ID is missing; usage: latticed wait ID… [flags]"},
		{"logs 1", 2, "ELECTRON is missing; usage: latticed logs ID ELECTRON [flags]"},
		{"get 1 plot", 2, "plot: write ELECTRON/FILE, as in integrate/plot"},
		{"dispatch", 2, "FILE|NAME|ID is missing; usage: latticed dispatch FILE|NAME|ID [flags]"},
		{"check nothing.yaml", 2, "there is no file nothing.yaml"},
		{"run ok.yaml -i n", 2, "-i n: write key=value, key:=JSON or key=@FILE"},
		{"run ok.yaml -i =1", 2, "-i =1: write key=value, key:=JSON or key=@FILE"},
		{"run ok.yaml -i m=1", 2, "-i m: the lattice has no such input; it has a, b, d, f, n, s"},
		{"run none.yaml -i m=1", 2, "-i m: the lattice takes no inputs"},
		{"run ok.yaml -i n=1 -i n=2", 2, "-i n: the input is given twice"},
		{"run ok.yaml -i n=many", 2, `-i n: must be an integer, not "many"`},
		{"run ok.yaml -i n=1.5", 2, `-i n: must be an integer, not "1.5"`},
		{"sweep ok.yaml -i n=[4,8]", 2, `-i n: must be an integer, not "[4,8]"; a list of values is written -i n:=[4,8]`},
		{"run ok.yaml -i b=yes", 2, `-i b: must be true or false, not "yes"`},
		{"run ok.yaml -i a=1", 2, `-i a: must be an array, not "1"`},
		{"run ok.yaml -i n:=x", 2, "-i n: not JSON: "},
		{"run ok.yaml -i s=@nothing", 2, "-i s: there is no file nothing"},
		{"run ok.yaml -i f=nothing", 2, "-i f: there is no " + dir + "/nothing"},
		{"run ok.yaml -i f=", 2, "-i f: the path is empty"},
		{"run ok.yaml -i d=ok.yaml", 2, "-i d: " + dir + "/ok.yaml is not a directory"},
		{"run ok.yaml -i n:=\"x\"", 4, "-i n: a whole number is expected, not text"},
		{"trigger add directory", 2, "NAME is missing; usage: latticed trigger add KIND NAME --dispatch ID|--lattice NAME [-m key=EXPRESSION]… [--FIELD value]… [flags]"},
		{"trigger add directory x --dir-paht /", 2, "unknown flag --dir-paht; did you mean --dir-path?"},
		{"trigger add directory x --dir-path=", 2, "--dir-path: the path is empty"},
		{"trigger add directory x -m file", 2, "-m file: write key=EXPRESSION"},
		{"trigger add directory x --settle soon", 2, "--settle: "},
		{"trigger add directory x --max-in-flight few", 2, `--max-in-flight: must be a whole number, not "few"`},
		{"trigger add directory x --batch 10,", 2, `--batch: write an object, such as {key: value}; "10," is none`},
		{"trigger add directory x --dispatch 1 --lattice a", 2, "--dispatch and --lattice exclude each other"},
		{"trigger add directory x --label a", 2, "--label a: write key=value"},
		{"trigger set x", 2, "nothing to set; usage: latticed trigger set NAME [-m key=EXPRESSION]… [--FIELD value]… [--unset FIELD]… [flags]"},
		{"trigger fire x --payload {", 2, "--payload: not JSON: "},
		{"trigger fire x --payload {} --event y", 2, "--payload and --event exclude each other"},
		{"trigger add directory x --marker DONE.txt", 2, `--marker: write an object, such as {key: value}; "DONE.txt" is none`},
		{"trigger add time x --expect-every daily", 2, "--expect-every: "},
		{"trigger backfill x --since soon", 2, "--since soon: write an instant such as 2026-03-01T12:00:00Z, a day such as 2026-03-01, or a duration such as 2h"},
		{"trigger retry", 2, "NAME is missing; usage: latticed trigger retry NAME [flags]"},
		{"trigger apply", 2, "-f is missing; usage: latticed trigger apply -f FILE [--prune] [--dry-run]"},
		{"trigger apply x.yaml", 2, `unexpected argument "x.yaml"; usage: latticed trigger apply -f FILE [--prune] [--dry-run] [flags]`},
		{"trigger apply -f nothing.yaml", 2, "there is no file nothing.yaml"},
		{"trigger aply", 2, `there is no command "latticed trigger aply"; did you mean apply?`},
		{"explain", 2, "PATH|DISPATCH is missing; usage: latticed explain PATH|DISPATCH [flags]"},
		{"explain 7 --trigger x", 2, "--trigger is about a path, and 7 is a dispatch; a file of this name is ./7"},
		{"run ok.yaml -i f:=\"nothing\"", 2, "-i f: there is no " + dir + "/nothing"},
		{"run ok.yaml -o ok.yaml", 2, "-o ok.yaml: it is not a folder"},
		{"events -f --since yesterday", 2, "--since yesterday: must be a sequence number"},
		{"events", 2, "events shows what happens from now on: add -f"},
		{"serve --log-level loud", 2, "--log-level loud: must be debug, info, warn or error"},
		{"serve --config nothing.toml", 2, "read the configuration: there is no file nothing.toml"},
		{"serve --parallel -1", 2, "executors.local.parallel must not be negative, is -1"},
		{"runner", 2, "a state directory is needed"},
		{"whoami --server tcp://x:1", 2, "--server: tcp://x:1: write unix:PATH or https://HOST:PORT"},
		{"whoami", 3, "the daemon is not running: there is no socket at " + dir + "/s; start it with: systemctl start latticed, or by hand: latticed serve"},
		{"whoami --server unix:/nowhere/s", 3, "the daemon is not running: there is no socket at /nowhere/s; start it with: systemctl start latticed, or by hand: latticed serve"},
	} {
		t.Run(c.args, func(t *testing.T) {
			code, _, stderr := try(t, strings.Fields(c.args)...)
			line, _, _ := strings.Cut(stderr, "\n")
			got := strings.TrimPrefix(line, "latticed: ")
			if ok := got == c.want || strings.HasSuffix(c.want, ": ") && strings.HasPrefix(got, c.want); !ok || code != c.code {
				t.Errorf("status %d: %s\nwant   %d: %s", code, got, c.code, c.want)
			}
		})
	}
}

func TestHelp_lists_the_exit_statuses(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"list", "--help"}, {"trigger", "add", "--help"}, {}} {
		code, stdout, _ := try(t, args...)
		if code != 0 || !strings.Contains(stdout, "3  the daemon can't be reached") {
			t.Errorf("%v: %d %s", args, code, stdout)
		}
	}
}

func TestUnreachable_names_the_remedy(t *testing.T) {
	dir := shortDir(t)
	stale(t, filepath.Join(dir, "s"))
	t.Setenv("LATTICED_SOCKET", filepath.Join(dir, "s"))
	code, _, stderr := try(t, "list")
	if code != 3 || !strings.Contains(stderr, "nobody listens at "+dir+"/s any more; start it with: systemctl start latticed") {
		t.Errorf("%d %s", code, stderr)
	}
}

func TestInterrupted_following_is_no_failure(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	if code := run(ctx, []string{"events", "-f", "--server", "unix:/nowhere"}, strings.NewReader(""), &out, &out); code != 0 {
		t.Errorf("%d %s", code, out.String())
	}
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestExplain_of_an_empty_path_is_no_question(t *testing.T) {
	t.Setenv("LATTICED_SOCKET", "/nowhere/s")
	if code, _, stderr := try(t, "explain", ""); code != 2 || stderr != "latticed: the path is empty\n" {
		t.Errorf("status %d: %s", code, stderr)
	}
}
