package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// parsed is what serve would use.
func parsed(t *testing.T, args ...string) (Config, error) {
	t.Helper()
	var file string
	var flags Config
	cmd := &cobra.Command{Use: "serve"}
	f := cmd.Flags()
	f.StringVar(&file, "config", "", "")
	f.StringVar(&flags.Paths.StateDir, "state-dir", "", "")
	f.StringVar(&flags.Paths.Socket, "socket", "", "")
	f.IntVar(&flags.Executors.Local.Parallel, "parallel", 0, "")
	if err := f.Parse(args); err != nil {
		t.Fatal(err)
	}
	return settings(cmd, file, flags)
}

func TestConfig_flags_come_before_the_file(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("LATTICED_SOCKET", "/from/env")
	file := filepath.Join(dir, "c.toml")
	write(t, file, "[paths]\nstate_dir = '/from/file'\nsocket = '/from/file/s'\nrunner = '/run/r.sock'\nwatch = ['/data/', '/scratch/../mnt']\n[executors.local]\nparallel = 3\nenv = {A = 'b'}\npass_env = ['HOME']\n")
	c, err := parsed(t, "--config", file)
	if err != nil || c.Paths.StateDir != "/from/file" || c.Paths.Socket != "/from/file/s" || c.Executors.Local.Parallel != 3 ||
		strings.Join(c.Paths.Watch, " ") != "/data /mnt" || c.Executors.Local.Env["A"] != "b" || c.Executors.Local.PassEnv[0] != "HOME" || c.Paths.Runner != "/run/r.sock" {
		t.Errorf("%+v %v", c, err)
	}
	c, err = parsed(t, "--config", file, "--state-dir", "/flag", "--socket", "/flag/s", "--parallel", "9")
	if err != nil || c.Paths.StateDir != "/flag" || c.Paths.Socket != "/flag/s" || c.Executors.Local.Parallel != 9 {
		t.Errorf("%+v %v", c, err)
	}
	if c, err = parsed(t); err != nil || c.Paths.Socket != "/from/env" {
		t.Errorf("%+v %v", c, err)
	}
}

func TestConfig_defaults_are_those_of_systemd_when_it_starts_us(t *testing.T) {
	t.Setenv("LATTICED_SOCKET", "")
	t.Setenv("STATE_DIRECTORY", "/var/lib/x:/other")
	t.Setenv("RUNTIME_DIRECTORY", "/run/x")
	t.Setenv("LATTICED_RUNNER", "/run/latticed-runner/me.sock")
	c, err := parsed(t)
	if err != nil || c.Paths.StateDir != "/var/lib/x" || c.Paths.Socket != "/run/x/latticed.sock" || c.Paths.Runner != "/run/latticed-runner/me.sock" {
		t.Errorf("%+v %v", c, err)
	}
}

func TestConfig_relative_paths_are_of_the_working_directory(t *testing.T) {
	t.Chdir(t.TempDir())
	c, err := parsed(t, "--state-dir", "state", "--socket", "s")
	if err != nil || !filepath.IsAbs(c.Paths.StateDir) || !filepath.IsAbs(c.Paths.Socket) {
		t.Errorf("%+v %v", c, err)
	}
}

func TestConfig_the_time_before_an_alarm_is_text_or_seconds(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.toml")
	for content, want := range map[string]time.Duration{
		"":                                    time.Minute,
		"[alarm]\nurl = 'https://x/'\n":       time.Minute,
		"[alarm]\nurl='http://x'\nafter='5m'": 5 * time.Minute,
		"[alarm]\nurl='http://x'\nafter=90":   90 * time.Second,
		"[alarm]\nurl='http://x'\nafter=0.5":  500 * time.Millisecond,
		"[alarm]\nurl='http://x'\nafter=0":    0,
	} {
		write(t, file, content)
		if c, err := parsed(t, "--config", file); err != nil || c.Alarm.after != want {
			t.Errorf("%q: %s %v", content, c.Alarm.after, err)
		}
	}
}

func TestConfig_lists_everything_that_is_wrong(t *testing.T) {
	c := Config{Executors: Executors{Local: Local{
		Parallel: -1, Env: map[string]string{"1A": ""}, PassEnv: []string{"A", "A", "B=C"},
	}}, Paths: Paths{Watch: []string{"/a", "data", "/a"}}, Alarm: Alarm{
		Command: []string{"bin/tell", "a\x00"}, URL: "tell.example/secret", After: "soon",
	}}
	want := `paths.watch[1]: "data" must be absolute, such as /data
paths.watch[2]: /a is there twice
executors.local.parallel must not be negative, is -1
executors.local.env: "1A" can't be the name of a variable
executors.local.pass_env[1]: A is there twice
executors.local.pass_env[2]: "B=C" can't be the name of a variable
alarm.command: "bin/tell" must be absolute, or a name that is on the PATH
alarm.command[1]: holds a zero byte
alarm.url must begin with https:// or http:// and name a host
alarm.after: "soon" is not a duration; write for example 30s, 10m, 1h30m or 7d`
	if got := c.Validate(); got == nil || got.Error() != want {
		t.Errorf("%v", got)
	}
	c = Config{Paths: Paths{Watch: []string{}}, Alarm: Alarm{Command: []string{}, After: int64(3)}}
	want = `paths.watch is empty, which could mean all or none: name the folders that triggers may look at, such as watch = ["/data", "/scratch"], or remove the line to allow every folder
alarm.command names no program: write for example ["/usr/local/bin/tell-me"]`
	if got := c.Validate(); got == nil || got.Error() != want {
		t.Errorf("%v", got)
	}
	c = Config{Alarm: Alarm{After: int64(3)}}
	want = `alarm.after means nothing without alarm.command or alarm.url`
	if got := c.Validate(); got == nil || got.Error() != want {
		t.Errorf("%v", got)
	}
}

func TestConfig_is_read_strictly(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.toml")
	for content, want := range map[string]string{
		"[pahts]\n":                              "c.toml:1:2: unknown key pahts; did you mean paths?",
		"[paths]\nwatsh = ['/a']\n":              "c.toml:2:1: unknown key paths.watsh; did you mean paths.watch?",
		"[paths]\nwatch = '/a'\n":                "c.toml:2:9: paths.watch must be a list, such as [\"/data\"]",
		"[alarm]\ncomand = ['a']\n":              "c.toml:2:1: unknown key alarm.comand; did you mean alarm.command?",
		"[alarm]\ncommand = 'mail root'\n":       "c.toml:2:11: alarm.command must be a list, such as [\"/usr/local/bin/tell-me\"]",
		"[alarms]\nurl = 'http://x'\n":           "unknown key alarms; did you mean alarm?",
		"[executors.slurm]\nx = 1\n":             "unknown key executors.slurm",
		"[paths]\nsocket = \n":                   "c.toml:2:10: ",
		"[paths]\nsocket = 1\n":                  "c.toml:2:10: paths.socket must be text",
		"[paths]\nsocket='a'\nsocket='b'\n":      "c.toml:",
		"[executors.local]\nenv = {A = 1}\n":     "c.toml:2:12: executors.local.env: each value must be text",
		"[executors.local]\nenv = 1\n":           "c.toml:2:7: executors.local.env must be a table of texts",
		"[executors.local]\nparallel = 'x'\n":    "c.toml:2:12: executors.local.parallel must be a whole number",
		"[executors.local]\npass_env = 'HOME'\n": "c.toml:2:12: executors.local.pass_env must be a list, such as [\"HOME\"]",
		"[http]\nlisten = '127.0.0.1:1'\n":       "c.toml:2:10: http.listen must be a list, such as [\"127.0.0.1:8321\"]",
		"[http]\nallow_plain = 'yes'\n":          "c.toml:2:15: http.allow_plain must be true or false",
		"[http]\nlsiten = []\n":                  "c.toml:2:1: unknown key http.lsiten; did you mean http.listen?",
		"paths = 1\n":                            "c.toml:1:9: paths must be a table",
	} {
		write(t, file, content)
		if _, err := readConfig(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", content, err)
		}
	}
}

func FuzzConfig(f *testing.F) {
	f.Add("[paths]\nstate_dir='x'\n")
	f.Add("[executors.local]\nenv={A='b'}\n")
	f.Add("[paths]\nwatch=['/a']\n[alarm]\ncommand=['a','b']\nurl='https://x/y'\nafter='1m'\n")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, content string) {
		file := filepath.Join(dir, "c.toml")
		write(t, file, content)
		c, err := readConfig(file)
		if err == nil {
			_ = c.Validate()
		}
	})
}
