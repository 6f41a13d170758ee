package dispatcher

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestBeat(t *testing.T) {
	t.Run("answers_while_the_loop_waits_to_be_woken", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := New(nil, nil, Options{})
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan bool)
			go func() { done <- d.sleepUntilWoken(ctx) }()
			for range 3 {
				if err := d.Beat(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			stop()
			if <-done {
				t.Error("the loop was woken by a beat")
			}
		})
	})
	t.Run("answers_while_the_loop_backs_off_from_a_broken_store", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := New(nil, nil, Options{})
			go sleepOn(t.Context(), d.beats, time.Hour)
			if err := d.Beat(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	})
	t.Run("fails_when_the_loop_does_not_turn", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := New(nil, nil, Options{})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if d.Beat(ctx) == nil {
				t.Error("a beat was answered by nobody")
			}
		})
	})
}
