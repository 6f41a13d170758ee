"""Read two columns of numbers from a CSV file."""

import csv
import math


def read(path, x="", y=""):
    """Return the columns x and y of a CSV file; unnamed, the first two.

    The delimiter may be a comma, a semicolon or a tab. Lines that begin with # are
    comments. A first line that is not numbers names the columns.
    """
    with open(path, newline="", encoding="utf-8-sig") as f:
        lines = [(n, s) for n, s in enumerate(f, 1) if s.strip() and not s.lstrip().startswith("#")]
    if not lines:
        raise ValueError(f"{path}: there is no data in it")
    delimiter = max(",;\t", key=lines[0][1].count)
    rows = [(n, [c.strip() for c in next(csv.reader([s], delimiter=delimiter))]) for n, s in lines]

    names = ["x", "y"]
    if any(not is_number(c) for c in rows[0][1][:2]):
        names = rows.pop(0)[1]
    columns = [column(path, names, wanted, default) for wanted, default in ((x, 0), (y, 1))]
    points = []
    for n, cells in rows:
        try:
            point = [float(cells[c]) for c in columns]
        except (IndexError, ValueError):
            raise ValueError(f"{path}, line {n}: {cells} has no number in one of the columns") from None
        if not all(map(math.isfinite, point)):
            raise ValueError(f"{path}, line {n}: {cells} is not finite")
        points.append(point)
    return {
        "x": [p[0] for p in points],
        "y": [p[1] for p in points],
        "x_name": names[columns[0]],
        "y_name": names[columns[1]],
    }


def column(path, names, wanted, default):
    """Return the position of a column."""
    if not wanted and default < len(names):
        return default
    if wanted in names:
        return names.index(wanted)
    raise ValueError(f"{path}: no column {wanted!r}; there are {', '.join(names)}")


def is_number(cell):
    """Tell whether a cell holds a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True
