package main

import (
	"context"
	"fmt"
	"time"
)

type object = map[string]any

func noop() object { return object{"run": []string{"/bin/true"}} }

func lattice(name string, electrons object) object {
	return object{"lattice": name, "electrons": electrons}
}

// oneElectron times POST to finished of a lattice with one no-op.
func oneElectron(ctx context.Context, s settings, t *table) error {
	floor, err := forkExec(1)
	if err != nil {
		return err
	}
	d, err := startDaemon(ctx, s)
	if err != nil {
		return err
	}
	defer d.stop()
	if err := d.call(ctx, "POST", "/lattices", lattice("one", object{"a": noop()}), nil); err != nil {
		return err
	}
	var ds []time.Duration
	for range 300 {
		start := time.Now()
		if _, err := d.finish(ctx, "one"); err != nil {
			return err
		}
		ds = append(ds, time.Since(start))
	}
	t.ratio("one electron, POST to finished", quantile(ds, 0.5), floor, "≤ 3 ×")
	return nil
}

// chain times a chain of no-ops, per electron.
func chain(ctx context.Context, s settings, t *table) error {
	const n = 200
	floor, err := forkExec(1)
	if err != nil {
		return err
	}
	electrons := object{}
	for i := range n {
		e := noop()
		if i > 0 {
			e["wait_for"] = []string{fmt.Sprintf("e%04d", i-1)}
		}
		electrons[fmt.Sprintf("e%04d", i)] = e
	}
	per, err := perElectron(ctx, s, lattice("chain", electrons), n)
	if err != nil {
		return err
	}
	t.ratio("chain of 200 no-ops, per electron", per, floor, "≤ 1.8 ×")
	return nil
}

// fanOut times independent no-ops, per electron, at two widths.
func fanOut(ctx context.Context, s settings, t *table) error {
	floor, err := forkExec(2)
	if err != nil {
		return err
	}
	for _, n := range []int{1000, 4000} {
		electrons := object{}
		for i := range n {
			electrons[fmt.Sprintf("e%04d", i)] = noop()
		}
		per, err := perElectron(ctx, s, lattice("fan", electrons), n)
		if err != nil {
			return err
		}
		t.ratio(fmt.Sprintf("fan-out of %d, per electron", n), per, floor, "≤ 1.5 ×")
	}
	return nil
}

// perElectron is the median over three runs of the time a dispatch ran, per electron.
func perElectron(ctx context.Context, s settings, l object, n int) (time.Duration, error) {
	d, err := startDaemon(ctx, s)
	if err != nil {
		return 0, err
	}
	defer d.stop()
	var ds []time.Duration
	for range 3 {
		got, err := d.finish(ctx, l)
		if err != nil {
			return 0, err
		}
		ds = append(ds, got.EndedAt.Sub(got.StartedAt)/time.Duration(n))
	}
	return quantile(ds, 0.5), nil
}
