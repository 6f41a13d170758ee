package executors

import (
	"errors"
	"fmt"

	"github.com/latticed/latticed/graph"
)

// The codes of failures, as users see them in error.code. An executor may add its own.
const (
	CodeExit            = "exit_code"         // it exited with something else than 0
	CodeSignal          = "signal"            // a signal ended it that nobody here sent
	CodeTimeout         = "timeout"           // it took longer than its timeout
	CodeCancelled       = "cancelled"         // somebody asked for its end
	CodeException       = "exception"         // python: the message is the last line of the traceback
	CodeOutputMissing   = "output_missing"    // a declared output isn't there
	CodeOutputInvalid   = "output_invalid"    // it is there but is no file of the attempt
	CodeResultInvalid   = "result_invalid"    // its result isn't what was declared
	CodeResultTooLarge  = "result_too_large"  // its result is over 1 MiB
	CodeLogLimit        = "log_limit"         // it wrote more than can be kept or cut
	CodeCommandNotFound = "command_not_found" // argv[0] is nowhere on the task's PATH
	CodeNotExecutable   = "not_executable"    // argv[0] is there and can't be executed
	CodeValueTooLong    = "value_too_long"    // an argument or variable exec doesn't take
	CodeValueInvalid    = "value_invalid"     // an argument, variable or path with a NUL or worse
	CodeDiskFull        = "disk_full"         // no room in the working directory; tried again
)

// Failure is an error with the code that users see.
type Failure struct {
	Code    string
	Message string
	Err     error // what it came from, or nil
}

// Failf makes a Failure.
func Failf(code, format string, args ...any) *Failure {
	err := fmt.Errorf(format, args...)
	return &Failure{Code: code, Message: err.Error(), Err: errors.Unwrap(err)}
}

func (f *Failure) Error() string { return f.Message }

func (f *Failure) Unwrap() error { return f.Err }

// AsError turns what Run returned into the error that is stored: the code of the
// Failure in err, or code when there is none.
func AsError(err error, code string) *graph.Error {
	if f, ok := errors.AsType[*Failure](err); ok {
		return &graph.Error{Code: f.Code, Message: err.Error()}
	}
	return &graph.Error{Code: code, Message: err.Error()}
}
