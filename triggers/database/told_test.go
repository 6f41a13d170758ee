package database

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/database/dbtest"
)

// told is all that people may see of a trigger that can't work: why it is refused, how it is
// shown, and the state of its source.
func told(t *testing.T, fields map[string]any) string {
	t.Helper()
	_, kind, _ := New(Options{})
	all := map[string]any{"table_name": "runs", "cursor": "id", "key": "id", "listen": "new_runs"}
	for name, v := range fields {
		all[name] = v
	}
	if text, _ := all["url"].(string); !strings.HasPrefix(text, "postgres") {
		delete(all, "listen")
	}
	made, err := triggers.Make(kind, all)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = made.Source.(*source).Close() }()
	var b strings.Builder
	for _, shown := range made.Secrets {
		b.WriteString(shown + "\n")
	}
	say := func(err error) {
		var invalid *graph.Invalid
		if err != nil {
			b.WriteString(err.Error() + "\n")
		}
		if errors.As(err, &invalid) {
			for _, p := range invalid.Problems {
				b.WriteString(p.Message + "\n")
			}
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	say(made.Source.(*source).Check(ctx))
	_, err = made.Source.(*source).Probe(ctx, triggers.From{})
	say(err)
	for range 2 { // the second one says why its channel is not heard
		say(made.Source.Run(ctx, triggers.From{
			Health: func(s triggers.State, why string) { b.WriteString(string(s) + " " + why + "\n") }, Wake: func() {}, Fits: func(graph.Env) error { return nil },
		}, func(context.Context, triggers.Batch) error { return nil }))
	}
	return b.String()
}

func TestNothing_that_is_told_has_a_part_of_a_password_whatever_is_wrong(t *testing.T) {
	pg, my := dbtest.SharedPostgres(t), dbtest.SharedMariaDB(t)
	inPG, _ := pg.Database(t)
	inMy, _ := my.Database(t)
	const parts = "Zebra Quokka Walrus Gecko"
	var passwords []string
	for _, between := range []string{"'", `"`, `\'`, " ", "%41", "&", "=;}", "{?", "#", "/", "@", ":", "`$", "\té"} {
		passwords = append(passwords, strings.ReplaceAll(parts, " ", between))
	}
	closed := "127.0.0.1:1"
	for _, password := range passwords {
		for _, option := range []string{
			"", "connect_timeout=soon", "connect_timeout=99999999999", "sslmode=verify-full&sslrootcert=/none", "ssl_mode=verify_ca&ssl_ca=/none", "certificate=/none&encrypt=true",
			"options=-c+nonsense", "charset=none", "target_session_attrs=any", "application_name='x\\", "nonsense=1", "encrypt=strict&hostnameincertificate=%27;x",
			"dbname=x", "port=99999",
		} {
			for _, at := range []string{
				"postgresql://lab:PW@" + closed + "/" + inPG, "mysql://lab:PW@" + closed + "/runs", "mssql://lab:PW@" + closed + "/runs",
				"postgresql://lab:PW@127.0.0.1:" + portOf(t, pg) + "/" + inPG, "mysql://lab:PW@127.0.0.1:" + portOf(t, my) + "/" + inMy,
				"mssql://lab:PW@127.0.0.1:" + portOf(t, my) + "/x", "sqlserver://lab:PW@127.0.0.1:1/a'b?database=c;d",
				"postgresql://lab@" + closed + "/" + inPG + "?password=PW",
			} {
				if option != "" && !strings.Contains(at, closed) { // there the option is read, too
					continue
				}
				for _, written := range []string{password, url.QueryEscape(password)} {
					text := strings.Replace(at, "PW", written, 1)
					if option != "" {
						text += map[bool]string{true: "&", false: "?"}[strings.Contains(at, "?")] + option
					}
					got := told(t, map[string]any{"url": text})
					for part := range strings.FieldsSeq(parts) {
						if strings.Contains(got, part) {
							t.Errorf("%s of %s is told:\n%s", part, text, got)
						}
					}
				}
			}
		}
	}
	path := filepath.Join(t.TempDir(), "lab.url")
	for _, text := range []string{"postgresql://lab:Zebra\nQuokka@h/d", "\npostgresql://lab:Zebra@h/d", "postgresql://lab:Zebra\r\n", "lab:Zebra@h", "\x00Zebra", strings.Repeat("Zebra", 20000)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := told(t, map[string]any{"url_file": path}); strings.Contains(got, "Zebra") || strings.Contains(got, "Quokka") {
			t.Errorf("%q: %s", text, got)
		}
	}
}
