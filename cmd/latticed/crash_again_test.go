package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// hookKinds are a webhook, a trigger that follows the ends of what some others have
// dispatched, and one that follows what is cancelled and run again by hand.
func (l *life) hookKinds() []kindUnderCrash {
	hook := kindUnderCrash{
		name: "hook", what: "event.id", followed: true,
		fields: map[string]any{"kind": "webhook", "path_secret": hookSecret},
		happen: func(ctx context.Context) []string {
			return several(4, func(s int) (sent []string) {
				for n := 0; ctx.Err() == nil; n++ {
					id := fmt.Sprintf("%02d-%03d", s, n)
					l.sendUntilTaken(hookSecret, id)
					sent = append(sent, id)
					time.Sleep(rand.N(2 * time.Second))
				}
				return sent
			})
		},
	}
	follow := kindUnderCrash{
		name: "follow", what: "event.inputs.what",
		fields: map[string]any{"kind": "dispatch", "of": map[string]any{"label": map[string]any{"followed": "yes"}}, "inputs": map[string]any{"part": "${{ event.inputs.part }}"}},
		happen: func(context.Context) []string { return nil }, // see finish
	}
	ends := kindUnderCrash{
		name: "ends", what: "event.id",
		fields: map[string]any{"kind": "dispatch", "of": map[string]any{"lattice": "steps", "status": []string{"completed", "failed", "cancelled"}}},
		happen: func(ctx context.Context) []string {
			return several(2, func(s int) (ids []string) {
				for n := 0; ctx.Err() == nil; n++ {
					ids = append(ids, l.cancelAndReuse(fmt.Sprintf("steps-%d-%d", s, n))...)
				}
				return ids
			})
		},
	}
	return []kindUnderCrash{hook, follow, ends}
}

// several does something a few times at once.
func several(n int, f func(i int) []string) (all []string) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			made := f(i)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, made...)
		})
	}
	wg.Wait()
	return all
}

// storeSteps stores a lattice with an electron that goes on until somebody cancels it,
// unless the input says otherwise.
func (l *life) storeSteps() {
	l.t.Helper()
	need := func(name string) map[string]any { return map[string]any{"N": "${{ electrons." + name + ".result }}"} }
	hold := need("first")
	hold["HOLD"] = "${{ inputs.hold }}"
	const answer = "echo $((N + 1)) > $LATTICED_RESULT"
	var ignored any
	l.call(http.MethodPost, "/lattices", map[string]any{
		"lattice": "steps", "inputs": map[string]any{"hold": map[string]any{"type": "boolean", "default": true}},
		"electrons": map[string]any{
			"first":  l.diary.electron("echo 1 > $LATTICED_RESULT", nil),
			"second": l.diary.electron(answer, need("first")),
			"aside":  l.diary.electron(`[ "$HOLD" = false ] || sleep 1000; `+answer, hold),
			"after":  l.diary.electron(answer, need("aside")),
		},
	}, &ignored)
}

// cancelAndReuse cancels an electron in the middle of a dispatch, which ends with the
// others done; the next runs only what was not, and the one after that nothing at all.
// It returns the ids of the three.
func (l *life) cancelAndReuse(key string) []string {
	first := l.dispatch(key, "steps")
	time.Sleep(rand.N(300 * time.Millisecond))
	l.insist("/dispatches/"+first+"/cancel", "", map[string]any{"electrons": []string{"aside"}}, http.StatusOK)
	l.endsAs(first, "cancelled", map[string]string{"first": "ran", "second": "ran", "aside": "cancelled", "after": "cancelled"})
	second := l.redispatch(first, key+"-again")
	l.endsAs(second, "completed", map[string]string{"first": "reused from " + first, "second": "reused from " + first, "aside": "ran", "after": "ran"})
	third := l.redispatch(second, key+"-once-more")
	l.endsAs(third, "completed", map[string]string{
		"first": "reused from " + first, "second": "reused from " + first, "aside": "reused from " + second, "after": "reused from " + second,
	})
	return []string{first, second, third}
}

// redispatch runs a dispatch again, reusing what is as it was.
func (l *life) redispatch(id, key string) string {
	var d struct{ ID string }
	body := map[string]any{"inputs": map[string]any{"hold": false}, "reuse_previous_results": true}
	if answer := l.insist("/dispatches/"+id+"/redispatch", key, body, http.StatusCreated); answer != nil {
		if err := json.Unmarshal(answer, &d); err != nil {
			l.t.Error(err)
		}
	}
	return d.ID
}

// endsAs waits for the end of a dispatch and looks what became of its electrons.
func (l *life) endsAs(id, status string, want map[string]string) {
	var d crashed
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); time.Sleep(10 * time.Millisecond) {
		resp, err := l.client.Get("http://latticed/v1/dispatches/" + id + "?wait=5s")
		if err != nil {
			continue
		}
		err = json.NewDecoder(resp.Body).Decode(&d)
		resp.Body.Close()
		if err == nil && (d.Status == "completed" || d.Status == "failed" || d.Status == "cancelled") {
			break
		}
	}
	got := map[string]string{}
	for _, e := range d.Electrons {
		switch {
		case e.ReusedFrom != "" && len(e.Attempts) == 0:
			got[e.Name] = "reused from " + e.ReusedFrom
		case e.Status == "completed" && len(e.Attempts) == 1:
			got[e.Name] = "ran"
		default:
			got[e.Name] = e.Status
		}
		for _, a := range e.Attempts {
			if a.WorkDir != "" {
				l.mu.Lock()
				l.kept[a.WorkDir] = true
				l.mu.Unlock()
			}
		}
	}
	if d.Status != status || !maps.Equal(got, want) {
		l.t.Errorf("dispatch %s is %s with %v, want %s with %v; error %s", id, d.Status, got, status, want, d.Error)
	}
}
