package main

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

const hookSecret = "0123456789-abcdef"

// The daemon is killed again and again while senders deliver to a webhook, each until
// its delivery is acknowledged, and another trigger follows the ends of what comes of
// that: each delivery has one event and one dispatch, and each end has one of each.
func TestCrash_hooks_and_what_follows(t *testing.T) {
	const senders, each, kills = 8, 10, 12
	v := newVictim(t)
	v.start()
	v.steer("POST", "/lattices", `{"lattice": "note", "inputs": {"what": {}}, "electrons": {"e": {"run": ["true"]}}}`)
	v.steer("POST", "/lattices", `{"lattice": "then", "inputs": {"what": {}}, "electrons": {"e": {"run": ["true"]}}}`)
	v.steer("POST", "/triggers", `{"name": "hook", "kind": "webhook", "lattice": "note", "path_secret": "`+hookSecret+`", "inputs": {"what": "${{ event.id }}"}}`)
	v.steer("POST", "/triggers", `{"name": "then", "kind": "dispatch", "lattice": "then", "of": {"trigger": "hook"}, "inputs": {"what": "${{ event.inputs.what }}"}}`)

	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for n := range each {
				v.sendUntilTaken(hookSecret, fmt.Sprintf("%02d-%02d", s, n))
				time.Sleep(rand.N(100 * time.Millisecond))
			}
		})
	}
	for range kills {
		time.Sleep(rand.N(150 * time.Millisecond))
		v.kill()
		v.start()
	}
	wg.Wait()

	want := map[string]int{}
	for s := range senders {
		for n := range each {
			want[fmt.Sprintf("%02d-%02d", s, n)] = 1
		}
	}
	for _, trigger := range []string{"hook", "then"} {
		eventually(t, "all have run for "+trigger, func() bool { return len(v.of(trigger)) >= len(want) })
		got := map[string]int{}
		for _, what := range v.of(trigger) {
			got[what]++
		}
		maps.DeleteFunc(got, func(what string, n int) bool { return n == want[what] })
		if len(got) > 0 {
			t.Errorf("%s: not once each: %v", trigger, got)
		}
	}
}

// sendUntilTaken delivers until that is acknowledged, as senders do.
func (v *victim) sendUntilTaken(secret, id string) {
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); time.Sleep(5 * time.Millisecond) {
		req, err := http.NewRequest(http.MethodPost, "http://latticed/v1/hooks/"+secret, strings.NewReader("{}"))
		if err != nil {
			v.t.Error(err)
			return
		}
		req.Header.Set("Idempotency-Key", id)
		resp, err := v.client.Do(req)
		if err != nil {
			continue // it is being killed
		}
		answer, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		switch {
		case resp.StatusCode == http.StatusAccepted && err == nil:
			return
		case resp.StatusCode != http.StatusAccepted && resp.StatusCode != http.StatusServiceUnavailable:
			v.t.Errorf("delivery %s: %s: %s", id, resp.Status, answer) // that it is not there would be for good
			return
		}
	}
	v.t.Errorf("delivery %s was never acknowledged", id)
}
