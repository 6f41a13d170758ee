package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/latticed/latticed/triggers"
)

// told delivers one alarm once.
func told(t *testing.T, c *courier, a triggers.Alarm) error {
	t.Helper()
	l, body, err := letterOf(a, 0)
	if err != nil {
		t.Fatal(err)
	}
	return c.once(t.Context(), l, body)
}

func commandCourier(log io.Writer, argv ...string) *courier {
	return newCourier("command", runCommand(argv, zerolog.New(log)), zerolog.Nop())
}

func TestAlarmCommand_gets_the_alarm_as_JSON_and_in_its_environment(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "/run/systemd/notify")
	name := strings.Repeat("n", 64)
	out := filepath.Join(t.TempDir(), "out")
	script := `cat >"$1"; printf '%s|%s|%s|%s' "$LATTICED_TRIGGER" "$LATTICED_STATE" "$LATTICED_REASON" "$NOTIFY_SOCKET" >>"$1"; echo sent; echo twice >&2`
	var log bytes.Buffer
	reason := "$(touch /tmp/x); \"quoted\"\nsecond line\x00"
	if err := told(t, commandCourier(&log, "sh", "-c", script, "tell", out), alarm(name, triggers.Failing, reason)); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	body, env, _ := strings.Cut(string(raw), "\n")
	var l letter
	if err := json.Unmarshal([]byte(body), &l); err != nil || l.Trigger != name || l.Reason != reason || l.State != triggers.Failing || l.ID != "id of "+name {
		t.Errorf("%+v %v", l, err)
	}
	if want := name + `|failing|$(touch /tmp/x); "quoted"\nsecond line\x00|`; env != want {
		t.Errorf("%q, want %q", env, want)
	}
	if !strings.Contains(log.String(), `"output":"sent\ntwice"`) {
		t.Error(log.String())
	}
}

func TestAlarmCommand_that_fails_says_how(t *testing.T) {
	var log bytes.Buffer
	for _, c := range []struct {
		argv []string
		want string
	}{
		{[]string{"sh", "-c", "echo no mail >&2; exit 3"}, "exit status 3"},
		{[]string{"/nowhere/tell"}, "no such file or directory"},
		{[]string{"no-such-program-at-all"}, "not found"},
	} {
		if err := told(t, commandCourier(&log, c.argv...), alarm("a", triggers.Failing, "")); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v", c.argv, err)
		}
	}
	if !strings.Contains(log.String(), "no mail") {
		t.Error(log.String())
	}
}

func TestAlarmCommand_that_hangs_is_killed_with_all_it_has_started(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	c := commandCourier(io.Discard, "sh", "-c", `trap "" TERM; sleep 600 & echo $$ $! >"$1"; wait`, "tell", pids)
	c.limit = 3 * time.Second // to start in
	err := told(t, c, alarm("a", triggers.Failing, ""))
	if err == nil || err.Error() != "it did not end within 3s" {
		t.Error(err)
	}
	raw, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	for word := range strings.FieldsSeq(string(raw)) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "process "+word+" is gone", func() bool { return gone(pid) })
	}
}

// gone tells whether a process has ended; one that nobody has collected has.
func gone(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return true
	}
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return err != nil || strings.Contains(string(raw), ") Z ")
}

func TestAlarmCommand_may_leave_something_in_the_background(t *testing.T) {
	began := time.Now()
	if err := told(t, commandCourier(io.Discard, "sh", "-c", "sleep 20 & exit 0"), alarm("a", triggers.Failing, "")); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 18*time.Second {
		t.Errorf("waited for it: %s", took)
	}
}

func TestAlarmCommand_its_output_is_clipped_in_the_log(t *testing.T) {
	var log bytes.Buffer
	if err := told(t, commandCourier(&log, "sh", "-c", "yes | head -c 1000000"), alarm("a", triggers.Failing, "")); err != nil {
		t.Error(err)
	}
	if n := log.Len(); n < alarmOutput || n > 3*alarmOutput || !strings.Contains(log.String(), " …") {
		t.Errorf("%d bytes", n)
	}
}

func TestAlarmCommand_that_reads_nothing_is_fine(t *testing.T) {
	if err := told(t, commandCourier(io.Discard, "true"), alarm("a", triggers.Failing, strings.Repeat("long ", 50_000))); err != nil {
		t.Error(err)
	}
}

func TestAlarmURL_is_sent_the_alarm(t *testing.T) {
	var got letter
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("User-Agent") != "latticed/"+version {
			t.Errorf("%s %v", r.Method, r.Header)
		}
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	defer server.Close()
	if err := told(t, newCourier("url", postTo(server.URL+"/hook"), zerolog.Nop()), alarm("scans", triggers.Failing, "gone")); err != nil {
		t.Fatal(err)
	}
	if got.Trigger != "scans" || got.Reason != "gone" || got.Text == "" {
		t.Errorf("%+v", got)
	}
}

func TestAlarmURL_refusals_say_what_was_answered_and_keep_the_secret(t *testing.T) {
	var other *httptest.Server
	mux := http.NewServeMux()
	mux.HandleFunc("/500/{secret}", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "out of\x1b[31m order", http.StatusInternalServerError)
	})
	mux.HandleFunc("/away/{secret}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+"/take", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/get/{secret}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/here", http.StatusFound)
	})
	mux.HandleFunc("/round/{secret}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	other = httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the letter went to another server") }))
	defer other.Close()
	gone := httptest.NewServer(mux)
	gone.Close()
	for address, want := range map[string]string{
		server.URL + "/500/s3cret":   "answered 500 Internal Server Error out of\\x1b[31m order",
		server.URL + "/away/s3cret":  "it sends us on to http://" + strings.TrimPrefix(other.URL, "http://") + ": write the right address into the configuration",
		server.URL + "/get/s3cret":   "it sends us on to a page that takes no POST",
		server.URL + "/round/s3cret": "it sends us on and on",
		gone.URL + "/s3cret":         "connection refused",
	} {
		err := told(t, newCourier("url", postTo(address), zerolog.Nop()), alarm("scans", triggers.Failing, "gone"))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, want %s", address, err, want)
		}
	}
}

func TestAlarmURL_a_redirect_within_the_server_takes_the_letter_along(t *testing.T) {
	arrived := false
	mux := http.NewServeMux()
	mux.HandleFunc("/old", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/new", http.StatusPermanentRedirect)
	})
	mux.HandleFunc("/new", func(_ http.ResponseWriter, r *http.Request) {
		var l letter
		arrived = r.Method == http.MethodPost && json.NewDecoder(r.Body).Decode(&l) == nil && l.Trigger == "scans"
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	if err := told(t, newCourier("url", postTo(server.URL+"/old"), zerolog.Nop()), alarm("scans", triggers.Failing, "")); err != nil || !arrived {
		t.Errorf("%v, arrived: %v", err, arrived)
	}
}

func TestAlarmURL_a_server_that_does_not_answer_is_given_up(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	c := newCourier("url", postTo(server.URL), zerolog.Nop())
	c.limit = 100 * time.Millisecond
	if err := told(t, c, alarm("scans", triggers.Failing, "")); err == nil || err.Error() != "it did not end within 100ms" {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.once(ctx, letter{}, nil); err == nil {
		t.Error("delivered")
	}
}
