package executors

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"
)

func TestPermanent_is_seen_through_wrapping(t *testing.T) {
	err := fmt.Errorf("attempt: %w", Permanent(Failf(CodeCommandNotFound, "no gnuplot: %w", fs.ErrNotExist)))
	if !IsPermanent(err) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("permanent %v, cause %v", IsPermanent(err), errors.Is(err, fs.ErrNotExist))
	}
	if e := AsError(err, "executor"); e.Code != CodeCommandNotFound || e.Message != "attempt: no gnuplot: file does not exist" {
		t.Errorf("%+v", e)
	}
	if IsPermanent(ErrLost) {
		t.Error("lost is not permanent")
	}
}

func TestAsError_without_a_code_takes_the_given_one(t *testing.T) {
	if e := AsError(errors.New("x"), "lost"); e.Code != "lost" || e.Message != "x" {
		t.Errorf("%+v", e)
	}
}
