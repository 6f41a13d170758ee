package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/spool"
)

// taker is a daemon that notes what is delivered, or answers what it is told to.
type taker struct {
	*httptest.Server
	mu     sync.Mutex
	ids    []string
	bodies []map[string]any
	answer func(w http.ResponseWriter, r *http.Request) bool // true: it has answered
}

func newTaker(t *testing.T) *taker {
	k := &taker{}
	k.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.answer != nil && k.answer(w, r) {
			return
		}
		var body map[string]any
		if r.URL.Path != "/v1/hooks/files" || json.NewDecoder(r.Body).Decode(&body) != nil {
			sayNo(w, 404, "not_found")
			return
		}
		k.ids, k.bodies = append(k.ids, r.Header.Get("Idempotency-Key")), append(k.bodies, body)
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"trigger":"files","key":"k","duplicate":false}`)
	}))
	t.Cleanup(k.Close)
	return k
}

func sayNo(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"type":"","title":"","status":%d,"code":%q,"detail":"no"}`, status, code)
}

func (k *taker) answers(f func(w http.ResponseWriter, r *http.Request) bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.answer = f
}

// rels are the files that were told of, in order.
func (k *taker) rels() (all []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, b := range k.bodies {
		all = append(all, fmt.Sprint(b["rel"]))
	}
	return all
}

func refusing(status int, code string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool { sayNo(w, status, code); return true }
}

func TestWatch_delivers_the_fields_of_the_event_and_where_it_comes_from(t *testing.T) {
	k := newTaker(t)
	c := carry(t, k.URL, "", "/data/in")
	c.upload, c.host = false, "microscope"
	c.spools("/data/in/a.tif")
	stop := c.runs()
	c.empty()
	stop()
	want := map[string]any{"path": "/data/in/a.tif", "rel": "a.tif", "kind": "ready", "size": 1.0, "host": "microscope", "root": "/data/in"}
	if got := fmt.Sprint(k.bodies); got != fmt.Sprint([]map[string]any{want}) {
		t.Errorf("%s", got)
	}
	if len(k.ids[0]) != 32 {
		t.Errorf("its id is %q", k.ids[0])
	}
}

// For as long as the network is gone events wait, up to the limit; those beyond it wait
// in the folder. Then all of them are delivered, each once and what was spooled in order.
func TestWatch_without_a_network_nothing_is_lost(t *testing.T) {
	const files = 400
	k := newTaker(t)
	k.Listener.Close() // nobody listens there for now
	addr := k.Listener.Addr().String()
	dir := t.TempDir()
	s, err := spool.Open(t.Context(), filepath.Join(t.TempDir(), "spool"), spool.Options{Owner: "files", Limit: 20_000})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := carry(t, "http://"+addr, "", dir)
	c.carrier.spool, c.spool, c.upload = s, s, false
	l := &lab{victim: &victim{t: t}, in: dir}
	defer l.source(s)()
	stop := c.runs()
	defer stop()
	eventually(t, "the folder is watched", func() bool { return s.Health().State == triggers.Active })
	want := make([]string, files)
	for i := range files {
		if i == files/2 { // what comes in one batch is taken whole, so the rest has to come after
			eventually(t, "the spool is full", func() bool {
				st, err := s.Status(t.Context())
				return err == nil && st.Bytes >= 20_000
			})
		}
		want[i] = fmt.Sprintf("%03d", i)
		l.write(want[i], "x")
	}
	eventually(t, "that shows", func() bool {
		h := s.Health()
		return h.Reason == spool.ErrFull.Error() && strings.Contains(h.Trouble, "nobody listens at http://"+addr)
	})
	st, err := s.Status(t.Context())
	if err != nil || st.Bytes > 20_000+600*512 || st.Waiting < 10 {
		t.Errorf("%+v %v", st, err)
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	again := httptest.NewUnstartedServer(k.Config.Handler)
	again.Listener = ln
	again.Start()
	defer again.Close()
	eventually(t, "all is delivered", func() bool { return len(k.rels()) >= files })
	got := k.rels()
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%d of %d", len(got), files)
	}
	eventually(t, "all is well", func() bool {
		h := s.Health()
		return h.State == triggers.Active && h.Trouble == ""
	})
}

func TestWatch_order_is_kept_over_troubles(t *testing.T) {
	k := newTaker(t)
	c := carry(t, k.URL, "", "/in")
	c.upload = false
	troubles := []func(http.ResponseWriter, *http.Request) bool{
		refusing(401, "unauthenticated"), refusing(404, "not_found"), refusing(429, "rate_limited"), refusing(503, "not_ready"), refusing(507, "disk_full"), refusing(500, "internal"),
		func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) },
	}
	n := 0
	k.answers(func(w http.ResponseWriter, r *http.Request) bool {
		if n++; n%2 == 1 {
			return troubles[n/2%len(troubles)](w, r)
		}
		return false
	})
	var want, paths []string
	for i := range 40 {
		want = append(want, fmt.Sprint(i))
		paths = append(paths, "/in/"+want[i])
	}
	c.spools(paths...)
	stop := c.runs()
	c.empty()
	stop()
	if got := k.rels(); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

func TestWatch_what_is_refused_for_good_is_put_aside_and_shown(t *testing.T) {
	k := newTaker(t)
	c := carry(t, k.URL, "", "/in")
	c.upload = false
	for i, code := range []int{422, 413, 415} {
		k.answers(refusing(code, "invalid"))
		c.spools(fmt.Sprintf("/in/bad %d", i))
		stop := c.runs()
		c.empty()
		stop()
	}
	k.answers(nil)
	c.spools("/in/good")
	stop := c.runs()
	c.empty()
	stop()
	st, err := c.spool.Status(t.Context())
	if err != nil || len(st.Refused) != 3 || st.Refused[0].Reason != "422 invalid: no" || !slices.Equal(k.rels(), []string{"good"}) {
		t.Errorf("%+v %v", st, k.rels())
	}
}

// The daemon's clock counts, whatever ours says.
func TestWatch_a_clock_that_is_wrong_by_hours_is_no_trouble(t *testing.T) {
	k := newTaker(t)
	const ahead = 5 * time.Hour
	k.answers(func(w http.ResponseWriter, r *http.Request) bool {
		_, rest, _ := strings.Cut(r.Header.Get("Authorization"), "t=")
		at, _, _ := strings.Cut(rest, ",")
		sec, err := strconv.ParseInt(at, 10, 64)
		if there := time.Now().Add(ahead); err != nil || there.Sub(time.Unix(sec, 0)).Abs() > 5*time.Minute {
			w.Header().Set("Date", there.UTC().Format(http.TimeFormat))
			sayNo(w, 401, "clock_skew")
			return true
		}
		return false
	})
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("ltd_0123_abc\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := carry(t, k.URL, token, "/in")
	c.upload = false
	c.spools("/in/a", "/in/b")
	stop := c.runs()
	c.empty()
	stop()
	if got := k.rels(); !slices.Equal(got, []string{"a", "b"}) || c.spool.Health().Trouble != "" {
		t.Errorf("%v %+v", got, c.spool.Health())
	}
}

func TestWatch_goes_on_with_a_new_token_when_the_old_one_is_revoked(t *testing.T) {
	l := newLab(t)
	old := l.newToken("old")
	c := carry(t, "http://"+l.addr, l.token, l.in)
	c.longest = 500 * time.Millisecond // the daemon slows down who tries too often
	stop := c.runs()
	defer stop()
	c.spools(l.write("a", "a"))
	c.empty()
	req, err := http.NewRequest(http.MethodDelete, "http://latticed/v1/tokens/"+old, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := l.client.Do(req)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatal(resp, err)
	}
	resp.Body.Close()
	c.spools(l.write("b", "b"), l.write("c", "c"))
	eventually(t, "that shows", func() bool { return strings.Contains(c.spool.Health().Trouble, "401 token_ended") })
	if st, err := c.spool.Status(t.Context()); err != nil || st.Waiting != 2 {
		t.Errorf("%+v %v", st, err)
	}
	l.newToken("new")
	c.empty()
	eventually(t, "all is well", func() bool { return c.spool.Health().Trouble == "" })
	l.check(made{"a": []byte("a"), "b": []byte("b"), "c": []byte("c")})
}

func TestWatch_paths_that_lead_out_are_refused_by_the_daemon(t *testing.T) {
	l := newLab(t)
	c := carry(t, "http://"+l.addr, l.token, l.in)
	outside := filepath.Join(l.dir, "secret")
	for i, rel := range []string{"../../../secret", "/etc/passwd", "a/../../x", "a\x00b"} {
		api, err := c.door.connect()
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.sendFile(t.Context(), api, l.write("a", "x"))
		if err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(map[string]any{"rel": rel, "sha256": s.sha256, "size": s.size})
		if err != nil {
			t.Fatal(err)
		}
		_, err = api.Deliver(t.Context(), "files", strconv.Itoa(i), body)
		if err == nil || !strings.Contains(err.Error(), "the path ") {
			t.Errorf("%q: %v", rel, err)
		}
	}
	if n := l.below("incoming"); n > 0 || exists(outside) {
		t.Errorf("%d files were written", n)
	}
}

func TestWatch_command(t *testing.T) {
	said := func(args ...string) (int, string) {
		var out bytes.Buffer
		code := run(t.Context(), args, nil, &out, &out)
		return code, out.String()
	}
	t.Run("is wrong", func(t *testing.T) {
		t.Setenv("LATTICED_SERVER", "")
		t.Setenv("LATTICED_TOKEN", "")
		t.Setenv("LATTICED_TOKEN_FILE", "")
		for args, want := range map[string]string{
			"watch /in":             "--trigger is missing",
			"watch --trigger x":     "DIR is missing",
			"watch /in --trigger x": "--server is missing",
			"watch /in --trigger x --server http://x":                               "there is no token: give one of role source",
			"watch /in --trigger ../x --server http://x":                            "no trigger has such a name",
			"watch /in --trigger x --token-file f --server ftp://x":                 "--server: ftp://x: write",
			"watch /in --trigger x --server http://x --settle soon":                 "--settle: ",
			"watch /in --trigger x --server http://x --event-names boiled":          "--event-names",
			"watch /in --trigger x --server http://x --spool-limit much":            "--spool-limit much",
			"watch /in --trigger x --server http://x --upload --unit folder":        "--upload sends single files",
			"watch /in --trigger x --server http://x --upload --group {by:\"(.)\"}": "--upload sends single files",
		} {
			if code, out := said(strings.Fields(args)...); code != exitUsage || !strings.Contains(out, want) {
				t.Errorf("%s: exit %d: %s", args, code, out)
			}
		}
	})
	t.Run("delivers what is there once and ends", func(t *testing.T) {
		l := newLab(t)
		files := made{"a": []byte("a"), "b": nil}
		for name, content := range files {
			l.write(name, string(content))
		}
		for range 2 {
			if code, out := said(l.words("--once")...); code != exitOK {
				t.Fatalf("exit %d: %s", code, out)
			}
			l.check(files)
		}
		if code, out := said("watch", "--trigger", "files", "--spool", l.spool(), "--status"); code != exitOK || !strings.Contains(out, "not running") || !strings.Contains(out, "0 events") {
			t.Errorf("exit %d: %s", code, out)
		}
		l.stop()
		l.write("c", "c")
		if code, out := said(l.words("--once")...); code != exitUnreachable {
			t.Errorf("without a daemon: exit %d: %s", code, out)
		}
		code, out := said("watch", "--trigger", "files", "--spool", l.spool(), "--status", "--json")
		var st spool.Status
		if err := json.Unmarshal([]byte(out), &st); err != nil || code != exitOK || st.Waiting != 1 || !strings.Contains(st.Health.Trouble, "nobody listens at ") {
			t.Errorf("exit %d: %s", code, out)
		}
		l.start()
		if code, out := said(l.words("--once")...); code != exitOK {
			t.Fatalf("exit %d: %s", code, out)
		}
		files["c"] = []byte("c")
		l.check(files)
	})
	t.Run("is there once for a spool, and ends when it is told to", func(t *testing.T) {
		l := newLab(t)
		a := l.agent()
		eventually(t, "it watches", func() bool {
			st, err := spool.Read(t.Context(), l.spool())
			return err == nil && st.Running && st.Health.State == triggers.Active
		})
		if code, out := said(l.words()...); code != exitRefused || !strings.Contains(out, "is in use by process "+strconv.Itoa(a.cmd.Process.Pid)) {
			t.Errorf("the second one: exit %d: %s", code, out)
		}
		if err := a.cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		<-a.exited
		if code := a.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("exit %d", code)
		}
	})
	t.Run("says with --once that there is no such folder", func(t *testing.T) {
		l := newLab(t)
		if err := os.Remove(l.in); err != nil {
			t.Fatal(err)
		}
		if code, out := said(l.words("--once")...); code != exitRefused || !strings.Contains(out, "latticed: "+l.in+" is missing") {
			t.Errorf("exit %d: %s", code, out)
		}
	})
	t.Run("says what would take the events", func(t *testing.T) {
		l := newLab(t)
		l.write("a", "a")
		words := l.words("--once")
		words[slices.Index(words, "--trigger")+1] = "fils"
		if code, out := said(words...); code != exitRefused || !strings.Contains(out, "it must be a trigger of kind webhook") {
			t.Errorf("exit %d: %s", code, out)
		}
	})
	t.Run("explains its flags without those of other kinds", func(t *testing.T) {
		if code, out := said("watch", "--help"); code != exitOK || !strings.Contains(out, "auto, events, poll or both\n") || strings.Contains(out, "sqlite") {
			t.Errorf("exit %d: %s", code, out)
		}
	})
	t.Run("has no spool to show", func(t *testing.T) {
		if code, out := said("watch", "--trigger", "x", "--spool", t.TempDir(), "--status"); code != exitRefused || !strings.Contains(out, "there is no spool") {
			t.Errorf("exit %d: %s", code, out)
		}
	})
}
