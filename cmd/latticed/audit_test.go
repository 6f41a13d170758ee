package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestAudit_has_words_for_each_operation_that_are_a_command(t *testing.T) {
	table, err := os.ReadFile("../../api/auth_roles.go")
	if err != nil {
		t.Fatal(err)
	}
	words := auditWords()
	audited := regexp.MustCompile(`"(\w+)": +\{[^}]*changes:`).FindAllStringSubmatch(string(table), -1)
	if len(audited) != len(words) {
		t.Errorf("%d operations are audited, %d have words", len(audited), len(words))
	}
	root := newRoot(&cli{})
	for _, m := range audited {
		args := strings.Fields(words[m[1]])
		if len(args) == 0 {
			t.Errorf("%s has no words", m[1])
			continue
		}
		flag := ""
		if last := args[len(args)-1]; strings.HasPrefix(last, "--") {
			flag, args = strings.TrimPrefix(last, "--"), args[:len(args)-1]
		}
		cmd, rest, err := root.Find(args)
		if err != nil || len(rest) > 0 || flag != "" && cmd.Flags().Lookup(flag) == nil {
			t.Errorf("%s: there is no command %q", m[1], words[m[1]])
		}
	}
}

func TestAudit_actions_are_chosen_by_words(t *testing.T) {
	for said, want := range map[string][]string{
		"trigger pause": {"PauseTrigger"}, " trigger  pause ": {"PauseTrigger"}, "PauseTrigger": {"PauseTrigger"}, "token": {"CreateToken", "RevokeToken"},
		"cancel": {"BulkCancel", "CancelDispatch"},
	} {
		if got, err := operationsOf(said); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v", said, got, err)
		}
	}
	if _, err := operationsOf("trigger pasue"); err == nil || !strings.Contains(err.Error(), `did you mean "trigger pause"?`) {
		t.Errorf("%v", err)
	}
	if did("PauseTrigger") != "trigger pause" || did("SomethingNew") != "SomethingNew" {
		t.Error(did("PauseTrigger"), did("SomethingNew"))
	}
}
