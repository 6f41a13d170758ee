"""Draw points, the polynomial fitted to them, and what is left between."""

import os

from chart import COLOURS, Panel, save
from polyfit import value


def plot(points, fit, source):
    """Leave fit.svg in the current directory; its title is the name of the source."""
    x, y, c = points["x"], points["y"], fit["coefficients"]
    lo, hi = min(x), max(x)
    pad = 0.03 * (hi - lo)
    dense = [lo + (hi - lo) * i / 200 for i in range(201)]
    wide = (lo - pad, hi + pad)

    curve = Panel(os.path.basename(source), points["x_name"], points["y_name"], height=340, x_range=wide)
    curve.line(dense, [value(c, v) for v in dense], f"fit of degree {fit['degree']}", colour=COLOURS[1])
    curve.points(x, y, "data", colour=COLOURS[0])

    rest = Panel("Residuals", points["x_name"], "data − fit", height=220, x_range=wide)
    rest.line(wide, [0.0, 0.0], colour=COLOURS[1])
    rest.points(x, [b - value(c, a) for a, b in zip(x, y)], colour=COLOURS[0])
    save("fit.svg", [curve, rest])
