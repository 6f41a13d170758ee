package graph

// phase is a Status with what Progress has to tell apart.
type phase uint8

const (
	pending phase = iota
	running
	retrying // pending again, waits for its next attempt
	completed
	failed
	cancelled
	skippedSoft // by its condition, or by data of such a one: waiters go on
	skippedHard // because something failed or was cancelled: waiters don't
)

func skipPhase(reason string) phase {
	if reason == ReasonCondition || reason == ReasonUpstreamSkipped {
		return skippedSoft
	}
	return skippedHard
}

func (ph phase) terminal() bool { return ph >= completed }

// hard tells whether an end in ph keeps all dependents from running.
func (ph phase) hard() bool { return ph == failed || ph == cancelled || ph == skippedHard }

func (ph phase) status() Status {
	switch ph {
	case running:
		return Running
	case completed:
		return Completed
	case failed:
		return Failed
	case cancelled:
		return Cancelled
	case skippedSoft, skippedHard:
		return Skipped
	case pending, retrying:
	}
	return Pending
}
