"""Energy minimisation and molecular dynamics of Lennard-Jones atoms."""

import csv
import json
import math
import random

from potential import forces

CUTOFF = 2.5  # shorter in a box that is too small for it


def minimise(state, atoms, seed):
    """Put atoms on a jittered grid and let them slide to the nearest energy minimum.

    state is a JSON file with the "density" and the "temperature" to simulate.
    """
    density, temperature = read_state(state)
    box = (atoms / density) ** (1.0 / 3.0)
    cutoff = min(CUTOFF, 0.5 * box)
    start = grid(atoms, box, random.Random(seed))
    before, _ = forces(start, box, cutoff)
    positions, energy, largest = relax(start, box, cutoff)
    print(f"{atoms} atoms in a box of {box:.4f}: {before / atoms:.4f} -> {energy / atoms:.4f} per atom")
    return {
        "positions": positions,
        "box": box,
        "cutoff": cutoff,
        "temperature": temperature,
        "energy_per_atom": energy / atoms,
        "largest_force": largest,
    }


def integrate(start, dt, equilibrate, steps, seed):
    """Warm the minimised atoms up, then follow them at constant energy.

    Leaves energies.csv and trajectory.xyz in the current directory.
    """
    box, cutoff = start["box"], start["cutoff"]
    x = [list(p) for p in start["positions"]]
    n = len(x)
    v = thermal(n, start["temperature"], random.Random(seed))
    _, f = forces(x, box, cutoff)
    for step in range(equilibrate):
        _, f = verlet(x, v, f, dt, box, cutoff)
        if step % 10 == 9:
            rescale(v, start["temperature"])

    rows = []
    potential, f = forces(x, box, cutoff)
    with open("energies.csv", "w", newline="") as table, open("trajectory.xyz", "w") as path:
        out = csv.writer(table)
        out.writerow(["time", "kinetic", "potential", "total"])  # per atom
        for step in range(steps + 1):
            if step > 0:
                potential, f = verlet(x, v, f, dt, box, cutoff)
            k, u = kinetic(v) / n, potential / n
            rows.append((step * dt, k, u, k + u))
            out.writerow(rows[-1])
            if step % 20 == 0:
                write_frame(path, x, box, step * dt)
    return summary(rows, v, n)


def verlet(x, v, f, dt, box, cutoff):
    """Make one velocity Verlet step in place; return the new energy and forces."""
    half = 0.5 * dt
    for p, w, g in zip(x, v, f):
        for k in range(3):
            w[k] += half * g[k]
            p[k] += dt * w[k]
    energy, new = forces(x, box, cutoff)
    for w, g in zip(v, new):
        for k in range(3):
            w[k] += half * g[k]
    return energy, new


def relax(x, box, cutoff, tolerance=1e-2, most=2000):
    """Minimise the energy with FIRE (Bitzek et al., Phys. Rev. Lett. 97, 170201).

    The atoms roll downhill; a step that leads uphill stops them. Ends when no
    component of a force exceeds tolerance, or after most steps.
    """
    x = [list(p) for p in x]
    v = [[0.0] * 3 for _ in x]
    dt, mix, downhill = 0.002, 0.1, 0
    energy, f = forces(x, box, cutoff)
    for _ in range(most):
        largest = max(abs(c) for g in f for c in g)
        if largest < tolerance:
            break
        power = sum(a * b for w, g in zip(v, f) for a, b in zip(w, g))
        if power > 0.0:
            speed = math.sqrt(sum(c * c for w in v for c in w) / sum(c * c for g in f for c in g))
            v = [[(1.0 - mix) * a + mix * speed * b for a, b in zip(w, g)] for w, g in zip(v, f)]
            downhill += 1
            if downhill > 5:
                dt, mix = min(1.1 * dt, 0.02), 0.99 * mix
        else:
            v = [[0.0] * 3 for _ in x]
            dt, mix, downhill = 0.5 * dt, 0.1, 0
        for p, w, g in zip(x, v, f):
            for k in range(3):
                w[k] += dt * g[k]
                p[k] += max(-0.1, min(0.1, dt * w[k]))  # two atoms may start very close
        energy, f = forces(x, box, cutoff)
    return x, energy, max(abs(c) for g in f for c in g)


def grid(n, box, rng):
    """Return n sites of a cubic grid, each moved a little."""
    side = math.ceil(round(n ** (1.0 / 3.0), 9))
    a = box / side
    sites = [(i, j, k) for i in range(side) for j in range(side) for k in range(side)]
    return [[a * (c + 0.5 + rng.uniform(-0.1, 0.1)) for c in s] for s in rng.sample(sites, n)]


def thermal(n, temperature, rng):
    """Return Maxwell-Boltzmann velocities with no total momentum."""
    v = [[rng.gauss(0.0, 1.0) for _ in range(3)] for _ in range(n)]
    for k in range(3):
        mean = sum(w[k] for w in v) / n
        for w in v:
            w[k] -= mean
    rescale(v, temperature)
    return v


def rescale(v, temperature):
    """Scale velocities so that their temperature is exact."""
    factor = math.sqrt(temperature / temperature_of(kinetic(v), len(v)))
    for w in v:
        for k in range(3):
            w[k] *= factor


def kinetic(v):
    """Return the kinetic energy."""
    return 0.5 * sum(c * c for w in v for c in w)


def temperature_of(energy, n):
    """Turn a kinetic energy into a temperature; the centre of mass is at rest."""
    return 2.0 * energy / (3.0 * (n - 1))


def summary(rows, v, n):
    """Say how the run went: averages, and how well the energy was conserved."""
    first = rows[0][3]
    count = len(rows)
    t_mean = sum(r[0] for r in rows) / count
    e_mean = sum(r[3] for r in rows) / count
    spread = sum((r[0] - t_mean) ** 2 for r in rows)
    slope = sum((r[0] - t_mean) * (r[3] - e_mean) for r in rows) / spread
    return {
        "atoms": n,
        "temperature": temperature_of(n * sum(r[1] for r in rows) / count, n),
        "energy_per_atom": e_mean,
        # The largest distance of the total energy from where it started, and the
        # end-to-end change of a straight line through it. Both per atom.
        "energy_error": max(abs(r[3] - first) for r in rows),
        "energy_drift": slope * (rows[-1][0] - rows[0][0]),
        "momentum": math.sqrt(sum(sum(w[k] for w in v) ** 2 for k in range(3))),
    }


def read_state(path):
    """Read density and temperature; the message of a bad file names what is wrong."""
    with open(path) as f:
        state = json.load(f)
    for key in ("density", "temperature"):
        if not isinstance(state.get(key), (int, float)) or not state[key] > 0:
            raise ValueError(f"{path}: {key} must be a number above 0, not {state.get(key)!r}")
    return state["density"], state["temperature"]


def write_frame(out, x, box, time):
    """Append one frame in the XYZ format."""
    out.write(f'{len(x)}\nLattice="{box} 0 0 0 {box} 0 0 0 {box}" Time={time:g}\n')
    for p in x:
        out.write("Ar {:.6f} {:.6f} {:.6f}\n".format(*(c % box for c in p)))
