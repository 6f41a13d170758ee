package directory

import (
	"cmp"
	"container/heap"
)

// due is when there is something to do without news.
func (a *units) due() int64 {
	if len(a.queue) == 0 {
		return 0
	}
	return a.queue[0].due
}

// appoint sets when a unit is judged again; 0: when there is news.
func (a *units) appoint(u *unit, due int64) {
	queued := u.due != 0
	u.due = due
	switch {
	case due == 0 && queued:
		heap.Remove(&a.queue, u.at)
	case due == 0:
	case queued:
		heap.Fix(&a.queue, u.at)
	default:
		heap.Push(&a.queue, u)
	}
}

// dueNow takes the units out of the queue that are to be judged now, in order.
func (a *units) dueNow(now int64) []*unit {
	var list []*unit
	for due := a.due(); due != 0 && due <= now; due = a.due() {
		u := a.queue[0]
		a.appoint(u, 0)
		list = append(list, u)
	}
	return list
}

// unitQueue is ordered by due, then by name. A unit is in it once, however often it
// is appointed: one that never comes to rest must not fill the memory.
type unitQueue []*unit

func (q unitQueue) Len() int { return len(q) }
func (q unitQueue) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(q[i].due, q[j].due), cmp.Compare(q[i].id, q[j].id)) < 0
}

func (q unitQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].at, q[j].at = i, j
}

// Push is for package heap.
func (q *unitQueue) Push(x any) {
	u := x.(*unit)
	u.at = len(*q)
	*q = append(*q, u)
}

// Pop is for package heap.
func (q *unitQueue) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return last
}
