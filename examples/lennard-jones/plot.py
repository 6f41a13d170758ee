"""Draw the energies of a run."""

import csv

from chart import COLOURS, Panel, save


def plot(energies, atoms):
    """Turn energies.csv into energies.svg."""
    with open(energies, newline="") as f:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(f)]
    time = [r["time"] for r in rows]

    all_three = Panel(f"{atoms} Lennard-Jones atoms at constant energy", "time / τ", "energy per atom / ε", height=340)
    for name in ("kinetic", "potential", "total"):
        all_three.line(time, [r[name] for r in rows], name)

    start = rows[0]["total"]
    error = Panel("How well the total energy is conserved", "time / τ", "(E − E₀) / N in 10⁻³ ε", height=220)
    error.line(time, [1e3 * (r["total"] - start) for r in rows], colour=COLOURS[2])
    save("energies.svg", [all_three, error])
