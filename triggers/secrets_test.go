package triggers_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/triggertest"
)

// vault is a kind with a secret of its own, one within another field, and one that is
// made when none is given.
func vault(f *triggers.Fields) triggers.Made {
	secrets, fill := map[string]string{}, map[string]any{}
	if url := f.Text("url", ""); url != "" {
		if _, host, ok := strings.Cut(url, "@"); ok {
			secrets["url"] = triggers.Masked + "@" + host
		}
	}
	f.Nested("login", func(f *triggers.Fields) {
		if f.Text("password", "") != "" {
			secrets["login.password"] = triggers.Masked
		}
		f.Text("user", "")
	})
	secrets["path"] = triggers.Masked
	if f.Text("path", "") == "" {
		fill["path"] = "made-by-the-kind"
		f.Set("path", "made-by-the-kind", triggers.FromDefault)
	}
	return triggers.Made{Source: still{}, Secrets: secrets, Fill: fill, Event: graph.Env{"path": graph.String}}
}

// still is a source to which nothing happens.
type still struct{}

func (still) Run(ctx context.Context, from triggers.From, emit triggers.Emit) error {
	if err := emit(ctx, triggers.Batch{Cursor: json.RawMessage("{}")}); err != nil {
		return err
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

func TestSecrets(t *testing.T) {
	whole := `{"name": "t", "kind": "vault", "lattice": "echo", "url": "tea@host", "login": {"user": "ada", "password": "lemon"}}`
	inVault := func(t *testing.T, do func(t *testing.T, m *triggers.Manager, l *triggertest.Ledger)) {
		synctest.Test(t, func(t *testing.T) {
			l := triggertest.NewLedger()
			l.AddLattice(parse(t, echo))
			m := triggers.NewManager(l, triggers.Kinds{"vault": vault}, triggers.Options{})
			defer runManager(t, m)()
			do(t, m, l)
		})
	}
	add := func(t *testing.T, m *triggers.Manager, spec string) triggers.Trigger {
		t.Helper()
		tr, _, err := m.Add(t.Context(), []byte(spec), triggers.Principal{Name: "ada"})
		if err != nil {
			t.Fatal(err)
		}
		return tr
	}
	stored := func(t *testing.T, l *triggertest.Ledger) string {
		t.Helper()
		tr, err := l.Trigger(t.Context(), "t")
		if err != nil {
			t.Fatal(err)
		}
		return string(tr.Spec)
	}
	const all = `{"kind":"vault","lattice":"echo","login":{"password":"lemon","user":"ada"},"name":"t","path":"made-by-the-kind","url":"tea@host"}`
	const masked = `{"kind":"vault","lattice":"echo","login":{"password":"***","user":"ada"},"name":"t","path":"***","url":"***@host"}`

	t.Run("are_masked_in_what_is_shown", func(t *testing.T) {
		inVault(t, func(t *testing.T, m *triggers.Manager, l *triggertest.Ledger) {
			tr := add(t, m, whole)
			if got := string(m.Shown(tr)); got != masked {
				t.Errorf("shown %s", got)
			}
			if got := stored(t, l); got != all {
				t.Errorf("stored %s", got)
			}
			settings, err := m.Effective(t.Context(), tr)
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(settings)
			for _, secret := range []string{"lemon", "tea@", "made-by-the-kind"} {
				if err != nil || strings.Contains(string(text), secret) {
					t.Errorf("%s is in %s (%v)", secret, text, err)
				}
			}
		})
	})

	t.Run("of_another_revision_or_of_what_does_not_run_are_masked_too", func(t *testing.T) {
		inVault(t, func(t *testing.T, m *triggers.Manager, l *triggertest.Ledger) {
			tr := add(t, m, `{"name": "t", "kind": "vault", "lattice": "echo"}`)
			tr.Spec, tr.Revision = []byte(all), tr.Revision+1
			if got := string(m.Shown(tr)); got != masked {
				t.Errorf("the next revision: %s", got)
			}
			tr.ID = "gone"
			if got := string(m.Shown(tr)); got != masked {
				t.Errorf("a removed one: %s", got)
			}
			tr.Kind, tr.Spec = "forgotten", []byte(`{"kind":"forgotten","lattice":"echo","name":"t","password":"lemon"}`)
			if got := string(m.Shown(tr)); got != `{"kind":"forgotten","lattice":"echo","name":"t"}` {
				t.Errorf("of a kind that nobody knows: %s", got)
			}
		})
	})

	t.Run("are_kept_by_an_edit_that_gives_what_is_shown", func(t *testing.T) {
		inVault(t, func(t *testing.T, m *triggers.Manager, l *triggertest.Ledger) {
			add(t, m, whole)
			_, _, what, err := m.Put(t.Context(), "t", []byte(masked), triggers.Principal{Name: "ada"})
			if err != nil || what != triggers.Unchanged || stored(t, l) != all {
				t.Errorf("put: %v %v %s", what, err, stored(t, l))
			}
			patch := `{"login": {"password": "***", "user": "bob"}, "url": "***@host"}`
			if _, _, err := m.Patch(t.Context(), "t", []byte(patch), triggers.Principal{Name: "ada"}); err != nil {
				t.Fatal(err)
			}
			if got := stored(t, l); got != strings.Replace(all, `"ada"`, `"bob"`, 1) {
				t.Errorf("patched: %s", got)
			}
		})
	})

	t.Run("are_asked_for_where_there_are_none_to_keep", func(t *testing.T) {
		inVault(t, func(t *testing.T, m *triggers.Manager, l *triggertest.Ledger) {
			refused := func(what string, err error, path string) {
				t.Helper()
				var invalid *graph.Invalid
				if !errors.As(err, &invalid) || len(invalid.Problems) != 1 || invalid.Problems[0].Path != path || !strings.Contains(invalid.Problems[0].Message, "give the secret itself") {
					t.Errorf("%s: %v", what, err)
				}
			}
			_, _, err := m.Add(t.Context(), []byte(strings.Replace(whole, "lemon", "***", 1)), triggers.Principal{Name: "ada"})
			refused("a new trigger", err, "login.password")
			add(t, m, whole)
			_, _, err = m.Patch(t.Context(), "t", []byte(`{"url": "***@other"}`), triggers.Principal{Name: "ada"})
			refused("another host", err, "url")
			_, err = m.PreviewPatch(t.Context(), "t", []byte(`{"url": "***@other"}`))
			refused("a dry run", err, "url")
			if _, _, err := m.Patch(t.Context(), "t", []byte(`{"url": "milk@other"}`), triggers.Principal{Name: "ada"}); err != nil {
				t.Error(err)
			}
		})
	})
}
