"""Print dispatches of the polyfit lattice as a table; reads the JSON of latticed list."""

import json
import os
import sys

rows = [("DISPATCH", "FROM", "STATUS", "INPUT data", "RESULT constant", "linear", "quadratic", "R²", "TOOK")]
dispatches = sorted(json.load(sys.stdin)["items"], key=lambda d: d["number"])
numbers = {d["id"]: d["number"] for d in dispatches}
for d in dispatches:
    fit = d["result"] or {}
    c = fit.get("coefficients") or [float("nan")] * 3
    seconds = sum(float(p) * s for p, s in zip(d["ended_at"][11:-1].split(":"), (3600, 60, 1))) - sum(
        float(p) * s for p, s in zip(d["created_at"][11:-1].split(":"), (3600, 60, 1)))
    rows.append((str(d["number"]), str(numbers.get(d["parent_id"], 1)), d["status"], os.path.basename(d["inputs"]["data"]),
                 *(f"{v:.3f}" for v in c), f"{fit.get('r_squared', 0):.5f}", f"{seconds % 86400:.2f} s"))
widths = [max(len(r[k]) for r in rows) for k in range(len(rows[0]))]
for r in rows:
    print("  ".join(cell.ljust(w) for cell, w in zip(r, widths)).rstrip())
