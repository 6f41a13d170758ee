package docs_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/latticed/latticed/triggers"
	"github.com/latticed/latticed/triggers/database"
)

// found are the first groups of all matches in a file.
func found(t *testing.T, file, pattern string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
		words = append(words, m[1])
	}
	return words
}

func TestEveryReasonIsInThePageOnTriggers(t *testing.T) {
	page, err := os.ReadFile("triggers.md")
	if err != nil {
		t.Fatal(err)
	}
	reasons := found(t, "../triggers/gate.go", `(?m)^\tReason\w+ += "(\w+)"`)
	if len(reasons) < 15 {
		t.Fatalf("only %d reasons are in triggers/gate.go", len(reasons))
	}
	for _, reason := range append(reasons, "trigger_removed") {
		if !strings.Contains(string(page), "`"+reason+"`") {
			t.Errorf("triggers.md does not say what %s means", reason)
		}
	}
}

func TestEveryURLOfThePageOnDatabasesIsUnderstood(t *testing.T) {
	_, kind, _ := database.New(database.Options{})
	urls := found(t, "triggers-database.md", `(?m)^\| `+"`"+`(\w[\w+]*://[^`+"`"+`]+)`)
	if len(urls) < 8 {
		t.Fatalf("only %d URLs are in the table", len(urls))
	}
	for _, url := range urls {
		if _, err := triggers.Make(kind, map[string]any{"url": url, "table_name": "runs"}); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	if _, err := triggers.Make(kind, map[string]any{"url": urls[0], "table_name": "runs", "listen": "new_runs", "poll_interval": "1m"}); err != nil {
		t.Error(err)
	}
}

func TestEveryFieldIsInAPageOnTriggers(t *testing.T) {
	pages := ""
	for _, page := range []string{"triggers.md", "triggers-time.md", "triggers-directory.md", "triggers-database.md", "triggers-webhook.md", "triggers-dispatch.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		_, table, _ := strings.Cut(string(text), "\n## All fields\n")
		pages += table
	}
	fields := found(t, "../cmd/latticed/trigger_table.go", `(?m)^\t\t\{"(\w+)", field`)
	if len(fields) < 35 {
		t.Fatalf("only %d fields are in trigger_table.go", len(fields))
	}
	for _, field := range fields {
		if !strings.Contains(pages, "`"+field+"`") {
			t.Errorf("no page has the field %s", field)
		}
	}
}
