package webhook

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/latticed/latticed/graph"
	"github.com/latticed/latticed/triggers"
)

// Limits of a secret in bytes. One that is shorter than the least can be guessed.
const (
	leastSecret = 8
	mostSecret  = 4096
)

// secret is what signatures are made with: in the trigger, or, so that it is not stored
// here, in a file or in a variable of the daemon.
type secret struct{ text, file, env string }

func readSecret(f *triggers.Fields, secrets map[string]string) secret {
	f.Alias("secret")
	f.Alias("secret_file")
	f.Alias("secret_env")
	var s secret
	if f.Has("secret") {
		s.text = f.Text("secret", "")
		secrets["signature.secret"] = triggers.Masked
		if n := len(s.text); s.text != triggers.Masked && (n < leastSecret || n > mostSecret) {
			f.Refuse("secret", graph.CodeBadValue, "must have %d to %d bytes", leastSecret, mostSecret)
		}
	}
	if f.Has("secret_file") {
		if s.file = f.Text("secret_file", ""); !filepath.IsAbs(s.file) {
			f.Refuse("secret_file", graph.CodeBadValue, "must be an absolute path")
		}
	}
	if f.Has("secret_env") {
		if s.env = f.Text("secret_env", ""); s.env == "" || strings.ContainsAny(s.env, "=\x00") {
			f.Refuse("secret_env", graph.CodeBadValue, "must be the name of a variable of the daemon")
		}
	}
	return s
}

// demand refuses a signature without a secret, or with more than one.
func (s secret) demand(f *triggers.Fields) {
	var given []string
	for _, field := range []string{"secret", "secret_file", "secret_env"} {
		if f.Has(field) {
			given = append(given, field)
		}
	}
	switch len(given) {
	case 0:
		f.Refuse("secret", graph.CodeMissing, "give one of secret, secret_file (a file with it in its first line) and secret_env (a variable of the daemon)")
	case 1:
	default:
		f.Refuse(given[1], graph.CodeBadValue, "there may be one secret, not %s; in an edit null takes the old one out: {%s: null}", strings.Join(given, " and "), given[0])
	}
}

// read returns the secret as it is now: a file is read each time, since it may be
// replaced. The error never has it.
func (s secret) read() ([]byte, error) {
	switch {
	case s.file != "":
		return readFile(s.file)
	case s.env != "":
		return longEnough(os.Getenv(s.env), "the variable "+s.env+" of the daemon")
	}
	return []byte(s.text), nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the secret: %w", err)
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("read the secret: %s is not a file", path), err)
	}
	line, err := bufio.NewReader(io.LimitReader(f, mostSecret)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the secret: %w", err)
	}
	return longEnough(strings.TrimRight(line, "\r\n"), "the first line of "+path)
}

func longEnough(text, where string) ([]byte, error) {
	if len(text) < leastSecret {
		return nil, fmt.Errorf("%s has no secret of at least %d bytes", where, leastSecret)
	}
	return []byte(text), nil
}
