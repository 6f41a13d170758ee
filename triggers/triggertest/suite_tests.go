package triggertest

import (
	"encoding/json"
	"errors"
)

func testBaseline(r *run) {
	stop := r.start()
	r.until("a baseline", func() bool { return r.batches > 0 && r.cursor != nil })
	r.end(stop)
	if n := r.count(); n > 0 {
		r.Errorf("the baseline came with %d events", n)
	}
}

func testHealth(r *run) {
	stop := r.start()
	r.working()
	r.mu.Lock()
	if r.cursor == nil {
		r.Error("it says that it works before its baseline is stored")
	}
	r.mu.Unlock()
	r.end(stop)
	stop = r.start()
	r.working()
	r.end(stop)
}

func testStop(r *run) {
	stop := r.start()
	r.working()
	r.end(stop)
	r.n++
	r.occur()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.late {
		r.Error("it emits after Run has returned")
	}
}

func testOnce(r *run) {
	stop := r.start()
	r.working()
	for range 3 {
		r.happen()
	}
	r.end(stop)
	if n := r.count(); n < 3 {
		r.Errorf("%d events of 3", n)
	}
}

func testResume(r *run) {
	stop := r.start()
	r.working()
	r.happen()
	r.end(stop)
	before := r.count()
	stop = r.start()
	r.working()
	if n := r.count(); n != before {
		r.Errorf("%d events became %d without anything happening", before, n)
	}
	r.happen()
	r.end(stop)
}

func testDowntime(r *run) {
	stop := r.start()
	r.working()
	r.end(stop)
	r.n++
	r.occur()
	stop = r.start()
	r.until("an event", func() bool { return len(r.events) > 0 })
	r.end(stop)
}

func testRefused(r *run) {
	stop := r.start()
	r.working()
	r.mu.Lock()
	r.refuse = ErrFull
	r.mu.Unlock()
	r.n++
	r.occur()
	r.until("Run returns", func() bool { return r.stopped })
	if err := stop(errStop); !errors.Is(err, ErrFull) {
		r.Errorf("Run returned %v, want the error of emit", err)
	}
	r.mu.Lock()
	r.refuse = nil
	r.mu.Unlock()
	stop = r.start()
	r.until("the event again", func() bool { return len(r.events) > 0 })
	r.end(stop)
}

func testWaits(r *run) {
	stop := r.start()
	for range 2 {
		r.until("it waits", func() bool { return r.waits })
		r.happen()
	}
	r.end(stop)
}

func testPayload(r *run) {
	stop := r.start()
	r.working()
	r.happen()
	r.end(stop)
	for _, e := range r.events {
		var fields map[string]any
		if err := json.Unmarshal(e.Payload, &fields); err != nil {
			r.Errorf("%s: the payload is no object: %v", e.Key, err)
		}
		for field := range fields {
			if _, declared := r.made.Event[field]; !declared {
				r.Errorf("%s: the payload has an undeclared field %s", e.Key, field)
			}
		}
		if e.Key == "" || e.Kind == "" {
			r.Errorf("an event without key or kind: %+v", e)
		}
	}
}
