package dispatcher_test

import (
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/latticed/latticed/executors"
)

func TestLog_of_running_and_ended_attempts(t *testing.T) {
	p := newPlayer()
	p.act = func(_ context.Context, _ executors.Task, try int) (executors.Result, error) {
		r := failure("exit_code")
		r.Stdout = &executors.File{Name: "stdout", Size: 5, Data: fmt.Appendf(nil, "try %d", try)}
		return r, nil
	}
	h := newHouse(t, p).start()
	g := h.run("lattice: l\nelectrons:\n  a: {run: [x], retries: {max: 1, backoff: 1ms}}\n  b: {run: [x], wait_for: [a]}\n", nil)
	read := func(electron, attempt, stream string) (string, error) {
		l, err := h.d.Log(t.Context(), g.ID, electron, attempt, stream)
		if err != nil {
			return "", err
		}
		defer l.Close()
		b, err := io.ReadAll(l)
		if l.Growing {
			t.Error("a stored log grows")
		}
		return string(b), err
	}
	for _, c := range []struct{ electron, attempt, stream, want string }{
		{"a", "", "stdout", "try 2"},
		{"a", "1", "stdout", "try 1"},
		{"a", "2", "stdout", "try 2"},
		{"a", "", "stderr", ""},
		{"b", "", "stdout", ""},
	} {
		if got, err := read(c.electron, c.attempt, c.stream); err != nil || got != c.want {
			t.Errorf("%s of %s of %s is %q (%v), want %q", c.stream, c.attempt, c.electron, got, err, c.want)
		}
	}
	for _, c := range []struct{ electron, attempt, stream string }{{"a", "3", "stdout"}, {"x", "", "stdout"}, {"a", "", "stdin"}} {
		if _, err := read(c.electron, c.attempt, c.stream); err == nil {
			t.Errorf("%+v has a log", c)
		}
	}
}
