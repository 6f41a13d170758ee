package triggers

// place applies the policy to a batch that is complete.
func (d *decider) place(b batch) {
	switch {
	case d.gate.Overlap == Replace:
		d.wait(b, d.gate.Max)
	case d.gate.Overlap == QueueLatest && (d.slots <= 0 || !d.allowed()):
		d.wait(b, 1)
	case d.gate.Overlap == Skip && d.slots <= 0:
		d.rest.Full = true
		d.forget(b)
		for _, i := range b {
			d.skip(i, ReasonOverlap)
		}
	default:
		d.fire(b)
	}
}

func (d *decider) queue(b batch) { d.behind = append(d.behind, b) }

// wait puts a batch into one of so many places. Whoever has waited longest makes room
// for it, provided that it can run.
func (d *decider) wait(b batch, places int) {
	v := d.render(b)
	if v.State != EventFired {
		d.end(v)
		return
	}
	if d.waiting = append(d.waiting, v); len(d.waiting) <= places {
		return
	}
	oldest := d.waiting[0].Events
	d.waiting = d.waiting[1:]
	d.forget(oldest)
	for _, i := range oldest {
		d.skip(i, ReasonSuperseded)
	}
}

// settle gives the waiting what is free, and with replace asks for the rest.
func (d *decider) settle(ending int) {
	needed := 0
	for _, v := range d.waiting {
		switch {
		case !d.allowed():
			d.holdRate(v.Events)
		case d.slots > 0:
			d.end(v)
		case d.gate.Overlap == Replace:
			needed++
			d.spend()
			d.holdSlot(v.Events, ReasonReplacing)
		default:
			d.holdSlot(v.Events, ReasonOverlap)
		}
	}
	if needed > 0 {
		d.cancel = max(0, needed-d.slots-ending)
	}
}

func (d *decider) holdSlot(b batch, reason string) {
	d.rest.Full, d.rest.Waits = true, true
	d.holdAll(b, reason)
}

func (d *decider) holdRate(b batch) {
	d.wake(d.allowedAt())
	d.holdAll(b, ReasonRate)
}
