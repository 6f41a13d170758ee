package store

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/latticed/latticed/graph"
)

// condition is a part of a WHERE. index is what finds its rows in the order of the
// list; rank orders conditions by how few rows they usually leave.
type condition struct {
	sql   string
	args  []any
	index string
	rank  int
}

// labelIndex marks the one index that is on another table.
const labelIndex = "dispatch_labels_value"

// branch is a conjunction. The branches of a filter together are its answer, each
// found by its own walk: an OR over two indexes would have to sort everything.
type branch []condition

// driver is the condition whose index is walked.
func (b branch) driver() condition {
	best := condition{index: "dispatches_created", rank: 100}
	for _, c := range b {
		if c.index != "" && c.rank < best.rank {
			best = c
		}
	}
	return best
}

// from names the index: without statistics SQLite would guess.
func (b branch) from() string {
	if d := b.driver(); d.index == labelIndex {
		return "dispatch_labels b INDEXED BY " + labelIndex + " CROSS JOIN dispatches d ON d.number = b.dispatch"
	}
	return "dispatches d INDEXED BY " + b.driver().index
}

func (b branch) order() (created, number string) {
	if b.driver().index == labelIndex {
		return "b.created_at", "b.dispatch"
	}
	return "d.created_at", "d.number"
}

func (b branch) where() (string, []any) {
	driver := b.driver()
	parts, args := []string{}, []any{}
	for _, c := range b {
		if c.index == labelIndex && driver.index == labelIndex && slices.Equal(c.args, driver.args) {
			c.sql = "b.key = ? AND b.value = ?"
		}
		parts = append(parts, c.sql)
		args = append(args, c.args...)
	}
	return strings.Join(parts, " AND "), args
}

// dispatchBranches turns a filter into branches; none: nothing can match.
func (r *reader) dispatchBranches(f *DispatchFilter) ([]branch, error) {
	var all []condition
	also := func(sql, index string, rank int, args ...any) {
		all = append(all, condition{sql, args, index, rank})
	}
	also("d."+notGoing, "", 0)
	if f.Owner != "" {
		also("d.owner = ?", "dispatches_owner", 50, f.Owner)
	}
	for _, k := range slices.Sorted(maps.Keys(f.Labels)) {
		also("EXISTS (SELECT 1 FROM dispatch_labels WHERE dispatch = d.number AND key = ? AND value = ?)", labelIndex, 30, k, f.Labels[k])
	}
	if !f.Since.IsZero() {
		also("d.created_at >= ?", "", 0, f.Since.UnixMicro())
	}
	if !f.Until.IsZero() {
		also("d.created_at < ?", "", 0, f.Until.UnixMicro())
	}
	for _, k := range slices.Sorted(maps.Keys(f.Inputs)) {
		c, ok := inputCondition(k, f.Inputs[k])
		if !ok {
			return nil, nil
		}
		all = append(all, c)
	}
	branches := []branch{all}
	for _, choose := range []func(*DispatchFilter) ([]condition, error){r.byRoot, r.byParent, r.byStatus, r.byTrigger, r.byLattice, r.byQuery} {
		alternatives, err := choose(f)
		if errors.Is(err, ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		branches = multiply(branches, alternatives)
	}
	return branches, nil
}

// multiply gives each branch each of the alternatives; none stands for no condition.
func multiply(branches []branch, alternatives []condition) []branch {
	if len(alternatives) == 0 {
		return branches
	}
	var out []branch
	for _, b := range branches {
		for _, c := range alternatives {
			out = append(out, append(slices.Clip(slices.Clone(b)), c))
		}
	}
	return out
}

func (r *reader) byRoot(f *DispatchFilter) ([]condition, error) {
	if f.Root == "" {
		return []condition{{sql: "d.root IS NULL"}}, nil
	}
	n, err := dispatchNumber(r, f.Root)
	return []condition{
		{"d.root = ?", []any{n}, "dispatches_root", 10},
		{"d.id = (SELECT id FROM dispatches WHERE number = ?)", []any{n}, "dispatches_id", 0},
	}, err
}

func (r *reader) byParent(f *DispatchFilter) ([]condition, error) {
	if f.Parent == "" {
		return nil, nil
	}
	id := f.Parent // it may be deleted: the children still name it
	if n, ok := isNumber(id); ok {
		var ids []string
		if err := r.db.Raw("SELECT id FROM dispatches WHERE number = ?", n).Scan(&ids).Error; err != nil {
			return nil, err
		}
		if len(ids) == 0 {
			return nil, notFound("dispatch", id)
		}
		id = ids[0]
	}
	return []condition{{"d.parent_id = ?", []any{id}, "dispatches_parent", 15}}, nil
}

func (r *reader) byStatus(f *DispatchFilter) ([]condition, error) {
	var cs []condition
	for _, s := range slices.Compact(slices.Sorted(slices.Values(f.Status))) {
		rank := 40
		if s == graph.Completed {
			rank = 60 // most are
		}
		cs = append(cs, condition{"d.status = ?", []any{string(s)}, "dispatches_status", rank})
	}
	return cs, nil
}

func (r *reader) byTrigger(f *DispatchFilter) ([]condition, error) {
	if f.Trigger == "" {
		return nil, nil
	}
	ns, err := triggerNumbers(r.db, f.Trigger)
	var cs []condition
	for _, n := range ns {
		cs = append(cs, condition{"d.trigger = ?", []any{n}, "dispatches_trigger", 20})
	}
	return cs, err
}

func (r *reader) byLattice(f *DispatchFilter) ([]condition, error) {
	if f.Lattice == "" {
		return nil, nil
	}
	var ns []int64
	if err := r.db.Raw("SELECT n FROM lattices WHERE id = ?", f.Lattice).Scan(&ns).Error; err != nil {
		return nil, err
	}
	if len(ns) > 0 {
		return []condition{{"d.lattice = ?", []any{ns[0]}, "dispatches_lattice", 24}}, nil
	}
	return []condition{{"d.lattice_name = ?", []any{f.Lattice}, "dispatches_lattice_name", 25}}, nil
}

// byQuery looks into names of lattices, notes and labels, and at the beginning of ids.
func (r *reader) byQuery(f *DispatchFilter) ([]condition, error) {
	if f.Query == "" {
		return nil, nil
	}
	var names []string
	err := r.db.Raw("SELECT DISTINCT name FROM lattices WHERE instr(lower(name), lower(?)) > 0 ORDER BY name LIMIT 50", f.Query).Scan(&names).Error
	if err != nil {
		return nil, err
	}
	cs := []condition{{
		"(d.note IS NOT NULL OR d.labels IS NOT NULL) AND (instr(lower(d.note), lower(?)) > 0 OR EXISTS (SELECT 1 FROM dispatch_labels q WHERE q.dispatch = d.number AND instr(lower(q.key || '=' || q.value), lower(?)) > 0))",
		[]any{f.Query, f.Query},
		"dispatches_text", 70,
	}}
	for _, n := range names {
		cs = append(cs, condition{"d.lattice_name = ?", []any{n}, "dispatches_lattice_name", 25})
	}
	if id := strings.ToLower(f.Query); idPrefix(id) {
		cs = append(cs, condition{"d.id >= ? AND d.id < ?", []any{id, id + "g"}, "dispatches_id", 5})
	}
	if n, ok := isNumber(f.Query); ok {
		cs = append(cs, condition{"d.id = (SELECT id FROM dispatches WHERE number = ?)", []any{n}, "dispatches_id", 0})
	}
	return cs, nil
}

func idPrefix(s string) bool {
	return len(s) >= 4 && strings.Trim(s, "0123456789abcdef-") == ""
}

// inputCondition compares one effective input: text as it is, other values as JSON.
func inputCondition(key, value string) (condition, bool) {
	if !regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`).MatchString(key) {
		return condition{}, false // no input is called so
	}
	quoted, err := graph.Canonical(value)
	if err != nil {
		quoted = nil
	}
	return condition{sql: "(d.inputs -> ?) IN (?, ?)", args: []any{key, string(quoted), value}}, true
}
