"""Write three CSV files at once, a chunk at a time: demo_instruments.py FOLDER"""

import random
import sys
import time

CURVES = {"parabola.csv": (2.0, 3.0, -0.5), "line.csv": (-1.0, 0.25, 0.0), "dip.csv": (10.0, -4.0, 1.0)}
POINTS, CHUNKS, SECONDS = 60, 10, 5.0

rng = random.Random(1)
for name, (a, b, c) in CURVES.items():
    print(f"  {name:<13} signal = {a:g} {b:+g} time {c:+g} time²", flush=True)
files = {name: open(f"{sys.argv[1]}/{name}", "w") for name in CURVES}
for f in files.values():
    f.write("time,signal\n")
for chunk in range(CHUNKS):
    for name, (a, b, c) in CURVES.items():
        for i in range(chunk * POINTS // CHUNKS, (chunk + 1) * POINTS // CHUNKS):
            x = 0.1 * i
            files[name].write(f"{x:.1f},{a + b * x + c * x * x + rng.gauss(0.0, 0.02):.4f}\n")
        files[name].flush()
    time.sleep(SECONDS / CHUNKS)
for f in files.values():
    f.close()
