"""Line charts as SVG, with nothing but the standard library.

    p = Panel("Energies", "time", "energy")
    p.line(xs, ys, "total")
    save("out.svg", [p])

(The examples that draw carry the same copy of this file.)
"""

import math
from xml.sax.saxutils import escape

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9")  # told apart by colour-blind eyes
INK, PALE = "#222", "#ddd"
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
WIDTH, LEFT, RIGHT, TOP, BOTTOM = 720, 80, 24, 40, 52
LEGEND = 20  # more room above the axes of a panel whose series have names


class Panel:
    """One pair of axes."""

    def __init__(self, title, x_label, y_label, height=300, x_range=None):
        self.title, self.x_label, self.y_label = title, x_label, y_label
        self.height, self.x_range = height, x_range
        self.series = []  # (kind, xs, ys, label, colour)

    def line(self, xs, ys, label="", colour=None):
        """Add a curve."""
        self.add("line", xs, ys, label, colour)

    def points(self, xs, ys, label="", colour=None):
        """Add dots."""
        self.add("points", xs, ys, label, colour)

    def add(self, kind, xs, ys, label, colour):
        """Add a series; without a colour it gets the next one."""
        colour = colour or COLOURS[len(self.series) % len(COLOURS)]
        self.series.append((kind, list(xs), list(ys), label, colour))

    def svg(self, top):
        """Draw the panel into the rows of the figure that begin at top."""
        x0, x1 = LEFT, WIDTH - RIGHT
        y0, y1 = top + self.height - BOTTOM, top + TOP + (LEGEND if any(s[3] for s in self.series) else 0)
        lo, hi = self.x_range or span([x for s in self.series for x in s[1]], 0.0)
        bottom, high = span([y for s in self.series for y in s[2]], 0.06)

        def px(x):
            return x0 + (x - lo) / (hi - lo) * (x1 - x0)

        def py(y):
            return y0 - (y - bottom) / (high - bottom) * (y0 - y1)

        out = [text(x0, top + 26, self.title, size=16, weight="bold")]
        step, xpower = spacing(hi - lo), power_of_ten(lo, hi)
        for t in ticks(lo, hi, step):
            out.append(stroke(px(t), y0, px(t), y1, PALE))
            out.append(text(px(t), y0 + 18, number(t, step, xpower), anchor="middle"))
        step, ypower = spacing(high - bottom), power_of_ten(bottom, high)
        for t in ticks(bottom, high, step):
            out.append(stroke(x0, py(t), x1, py(t), PALE))
            out.append(text(x0 - 8, py(t) + 4, number(t, step, ypower), anchor="end"))
        for kind, xs, ys, _, colour in self.series:
            at = [(px(x), py(y)) for x, y in zip(xs, ys)]
            if kind == "line":
                path = " ".join(f"{x:.2f},{y:.2f}" for x, y in at)
                out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"'
                           ' stroke-linejoin="round"/>')
            else:
                out += [f'<circle cx="{x:.2f}" cy="{y:.2f}" r="3" fill="{colour}" fill-opacity="0.75"/>'
                        for x, y in at]
        out.append(stroke(x0, y0, x1, y0, INK))
        out.append(stroke(x0, y0, x0, y1, INK))
        out += self.legend(x1, top + 46)
        out.append(text((x0 + x1) / 2, y0 + 40, times(self.x_label, xpower), anchor="middle"))
        middle = (y0 + y1) / 2
        out.append(text(26, middle, times(self.y_label, ypower), anchor="middle",
                        more=f' transform="rotate(-90 26 {middle:.1f})"'))
        return out

    def legend(self, right, y):
        """Name the series in a row above the axes, where it hides no data."""
        out = []
        for kind, _, _, label, colour in reversed(self.series):
            if not label:
                continue
            out.append(text(right, y, label, anchor="end"))
            right -= 7.0 * len(label) + 8
            if kind == "line":
                out.append(f'<line x1="{right - 20:.1f}" y1="{y - 4}" x2="{right:.1f}" y2="{y - 4}"'
                           f' stroke="{colour}" stroke-width="3"/>')
            else:
                out.append(f'<circle cx="{right - 6:.1f}" cy="{y - 4}" r="4" fill="{colour}"/>')
            right -= 36
        return out


def save(path, panels):
    """Write panels, one above the other, as an SVG file."""
    height = sum(p.height for p in panels)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
           f' width="{WIDTH}" height="{height}" font-family="Helvetica, Arial, \'DejaVu Sans\', sans-serif">',
           f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>']
    top = 0
    for p in panels:
        out += p.svg(top)
        top += p.height
    out.append("</svg>")
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(out) + "\n")


def span(values, margin):
    """Return the range of values, a little wider, and never empty."""
    lo, hi = min(values), max(values)
    if hi - lo <= 1e-12 * max(abs(lo), abs(hi)):
        pad = 0.5 * abs(lo) or 0.5
        return lo - pad, hi + pad
    pad = margin * (hi - lo)
    return lo - pad, hi + pad


def ticks(lo, hi, step):
    """Return the multiples of step between lo and hi."""
    first, last = math.ceil(lo / step - 1e-9), math.floor(hi / step + 1e-9)
    return [i * step for i in range(first, last + 1)]


def spacing(width, about=6):
    """Return the step of about so many ticks: 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(width / about))
    return min((m * power for m in (1, 2, 5, 10)), key=lambda s: abs(width / s - about))


def power_of_ten(lo, hi):
    """Return the power of ten, a multiple of 3, to take out of the numbers of an axis."""
    largest = max(abs(lo), abs(hi))
    if 0.01 <= largest < 1e5:
        return 0
    return 3 * math.floor(math.log10(largest) / 3)


def number(value, step, power):
    """Format a tick in units of the power of ten, with the digits that its neighbours need."""
    value, step = value / 10.0**power, step / 10.0**power
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def times(label, power):
    """Add the power of ten to the label of an axis."""
    return f"{label} (×10{str(power).translate(SUPERSCRIPT)})" if power else label


def text(x, y, content, anchor="start", size=13, weight="normal", more=""):
    """Return a text element."""
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" fill="{INK}"'
            f' text-anchor="{anchor}"{more}>{escape(content)}</text>')


def stroke(xa, ya, xb, yb, colour):
    """Return a thin straight line."""
    return (f'<line x1="{xa:.1f}" y1="{ya:.1f}" x2="{xb:.1f}" y2="{yb:.1f}" stroke="{colour}"'
            ' stroke-width="1"/>')
