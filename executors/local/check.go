package local

import (
	"strconv"
	"strings"

	"github.com/latticed/latticed/executors"
)

// check refuses what exec would refuse with less to say.
func (j *job) check(unset []string) error {
	total := 0
	for i, a := range j.argv {
		total += len(a)
		if err := checkString(a, func() string { return "argument " + strconv.Itoa(i) }); err != nil {
			return err
		}
	}
	for _, kv := range j.env {
		total += len(kv)
		k, _, _ := strings.Cut(kv, "=")
		if err := checkString(kv, func() string { return "environment variable " + strconv.Quote(k) }); err != nil {
			return err
		}
		if k == "" {
			return executors.Failf(executors.CodeValueInvalid, "an environment variable has no name")
		}
	}
	if total > maxTotal {
		return executors.Failf(executors.CodeValueTooLong,
			"arguments and environment are %d bytes together, too much for exec: hand long values over in $LATTICED_ARGS", total)
	}
	if n := len(j.files) + len(j.outputs) + len(unset); n > maxFiles {
		return executors.Failf(executors.CodeValueInvalid, "%d files are too many for one attempt, %d are possible", n, maxFiles)
	}
	return nil
}

func checkString(s string, what func() string) error {
	if len(s) > maxString {
		return executors.Failf(executors.CodeValueTooLong,
			"%s is %d bytes long, exec takes %d: hand it over in $LATTICED_ARGS", what(), len(s), maxString)
	}
	if strings.ContainsRune(s, 0) {
		return executors.Failf(executors.CodeValueInvalid, "%s holds a NUL byte, which no program can be given", what())
	}
	return nil
}
