package graph

// dag holds the edges of a lattice seen from the needed side, all in one slice.
type dag struct {
	from []int32 // edges of electron i are edges[from[i]:from[i+1]]
	edge []edge
}

// edge leads to an electron that needs this one.
type edge struct {
	to   int32
	hard bool // skipped with it: a data reference that is not optional
}

func newDAG(electrons []Spec) *dag {
	d := &dag{from: make([]int32, len(electrons)+1)}
	for i := range electrons {
		for _, n := range electrons[i].Needs {
			d.from[n.Electron+1]++
		}
	}
	for i := range electrons {
		d.from[i+1] += d.from[i]
	}
	next := make([]int32, len(electrons))
	copy(next, d.from)
	d.edge = make([]edge, d.from[len(electrons)])
	for i := range electrons {
		for _, n := range electrons[i].Needs {
			d.edge[next[n.Electron]] = edge{to: int32(i), hard: n.Data && !n.Optional}
			next[n.Electron]++
		}
	}
	return d
}

// dependents returns the edges that leave electron i.
func (d *dag) dependents(i int) []edge { return d.edge[d.from[i]:d.from[i+1]] }

// leaf tells whether nothing needs electron i.
func (d *dag) leaf(i int) bool { return d.from[i] == d.from[i+1] }
