package main

import (
	"slices"
	"strings"

	"github.com/latticed/latticed/graph"
)

// auditWords says what an operation of the audit trail did, as the command that does it
// is called.
func auditWords() map[string]string {
	return map[string]string{
		"StoreLattice":    "store",
		"StartDispatch":   "start",
		"CancelDispatch":  "cancel",
		"PatchDispatch":   "keep",
		"DeleteDispatch":  "rm",
		"BulkCancel":      "cancel --where",
		"BulkRedispatch":  "redispatch --where",
		"CreateSweep":     "sweep",
		"CreateTrigger":   "trigger add",
		"PutTrigger":      "trigger apply",
		"PatchTrigger":    "trigger set",
		"DeleteTrigger":   "trigger rm",
		"PauseTrigger":    "trigger pause",
		"ResumeTrigger":   "trigger resume",
		"FireTrigger":     "trigger fire",
		"RetryEvents":     "trigger retry",
		"BackfillTrigger": "trigger backfill",
		"CreateToken":     "token create",
		"RevokeToken":     "token revoke",
		"Backup":          "backup",
		"Prune":           "prune",
		"EndHold":         "hold --end",
	}
}

// did says an operation in words; one of a newer daemon is said as it is.
func did(operation string) string {
	if words, ok := auditWords()[operation]; ok {
		return words
	}
	return operation
}

// operationsOf are those that words mean: all of a group, such as trigger, or one.
func operationsOf(said string) ([]string, error) {
	words := strings.Join(strings.Fields(said), " ")
	var found, known []string
	for operation, is := range auditWords() {
		if is == words || operation == words || strings.HasPrefix(is, words+" ") {
			found = append(found, operation)
		}
		known = append(known, is)
	}
	slices.Sort(found)
	slices.Sort(known)
	switch near := graph.Suggest(words, known); {
	case len(found) > 0:
		return found, nil
	case near != "":
		return nil, usagef("--action %s: nothing is called so; did you mean %q?", said, near)
	}
	return nil, usagef("--action %s: nothing is called so; write one of %s", said, strings.Join(known, ", "))
}
