package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/triggertest"
)

func TestDeliver(t *testing.T) {
	t.Run("stores_an_event_that_fires", func(t *testing.T) {
		w := newWorld(t, nil)
		tr := w.add("t", `"path_secret": "`+secretPath+`"`)
		d := delivery(secretPath, `{"n": 1}`, "X-Thing", "yes", "Authorization", "Bearer of what is private", "X-Gitlab-Token", "private", "Idempotency-Key", "first")
		d.Query = map[string][]string{"a": {"1", "2"}, "b": {"x"}}
		if r := w.delivered(d); r.Trigger != "t" || r.Key != "first" || r.Duplicate {
			t.Errorf("%+v", r)
		}
		fields := w.last(tr)
		delete(fields, "time")
		want := map[string]any{
			"body": map[string]any{"n": 1.0}, "id": "first", "path": nil, "query": map[string]any{"a": []any{"1", "2"}, "b": "x"},
			"headers": map[string]any{"content-type": "application/json", "x-thing": "yes", "idempotency-key": "first"},
		}
		if !reflect.DeepEqual(fields, want) {
			t.Errorf("%v", fields)
		}
		if ds := w.ledger.Dispatches(tr.ID); len(ds) != 1 || string(ds[0].Inputs) != `{"body":{"n":1}}` {
			t.Errorf("%+v", ds)
		}
	})

	t.Run("knows_a_delivery_that_comes_again", func(t *testing.T) {
		w := newWorld(t, nil)
		tr := w.add("t", `"path_secret": "`+secretPath+`"`)
		for i, tt := range []struct {
			header, id string
			duplicate  bool
			key        string
		}{
			{"X-GitHub-Delivery", "a", false, "a"},
			{"X-GitHub-Delivery", "a", true, "a"},
			{"Idempotency-Key", "a", true, "a"},
			{"Idempotency-Key", "b~1", false, "b%7E1"}, // as a retry of b would be called
			{"Idempotency-Key", "b", false, "b"},
		} {
			if r := w.delivered(delivery(secretPath, "1", tt.header, tt.id)); r.Duplicate != tt.duplicate || r.Key != tt.key {
				t.Errorf("%d: %+v", i, r)
			}
		}
		w.delivered(delivery(secretPath, "1"))
		w.delivered(delivery(secretPath, "1"))
		if n := len(w.ledger.Events(tr.ID)); n != 5 {
			t.Errorf("%d events", n)
		}
	})

	t.Run("takes_the_id_where_it_is_told_to", func(t *testing.T) {
		w := newWorld(t, nil)
		w.add("own", `"path_secret": "`+secretPath+`", "delivery_id": "x-request-id"`)
		if r := w.delivered(delivery(secretPath, "1", "X-Request-Id", "7", "Idempotency-Key", "8")); r.Key != "7" {
			t.Errorf("%+v", r)
		}
		_, err := w.deliver(delivery(secretPath, "1", "Idempotency-Key", "8"))
		if invalid := new(graph.Invalid); !errors.As(err, &invalid) || invalid.Problems[0].Path != "X-Request-Id" {
			t.Errorf("without it: %v", err)
		}
		_, err = w.deliver(delivery(secretPath, "1", "X-Request-Id", strings.Repeat("7", maxID+1)))
		if invalid := new(graph.Invalid); !errors.As(err, &invalid) {
			t.Errorf("too long: %v", err)
		}
		w.add("paid", `"signature": {"style": "stripe", "secret": "whsec_test_secret"}`)
		at := fmt.Sprint(time.Now().Unix())
		body := `{"id": "evt_1", "type": "charge"}`
		d := delivery("paid", body, "Stripe-Signature", "t="+at+",v1="+signed("whsec_test_secret", at+"."+body))
		if r := w.delivered(d); r.Key != "evt_1" || r.Duplicate {
			t.Errorf("%+v", r)
		}
		if r := w.delivered(d); r.Key != "evt_1" || !r.Duplicate {
			t.Errorf("replayed: %+v", r)
		}
	})

	t.Run("records_and_fires_nothing_when_it_only_observes", func(t *testing.T) {
		w := newWorld(t, nil)
		tr := w.add("t", `"path_secret": "`+secretPath+`", "observe": true`)
		w.delivered(delivery(secretPath, "1"))
		if e := w.ledger.Events(tr.ID)[0]; e.State != triggers.EventSkipped || e.Reason != triggers.ReasonObserved || len(w.ledger.Dispatches(tr.ID)) != 0 {
			t.Errorf("%+v", e)
		}
	})

	t.Run("is_held_while_the_trigger_is_paused", func(t *testing.T) {
		w := newWorld(t, nil)
		tr := w.add("t", `"path_secret": "`+secretPath+`"`)
		if _, err := w.manager.Pause(t.Context(), "t"); err != nil {
			t.Fatal(err)
		}
		w.delivered(delivery(secretPath, "1"))
		if e := w.ledger.Events(tr.ID)[0]; e.State != triggers.EventHeld || e.Reason != triggers.ReasonPaused {
			t.Errorf("%+v", e)
		}
	})

	t.Run("is_refused_beyond_the_rate", func(t *testing.T) {
		w := newWorld(t, nil)
		w.add("t", `"path_secret": "`+secretPath+`", "accept_rate": "2/1h"`)
		d := delivery(secretPath, "1")
		w.delivered(d)
		w.delivered(d)
		for range 3 { // to be refused costs nothing
			var rate *RateError
			if _, err := w.deliver(d); !errors.As(err, &rate) || rate.After < 20*time.Minute || rate.After > 30*time.Minute {
				t.Fatalf("%v", err)
			}
		}
		d.At = d.At.Add(31 * time.Minute)
		w.delivered(d)
	})
}

func TestDeliver_doors(t *testing.T) {
	w := newWorld(t, nil)
	w.add("hidden", `"path_secret": "`+secretPath+`"`)
	both := w.add("both", `"path_secret": "both-`+secretPath+`", "signature": {"style": "hex", "secret": "a good secret"}`)
	sign := w.add("signed", `"signature": {"style": "hex", "header": "X-Proof", "secret": "a good secret"}`)
	agent := w.add("agent", `"tokens": true`)
	all := w.add("all", `"tokens": true, "path_secret": "all0-`+secretPath+`", "signature": {"style": "hex", "secret": "a good secret"}`)
	proof := func(d Delivery) Delivery {
		d.Header.Set("X-Signature", signed("a good secret", string(d.Body)))
		d.Header.Set("X-Proof", signed("a good secret", string(d.Body)))
		return d
	}
	from := func(d Delivery, s Sender) Delivery {
		d.Sender = s
		return d
	}
	token := func(tr triggers.Trigger) Sender { return Sender{Name: "token:a", Trigger: tr.ID} }
	for _, tt := range []struct {
		name string
		d    Delivery
		want error
	}{
		{"the secret path", delivery(secretPath, "1"), nil},
		{"the name of a hidden one", delivery("hidden", "1"), triggers.ErrNotFound},
		{"the name of a hidden one, by somebody who may do everything", from(delivery("hidden", "1"), Sender{Any: true}), triggers.ErrNotFound},
		{"nothing", delivery("nothing", "1"), triggers.ErrNotFound},
		{"an empty path", delivery("", "1"), triggers.ErrNotFound},
		{"the beginning of a secret path", delivery(secretPath[:len(secretPath)-1], "1"), triggers.ErrNotFound},
		{"the secret path without its signature", delivery("both-"+secretPath, "1"), ErrSignature},
		{"the signature without its secret path", proof(delivery("both", "1")), triggers.ErrNotFound},
		{"the signature without its secret path, by id", proof(delivery(both.ID, "1")), triggers.ErrNotFound},
		{"both", proof(delivery("both-"+secretPath, "1")), nil},
		{"signed, by name", proof(delivery("signed", "1")), nil},
		{"signed, by id", proof(delivery(sign.ID, "1")), nil},
		{"not signed, by name", delivery("signed", "1"), ErrSignature},
		{"its token, by name", from(delivery("agent", "1"), token(agent)), nil},
		{"its token, by id", from(delivery(agent.ID, "1"), token(agent)), nil},
		{"the token of another", from(delivery("agent", "1"), token(sign)), triggers.ErrNotFound},
		{"no token", delivery("agent", "1"), triggers.ErrNotFound},
		{"an operator", from(delivery("agent", "1"), Sender{Name: "ada", Any: true}), nil},
		{"all three", from(proof(delivery("all0-"+secretPath, "1")), token(all)), nil},
		{"all but the token", proof(delivery("all0-"+secretPath, "1")), triggers.ErrNotFound},
		{"all but the signature", from(delivery("all0-"+secretPath, "1"), token(all)), ErrSignature},
		{"all but the path", from(proof(delivery("all", "1")), token(all)), triggers.ErrNotFound},
	} {
		if _, err := w.deliver(tt.d); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if fields := w.last(sign); strings.Contains(fmt.Sprint(fields), "x-proof") || strings.Contains(fmt.Sprint(fields), signed("a good secret", "1")) {
		t.Errorf("the signature is stored: %v", fields)
	}
}

func TestDeliver_when_it_can_not_be_stored(t *testing.T) {
	t.Run("is_not_acknowledged_and_comes_again", func(t *testing.T) {
		w := newWorld(t, nil)
		tr := w.add("t", `"path_secret": "`+secretPath+`"`)
		w.ledger.Fail(func(op string) error {
			if op == "Record" {
				return triggertest.ErrFull
			}
			return nil
		})
		if _, err := w.deliver(delivery(secretPath, "1", "Idempotency-Key", "a")); !errors.Is(err, triggertest.ErrFull) && !errors.Is(err, ErrAway) {
			t.Fatalf("%v", err)
		}
		if _, err := w.deliver(delivery(secretPath, "1", "Idempotency-Key", "b")); !errors.Is(err, ErrAway) {
			t.Errorf("while it is failing: %v", err)
		}
		w.ledger.Fail(nil)
		w.eventually(func() bool {
			r, err := w.deliver(delivery(secretPath, "1", "Idempotency-Key", "a"))
			return err == nil && !r.Duplicate
		})
		if n := len(w.ledger.Events(tr.ID)); n != 1 {
			t.Errorf("%d events", n)
		}
	})

	t.Run("what_was_stored_although_the_answer_was_lost_is_a_duplicate", func(t *testing.T) {
		w := newWorld(t, nil)
		tr := w.add("t", `"path_secret": "`+secretPath+`"`)
		w.ledger.FailAfter(func(op string) error {
			if op == "Record" {
				return triggertest.ErrFull
			}
			return nil
		})
		if _, err := w.deliver(delivery(secretPath, "1", "Idempotency-Key", "a")); err == nil {
			t.Fatal("it was acknowledged")
		}
		w.ledger.FailAfter(nil)
		w.eventually(func() bool {
			r, err := w.deliver(delivery(secretPath, "1", "Idempotency-Key", "a"))
			return err == nil && r.Duplicate
		})
		if n := len(w.ledger.Events(tr.ID)); n != 1 {
			t.Errorf("%d events", n)
		}
	})

	t.Run("who_goes_away_leaves_the_event", func(t *testing.T) {
		w := newWorld(t, nil)
		tr := w.add("t", `"path_secret": "`+secretPath+`"`)
		ctx, leave := context.WithCancel(t.Context())
		w.ledger.Fail(func(op string) error {
			if op == "Record" {
				leave()
			}
			return nil
		})
		if _, err := w.hub.Deliver(ctx, delivery(secretPath, "1", "Idempotency-Key", "a")); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if r := w.delivered(delivery(secretPath, "1", "Idempotency-Key", "a")); !r.Duplicate {
			t.Errorf("%+v", r)
		}
		if n := len(w.ledger.Events(tr.ID)); n != 1 {
			t.Errorf("%d events", n)
		}
	})

	t.Run("a_secret_that_is_away_is_our_fault_and_shown", func(t *testing.T) {
		w := newWorld(t, nil)
		tr := w.add("t", `"signature": {"style": "github", "secret_env": "HOOK_SECRET_TO_COME"}`)
		if tr.State != triggers.Degraded || !strings.Contains(tr.Reason, "HOOK_SECRET_TO_COME") {
			t.Errorf("%s: %s", tr.State, tr.Reason)
		}
		d := delivery("t", "1", "X-Hub-Signature-256", "sha256="+signed("it is there now", "1"))
		if _, err := w.deliver(d); !errors.Is(err, ErrAway) {
			t.Errorf("%v", err)
		}
		t.Setenv("HOOK_SECRET_TO_COME", "it is there now")
		w.delivered(d)
		w.eventually(func() bool { return w.manager.Live(tr).State == triggers.Active })
	})
}

// eventually waits for what a back-off of the manager delays.
func (w *world) eventually(f func() bool) {
	w.Helper()
	for limit := time.Now().Add(time.Minute); !f(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			w.Fatal("not within 30 s")
		}
	}
}

func TestDeliver_many_at_once(t *testing.T) {
	const senders, each = 64, 20
	w := newWorld(t, nil)
	tr := w.add("t", `"path_secret": "`+secretPath+`", "accept_rate": "10000/1s", "overlap": "allow"`)
	var wg sync.WaitGroup
	var duplicates atomic.Int32
	for s := range senders {
		wg.Go(func() {
			for n := range each {
				r, err := w.deliver(delivery(secretPath, fmt.Sprint(n), "Idempotency-Key", fmt.Sprint(s/2, " ", n)))
				if err != nil {
					t.Error(err)
				}
				if r.Duplicate {
					duplicates.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if n := len(w.ledger.Events(tr.ID)); n != senders*each/2 || duplicates.Load() != senders*each/2 {
		t.Errorf("%d events, %d duplicates", n, duplicates.Load())
	}
}

// held stops the storing of the next delivery, which it sends, until release is called.
func (w *world) held() (release func()) {
	w.Helper()
	storing, released := make(chan struct{}), make(chan struct{})
	once := sync.OnceFunc(func() { close(storing); <-released })
	w.ledger.Fail(func(op string) error {
		if op == "Record" {
			once()
		}
		return nil
	})
	done := make(chan error, 1)
	go func() {
		_, err := w.hub.Deliver(w.Context(), delivery(secretPath, "0"))
		done <- err
	}()
	<-storing
	return func() {
		close(released)
		if err := <-done; err != nil {
			w.Error(err)
		}
	}
}

// waiting is how many deliveries wait to be stored.
func (w *world) waiting() int {
	s, _, _ := w.hub.find(secretPath)
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue)
}

func TestDeliver_while_one_is_being_stored(t *testing.T) {
	t.Run("waits_to_be_stored_with_all_others", func(t *testing.T) {
		const senders = 64
		w := newWorld(t, nil)
		tr := w.add("t", `"path_secret": "`+secretPath+`", "overlap": "allow"`)
		before := w.ledger.Records()
		release := w.held()
		var wg sync.WaitGroup
		for n := range senders {
			wg.Go(func() {
				if _, err := w.deliver(delivery(secretPath, fmt.Sprint(n))); err != nil {
					t.Error(err)
				}
			})
		}
		w.eventually(func() bool { return w.waiting() == senders })
		release()
		wg.Wait()
		if n := w.ledger.Records() - before; n != 2 {
			t.Errorf("%d transactions", n)
		}
		if n := len(w.ledger.Events(tr.ID)); n != senders+1 {
			t.Errorf("%d events", n)
		}
	})

	t.Run("is_refused_when_too_much_waits", func(t *testing.T) {
		w := newWorld(t, nil)
		tr := w.add("t", `"path_secret": "`+secretPath+`", "overlap": "allow"`)
		before := w.ledger.Records()
		release := w.held()
		large := `"` + strings.Repeat("x", maxQueued/10) + `"`
		gone, leave := context.WithCancel(t.Context())
		leave()
		kept := 0
		for range 12 { // their senders are gone, and they wait all the same
			if _, err := w.hub.Deliver(gone, delivery(secretPath, large)); errors.Is(err, context.Canceled) {
				kept++
			} else if !errors.Is(err, ErrAway) {
				t.Error(err)
			}
		}
		if kept != 9 || w.waiting() != kept {
			t.Errorf("%d wait", kept)
		}
		release()
		w.eventually(func() bool { return len(w.ledger.Events(tr.ID)) == kept+1 })
		if n := w.ledger.Records() - before; n != kept+1 {
			t.Errorf("%d transactions for what is too large for one", n)
		}
		w.delivered(delivery(secretPath, large))
	})
}

// TestDeliver_survives_edits_and_restarts sends on while the trigger is edited over and over: each
// delivery is stored once, or its sender is told to try again.
func TestDeliver_survives_edits_and_restarts(t *testing.T) {
	w := newWorld(t, nil)
	tr := w.add("t", `"path_secret": "`+secretPath+`", "accept_rate": "10000/1s"`)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var mu sync.Mutex
	known := map[string]bool{}
	for s := range 8 {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				id := fmt.Sprint(s, " ", n)
				var unknown *UnknownError
				switch r, err := w.hub.Deliver(context.Background(), delivery(secretPath, "1", "Idempotency-Key", id)); {
				case err == nil:
					mu.Lock()
					known[r.Key] = true
					mu.Unlock()
				case errors.As(err, &unknown):
					if unknown.Left != tr.ID {
						t.Error("nobody can tell that it is only away")
					}
				case !errors.Is(err, ErrAway) && !errors.Is(err, triggers.ErrRevised) && !errors.Is(err, context.Canceled):
					t.Errorf("%v", err)
				}
			}
		})
	}
	acknowledged := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(known)
	}
	for n := range 20 {
		before := acknowledged()
		w.eventually(func() bool { return acknowledged() > before }) // by the one that the last edit made
		patch := fmt.Sprintf(`{"labels": {"n": "%d"}}`, n)
		if _, _, err := w.manager.Patch(t.Context(), "t", []byte(patch), triggers.Principal{Name: "ada"}); err != nil {
			t.Error(err)
		}
	}
	w.stop() // and what waits then is refused
	stop()
	wg.Wait()
	stored := map[string]bool{}
	for _, e := range w.ledger.Events(tr.ID) {
		stored[e.Key] = true
	}
	for key := range known {
		if !stored[key] {
			t.Errorf("%s was acknowledged and is not stored", key)
		}
	}
}

func TestDeliver_files(t *testing.T) {
	var asked []File
	var fail error
	w := newWorld(t, func(_ context.Context, f File) (string, error) {
		asked = append(asked, f)
		return "/state/incoming/" + f.Trigger + "/" + f.Rel, fail
	})
	agent, open := w.add("agent", `"tokens": true`), w.add("open", `"path_secret": "`+secretPath+`"`)
	sum := strings.Repeat("ab", 32)
	body := `{"rel": "a/b.tif", "sha256": "` + sum + `", "size": 7}`
	d := delivery("agent", body, "Idempotency-Key", "1")
	d.Sender = Sender{Name: "token:scope", Trigger: agent.ID}
	fail = errors.New("no room")
	var place *PlaceError
	if _, err := w.deliver(d); !errors.As(err, &place) || !errors.Is(err, fail) || len(w.ledger.Events(agent.ID)) != 0 {
		t.Errorf("%v", err)
	}
	fail = nil
	w.delivered(d)
	if f := w.last(agent); f["path"] != "/state/incoming/agent/a/b.tif" {
		t.Errorf("%v", f)
	}
	if want := (File{Trigger: "agent", Owner: "token:scope", Rel: "a/b.tif", SHA256: sum, Size: 7}); len(asked) != 2 || asked[1] != want {
		t.Errorf("%+v", asked)
	}
	if r := w.delivered(d); !r.Duplicate || len(asked) != 3 || !asked[2].Known { // it was sent in vain
		t.Errorf("again: %+v, %+v", r, asked)
	}
	w.delivered(delivery(secretPath, body)) // of a stranger, who has brought no file
	if f := w.last(open); f["path"] != nil || len(asked) != 3 {
		t.Errorf("%v", f)
	}
}

func TestFields_are_checked(t *testing.T) {
	w := newWorld(t, nil)
	for fields, want := range map[string]string{
		`"path_secret": "short"`:                                                           "path_secret",
		`"path_secret": "with/a/slash/in/it/it"`:                                           "path_secret",
		`"path_secret": "***"`:                                                             "path_secret",
		`"path_secret": ""`:                                                                "path_secret",
		`"path_secret": 7`:                                                                 "path_secret",
		`"signature": {"style": "github"}`:                                                 "signature.secret",
		`"signature": {"secret": "long enough"}`:                                           "signature.style",
		`"signature": {"style": "gihub", "secret": "long enough"}`:                         "signature.style",
		`"signature": {"style": "github", "secret": "short"}`:                              "signature.secret",
		`"signature": {"style": "github", "secret": "***"}`:                                "signature.secret",
		`"signature": {"style": "github", "secret": "long enough", "secret_env": "A"}`:     "signature.secret_env",
		`"signature": {"style": "github", "secret_file": "relative"}`:                      "signature.secret_file",
		`"signature": {"style": "github", "secret_env": "A=B"}`:                            "signature.secret_env",
		`"signature": {"style": "github", "secret": "long enough", "header": "X"}`:         "signature.header",
		`"signature": {"style": "hex", "secret": "long enough", "tolerance": "1m"}`:        "signature.tolerance",
		`"signature": {"style": "hex", "secret": "long enough", "header": "not a header"}`: "signature.header",
		`"signature": {"style": "stripe", "secret": "long enough", "tolerance": "1ms"}`:    "signature.tolerance",
		`"signature": {"style": "stripe", "secret": "long enough", "toleranze": "1m"}`:     "signature.toleranze",
		`"signature": "github"`:                                                            "signature",
		`"accept_rate": "many"`:                                                            "accept_rate",
		`"delivery_id": "a b"`:                                                             "delivery_id",
		`"tokens": "yes"`:                                                                  "tokens",
	} {
		problems := w.refused(fields)
		if len(problems) == 0 || problems[0].Path != want {
			t.Errorf("%s: %+v", fields, problems)
		}
	}
}

func TestPath_is_made_once(t *testing.T) {
	w := newWorld(t, nil)
	tr := w.add("t", "")
	first, err := AddressOf(tr.Spec)
	if err != nil || !strings.HasPrefix(first.Path, "/v1/hooks/") || len(first.Path) != len("/v1/hooks/")+32 || len(first.Auth) != 1 {
		t.Fatalf("%+v: %v", first, err)
	}
	now := func(tr triggers.Trigger, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		a, err := AddressOf(tr.Spec)
		if err != nil {
			t.Fatal(err)
		}
		return a.Path
	}
	same := `{"kind": "webhook", "lattice": "echo", "inputs": {"body": "${{ event.body }}"}}`
	tr, _, what, err := w.manager.Put(t.Context(), "t", []byte(same), triggers.Principal{Name: "ada"})
	if now(tr, err) != first.Path || what != triggers.Unchanged {
		t.Errorf("the same again: %s", what)
	}
	tr, _, err = w.manager.Patch(t.Context(), "t", []byte(`{"observe": true}`), triggers.Principal{Name: "ada"})
	if now(tr, err) != first.Path {
		t.Error("an edit has made another")
	}
	w.delivered(delivery(strings.TrimPrefix(first.Path, "/v1/hooks/"), "1"))
	tr, _, err = w.manager.Patch(t.Context(), "t", []byte(`{"path_secret": null}`), triggers.Principal{Name: "ada"})
	if second := now(tr, err); second == first.Path || second == "/v1/hooks/t" {
		t.Errorf("it was to be another: %s", second)
	}
	if _, err := w.deliver(delivery(strings.TrimPrefix(first.Path, "/v1/hooks/"), "1")); !errors.Is(err, triggers.ErrNotFound) {
		t.Errorf("the old one: %v", err)
	}
	tr, _, err = w.manager.Patch(t.Context(), "t", []byte(`{"path_secret": null, "tokens": true}`), triggers.Principal{Name: "ada"})
	if now(tr, err) != "/v1/hooks/t" {
		t.Error("with tokens it needs none")
	}
	if strings.Contains(w.log.String(), first.Path[len("/v1/hooks/"):]) {
		t.Error("it is in the log")
	}
}

func TestTaken(t *testing.T) {
	w := newWorld(t, nil)
	first := w.add("first", `"path_secret": "`+secretPath+`"`)
	second := w.add("second", `"path_secret": "`+secretPath+`"`)
	if second.State != triggers.Failing || !strings.Contains(second.Reason, "same path_secret") || strings.Contains(second.Reason, secretPath) {
		t.Errorf("%s: %s", second.State, second.Reason)
	}
	if r := w.delivered(delivery(secretPath, "1")); r.Trigger != first.Name {
		t.Errorf("%+v", r)
	}
	if err := w.manager.Remove(t.Context(), "first"); err != nil {
		t.Fatal(err)
	}
	w.eventually(func() bool {
		r, err := w.deliver(delivery(secretPath, "1"))
		return err == nil && r.Trigger == second.Name
	})
}

func TestBody(t *testing.T) {
	for _, tt := range []struct{ kind, body, want string }{
		{"application/json", `{"a": [1, 2.5, null]}`, `{"a":[1,2.5,null]}`},
		{"application/cloudevents+json; charset=utf-8", `"x"`, `"x"`},
		{"application/json", "", "null"},
		{"application/x-www-form-urlencoded", "a=1&b=2&b=3&c=%20", `{"a":"1","b":["2","3"],"c":" "}`},
		{"application/x-www-form-urlencoded", `{"n": 1}`, `{"n":1}`}, // what curl sends
		{"application/x-www-form-urlencoded", `{"n": 1`, `{"{\"n\": 1":""}`},
		{"", `[1]`, `[1]`},
		{"", `[1`, `"[1"`},
		{"", "plain", `"plain"`},
		{"text/plain", `{"n": 1}`, `"{\"n\": 1}"`},
		{"text/plain", "über", `"über"`},
		{"application/octet-stream", "\xff\x00", `{"base64":"/wA="}`},
		{"text/plain", "a\x00b", `{"base64":"YQBi"}`},
		{"multipart/form-data; boundary=x", "--x--", `"--x--"`},
		{"not a type;;", "x", `"x"`},
	} {
		v, err := decodeBody(delivery("", "", "Content-Type", tt.kind).Header, []byte(tt.body))
		if err != nil {
			t.Errorf("%s %q: %v", tt.kind, tt.body, err)
			continue
		}
		if got, err := json.Marshal(v); err != nil || string(got) != tt.want {
			t.Errorf("%s %q: %s (%v)", tt.kind, tt.body, got, err)
		}
	}
	for kind, body := range map[string]string{
		"application/json": `{"a": 1`, "application/problem+json": "x", "application/json; a=b": `{"a": 1, "a": 2}`,
		"application/x-www-form-urlencoded": "a=%zz", "application/json;": "\xff",
	} {
		if _, err := decodeBody(delivery("", "", "Content-Type", kind).Header, []byte(body)); err == nil {
			t.Errorf("%s %q is taken", kind, body)
		}
	}
}
