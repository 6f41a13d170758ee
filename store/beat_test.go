package store

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestBeat(t *testing.T) {
	s := openNew(t)
	before := s.Stats().Commits
	for range 3 {
		if err := s.Beat(background()); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.Stats().Commits; n != before {
		t.Errorf("%d commits", n-before)
	}
	t.Run("fails_when_the_writer_stands_still", func(t *testing.T) {
		entered, leave := make(chan struct{}), make(chan struct{})
		go func() { _ = s.change(background(), func(*tx) error { close(entered); <-leave; return errBeat }) }()
		<-entered
		ctx, cancel := context.WithTimeout(background(), 20*time.Millisecond)
		defer cancel()
		if s.Beat(ctx) == nil {
			t.Error("a beat was answered by nobody")
		}
		close(leave)
	})
	t.Run("fails_when_the_store_is_closed", func(t *testing.T) {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := s.Beat(background()); !errors.Is(err, ErrClosed) {
			t.Errorf("%v", err)
		}
	})
}
