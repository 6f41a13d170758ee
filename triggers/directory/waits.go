package directory

import "container/heap"

// wait is a file to be looked at again.
type wait struct {
	due int64
	*file
}

// waits are ordered by due; one that is outdated differs from what its file says.
type waits []wait

func (q waits) Len() int { return len(q) }
func (q waits) Less(i, j int) bool {
	if q[i].due != q[j].due {
		return q[i].due < q[j].due
	}
	return q[i].name < q[j].name
}
func (q waits) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push is for package heap.
func (q *waits) Push(x any) { *q = append(*q, x.(wait)) }

// Pop is for package heap.
func (q *waits) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = wait{}
	*q = old[:len(old)-1]
	return last
}

// pop takes out a file that is due; nil when none is.
func (q *waits) pop(now int64) *file {
	for len(*q) > 0 && (*q)[0].due <= now {
		x := heap.Pop(q).(wait)
		if x.due == x.file.due {
			x.file.due = 0
			return x.file
		}
	}
	return nil
}

// await puts a file that owes events among the waits, unless it is there already for
// that time or an earlier one.
func (w *watch) await(f *file) {
	if due := w.rules.due(f.entry); f.due == 0 || due < f.due {
		f.due = due
		heap.Push(&w.waits, wait{due, f})
	}
}
