package database

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestRedactor_takes_out_a_password_however_it_is_written(t *testing.T) {
	a := must(parseURL(`postgresql://lab:Ses%61me%2F9%22'%5C+x@db/runs`))
	if a.password.reveal() != `Sesame/9"'\+x` {
		t.Fatalf("the password is read as %q", a.password.reveal())
	}
	r := newRedactor(a)
	for name, text := range map[string]string{
		"raw":             a.password.reveal(),
		"as it was given": `postgresql://lab:Ses%61me%2F9%22'%5C+x@db/runs`,
		"query":           url.QueryEscape(a.password.reveal()),
		"path":            url.PathEscape(a.password.reveal()),
		"userinfo":        url.UserPassword("lab", a.password.reveal()).String(),
		"quoted":          strconv.Quote(a.password.reveal()),
		"sql":             strings.ReplaceAll(a.password.reveal(), "'", "''"),
		"base64":          base64.StdEncoding.EncodeToString([]byte(a.password.reveal())),
		"base64 URL":      base64.RawURLEncoding.EncodeToString([]byte(a.password.reveal())),
		"basic auth":      base64.StdEncoding.EncodeToString([]byte("lab:" + a.password.reveal())),
		"inside base64 0": base64.StdEncoding.EncodeToString([]byte("abc" + a.password.reveal() + "rest")),
		"inside base64 1": base64.StdEncoding.EncodeToString([]byte("a" + a.password.reveal() + "rest")),
		"inside base64 2": base64.StdEncoding.EncodeToString([]byte("ab" + a.password.reveal() + "rest")),
	} {
		got := r.text("before " + text + " after")
		if !strings.Contains(got, "***") || !strings.HasPrefix(got, "before ") || !strings.HasSuffix(got, " after") || strings.Contains(got, "esame") {
			t.Errorf("%s: %s became %s", name, text, got)
		}
	}
	if got := r.text("nothing secret"); got != "nothing secret" {
		t.Errorf("a harmless text became %s", got)
	}
}

func TestRedactor_leaves_no_trace_of_any_password(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		password := rapid.StringN(4, 30, 100).Draw(t, "password")
		before, after := rapid.String().Draw(t, "before"), rapid.String().Draw(t, "after")
		r := newRedactor(address{user: "lab", password: hide(password)})
		for _, text := range []string{
			before + password + after,
			before + url.QueryEscape(password) + after,
			base64.StdEncoding.EncodeToString([]byte(before + password + after)),
		} {
			got := r.text(text)
			if got == text || strings.Contains(password, "*") {
				if got == text {
					t.Fatalf("%q still holds the password %q", got, password)
				}
				continue
			}
			if strings.Contains(got, password) {
				t.Fatalf("%q became %q with the password %q", text, got, password)
			}
		}
	})
}

func TestRedactor_drops_a_text_with_a_password_that_could_be_guessed_from_the_rest(t *testing.T) {
	r := newRedactor(address{user: "lab", password: hide("pw")})
	if got := r.text("wrong pw for lab"); strings.Contains(got, "wrong") || !strings.Contains(got, "not shown") {
		t.Errorf("shown as %q", got)
	}
	if got := r.text("no route"); got != "no route" {
		t.Errorf("shown as %q", got)
	}
	if got := newRedactor(address{}).text("no password here"); got != "no password here" {
		t.Errorf("shown as %q", got)
	}
}

func TestRedactor_keeps_what_an_error_is_but_not_the_error(t *testing.T) {
	r := newRedactor(address{user: "lab", password: hide("Sesame99")})
	inner := &os.PathError{Op: "dial", Path: "lab:Sesame99@db", Err: context.DeadlineExceeded}
	err := r.err(fmt.Errorf("connect: %w", inner))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error("it is no longer a deadline")
	}
	var path *os.PathError
	if errors.As(err, &path) || errors.Unwrap(err) != nil {
		t.Errorf("what it wraps can be had: %v", path)
	}
	for _, shown := range []string{err.Error(), fmt.Sprintf("%v", err), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err), fmt.Sprint(r.err(err))} {
		if shown != "connect: dial lab:***@db: context deadline exceeded" && shown != "connect: dial ***@db: context deadline exceeded" {
			t.Errorf("shown as %s", shown)
		}
	}
	if r.err(nil) != nil {
		t.Error("no error became one")
	}
}

func TestURLFromFile_takes_the_first_line_and_shows_nothing_of_it(t *testing.T) {
	file := filepath.Join(t.TempDir(), "url")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("postgresql://lab:Sesame99@db/runs\r\n# of the lab\n")
	if a, err := urlFromFile(file); err != nil || a.password.reveal() != "Sesame99" || a.database != "runs" {
		t.Errorf("%v, %v", a, err)
	}
	write("postgresql://lab:Sesame98@db/runs")
	if a, err := urlFromFile(file); err != nil || a.password.reveal() != "Sesame98" {
		t.Errorf("a new password was not read: %v, %v", a, err)
	}
	for text, want := range map[string]string{
		"":                                    "is empty",
		"\npostgresql://lab:Sesame99@db/runs": "is empty",
		"Sesame99":                            "is not a URL",
		"postgresql://lab:Sesame/99@db/runs":  "%2F",
		strings.Repeat("Sesame99", 10_000):    "is not a URL",
	} {
		write(text)
		if _, err := urlFromFile(file); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "esame") {
			t.Errorf("%.40q: %v", text, err)
		}
	}
	if _, err := urlFromFile(file + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := urlFromFile(filepath.Dir(file)); err == nil || !strings.Contains(err.Error(), "is not a file") {
		t.Errorf("a folder: %v", err)
	}
}

func TestURLFromEnv_shows_nothing_of_the_value(t *testing.T) {
	t.Setenv("LAB_DATABASE", "mysql://lab:Sesame99@db/runs")
	if a, err := urlFromEnv("LAB_DATABASE"); err != nil || a.password.reveal() != "Sesame99" {
		t.Errorf("%v, %v", a, err)
	}
	t.Setenv("LAB_DATABASE", "Sesame99")
	if _, err := urlFromEnv("LAB_DATABASE"); err == nil || strings.Contains(err.Error(), "esame") {
		t.Errorf("%v", err)
	}
	if _, err := urlFromEnv("LAB_NOTHING"); err == nil || !strings.Contains(err.Error(), "no variable LAB_NOTHING") {
		t.Errorf("%v", err)
	}
}
