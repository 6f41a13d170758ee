package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/latticed/latticed/api/client"
)

// Why a whole dispatch waits is said once, in its head; the table beneath has room for
// what only one electron waits for.
func TestShow_says_once_why_all_wait(t *testing.T) {
	held := &client.Waiting{Code: "hold", Detail: "restored from a backup"}
	slots := &client.Waiting{Code: "slots", Detail: "all 8 are taken"}
	var out bytes.Buffer
	err := (&cli{stdout: &out}).showElectrons(client.Dispatch{
		Status: "pending", Waiting: held,
		Electrons: []client.Electron{{Name: "a", Status: "pending", Waiting: held}, {Name: "b", Status: "pending", Waiting: slots}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"a         pending (hold) ", "b         pending (slots: all 8 are taken) "} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no %q in\n%s", line, &out)
		}
	}
}
