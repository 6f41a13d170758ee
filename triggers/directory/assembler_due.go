package directory

import "container/heap"

// due is when there is something to do without news.
func (a *units) due() int64 {
	for len(a.queue) > 0 {
		if u := a.all[a.queue[0].id]; u != nil && u.due == a.queue[0].due {
			return u.due
		}
		heap.Pop(&a.queue) // outdated
	}
	return 0
}

// appoint sets when a unit is judged again; 0: when there is news.
func (a *units) appoint(u *unit, due int64) {
	if u.due == due {
		return
	}
	if u.due = due; due != 0 {
		heap.Push(&a.queue, appointment{due, u.id})
	}
}

// dueNow takes the units out of the queue that are to be judged now, in order.
func (a *units) dueNow(now int64) []*unit {
	var list []*unit
	for {
		due := a.due()
		if due == 0 || due > now {
			return list
		}
		u := a.all[heap.Pop(&a.queue).(appointment).id]
		u.due = 0
		list = append(list, u)
	}
}

// appointment is a unit to be judged again.
type appointment struct {
	due int64
	id  string
}

// unitQueue is ordered by due, then by name.
type unitQueue []appointment

func (q unitQueue) Len() int { return len(q) }
func (q unitQueue) Less(i, j int) bool {
	if q[i].due != q[j].due {
		return q[i].due < q[j].due
	}
	return q[i].id < q[j].id
}
func (q unitQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push is for package heap.
func (q *unitQueue) Push(x any) { *q = append(*q, x.(appointment)) }

// Pop is for package heap.
func (q *unitQueue) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = appointment{}
	*q = old[:len(old)-1]
	return last
}
