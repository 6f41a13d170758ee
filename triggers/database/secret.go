package database

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// longestURL bounds what is read from a file, in bytes.
const longestURL = 64 << 10

// urlFromFile is the first line of a file that holds a URL, so that it need not be
// stored by us. It is read again at every connect, since passwords change.
func urlFromFile(path string) (address, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe would wait for who writes to it
	if err != nil {
		return address{}, fmt.Errorf("the URL can't be read: %w", err)
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return address{}, errors.Join(fmt.Errorf("the URL can't be read: %s is not a file", path), err)
	}
	line, err := bufio.NewReader(io.LimitReader(f, longestURL)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return address{}, fmt.Errorf("the URL can't be read: %w", err)
	}
	if line = strings.TrimSpace(line); line == "" {
		return address{}, fmt.Errorf("the first line of %s is empty", path)
	}
	a, err := parseURL(line)
	if err != nil {
		return address{}, fmt.Errorf("the first line of %s %w", path, err)
	}
	return a, nil
}

// urlFromEnv is a URL in a variable of the daemon's environment.
func urlFromEnv(name string) (address, error) {
	text := os.Getenv(name)
	if text == "" {
		return address{}, fmt.Errorf("the daemon's environment has no variable %s", name)
	}
	a, err := parseURL(text)
	if err != nil {
		return address{}, fmt.Errorf("the variable %s %w", name, err)
	}
	return a, nil
}

// hidden is a text that no way of printing shows, neither of it nor of what it is a
// field of: fmt follows no pointer there, and calls no method.
type hidden struct{ text *string }

// hide makes equal texts equal as far as they are empty.
func hide(text string) hidden {
	if text == "" {
		return hidden{}
	}
	return hidden{&text}
}

func (h hidden) reveal() string {
	if h.text == nil {
		return ""
	}
	return *h.text
}

// redactor takes a password out of texts by its value, since nobody can know where
// the messages of servers and drivers have it.
type redactor struct {
	forms *[]string // longest first; behind a pointer, so that nobody prints them; nil: no password
	short bool      // the password is so short that what is left around it would tell it
}

// shortest password that is cut out; a text that has a shorter one is dropped.
const shortest = 4

func newRedactor(a address) redactor {
	password, forms := a.password.reveal(), []string{}
	if password == "" {
		return redactor{}
	}
	for _, secret := range []string{password, a.user + ":" + password} {
		forms = append(forms, encoded(secret)...)
	}
	if written := a.written.reveal(); written != "" {
		forms = append(forms, written)
	}
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	forms = slices.Compact(forms)
	return redactor{forms: &forms, short: len(password) < shortest}
}

// encoded are the ways in which a secret may stand in a text.
func encoded(secret string) []string {
	quoted := strconv.Quote(secret)
	asJSON, _ := json.Marshal(secret) // a string never fails
	ways := []string{
		secret, url.QueryEscape(secret), url.PathEscape(secret), url.UserPassword("", secret).String()[1:],
		strings.ReplaceAll(url.QueryEscape(secret), "+", "%20"),
		quoted[1 : len(quoted)-1], string(asJSON[1 : len(asJSON)-1]),
		strings.ReplaceAll(secret, "'", "''"), strings.ReplaceAll(secret, `\`, `\\`),
	}
	for _, alphabet := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		ways = append(ways, inBase64(secret, alphabet)...)
	}
	return slices.DeleteFunc(ways, func(s string) bool { return s == "" })
}

// inBase64 is what a secret becomes in base64 wherever it begins in what was encoded:
// the characters that depend on it alone.
func inBase64(secret string, alphabet *base64.Encoding) []string {
	var ways []string
	for before := range 3 {
		text := alphabet.EncodeToString(append(make([]byte, before), secret...))
		first := (before*8 + 5) / 6
		last := (before + len(secret)) * 8 / 6
		if last-first >= shortest {
			ways = append(ways, text[first:last])
		}
	}
	return append(ways, alphabet.EncodeToString([]byte(secret)))
}

// text returns s with *** for the password in whichever way it was written.
func (r redactor) text(s string) string {
	if r.forms == nil {
		return s
	}
	for _, form := range *r.forms {
		if !strings.Contains(s, form) {
			continue
		}
		if r.short {
			return "(not shown: the password stands in this message)"
		}
		s = strings.ReplaceAll(s, form, "***")
	}
	return s
}

// err returns an error with the redacted text. What it wraps can be asked for with
// errors.Is and can't be had, so that nobody prints it.
func (r redactor) err(err error) error {
	if err == nil {
		return nil
	}
	if _, done := err.(*redactedError); done { //nolint:errorlint // only the outermost one is asked for
		return err
	}
	return &redactedError{text: r.text(err.Error()), of: err}
}

type redactedError struct {
	text string
	of   error
}

func (e *redactedError) Error() string              { return e.text }
func (e *redactedError) Is(target error) bool       { return errors.Is(e.of, target) }
func (e *redactedError) GoString() string           { return e.text }
func (e *redactedError) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, e.text) }
