"""Fit a polynomial to points by least squares.

The powers of x are nearly dependent columns, and the normal equations square that
trouble. So x is first mapped to t in [-1, 1], the matrix of powers of t is taken
apart by Householder reflections (QR), and the coefficients are carried back to x.
"""

import math


def fit(points, degree):
    """Return the coefficients, constant first, and how good they are."""
    x, y = points["x"], points["y"]
    n, m = len(x), degree + 1
    if len(set(x)) < m:
        raise ValueError(f"a polynomial of degree {degree} needs {m} different x, the data has {len(set(x))}")
    centre = 0.5 * (min(x) + max(x))
    half = 0.5 * (max(x) - min(x)) or 1.0
    rows = [[((v - centre) / half) ** k for k in range(m)] for v in x]
    r, rhs = householder(rows, y)
    back = shift(degree, centre, half)
    scaled = solve(r, rhs)

    mean = math.fsum(y) / n
    total = math.fsum((v - mean) ** 2 for v in y)
    left = math.fsum((v - math.fsum(c * p for c, p in zip(scaled, row))) ** 2 for v, row in zip(y, rows))
    sd = math.sqrt(left / (n - m)) if n > m else None
    return {
        "degree": degree,
        "points": n,
        "coefficients": [math.fsum(b * c for b, c in zip(row, scaled)) for row in back],
        "errors": standard_errors(r, back, sd),
        "r_squared": 1.0 - left / total if total > 0.0 else None,
        "residual_sd": sd,
    }


def householder(rows, y):
    """Reduce the least-squares problem rows · c = y to a triangular one."""
    a, b = [list(row) for row in rows], list(y)
    n, m = len(a), len(a[0])
    for k in range(m):
        norm = math.sqrt(math.fsum(a[i][k] ** 2 for i in range(k, n)))
        norm = -math.copysign(norm, a[k][k])
        v = [a[i][k] for i in range(k, n)]
        v[0] -= norm
        size = math.fsum(c * c for c in v)
        if size == 0.0:
            continue
        for j in range(k, m):
            s = 2.0 * math.fsum(v[i - k] * a[i][j] for i in range(k, n)) / size
            for i in range(k, n):
                a[i][j] -= s * v[i - k]
        s = 2.0 * math.fsum(v[i - k] * b[i] for i in range(k, n)) / size
        for i in range(k, n):
            b[i] -= s * v[i - k]
    return [row[:] for row in a[:m]], b[:m]


def solve(r, b):
    """Solve r · c = b for an upper triangular r."""
    m = len(b)
    c = [0.0] * m
    for k in range(m - 1, -1, -1):
        c[k] = (b[k] - math.fsum(r[k][j] * c[j] for j in range(k + 1, m))) / r[k][k]
    return c


def shift(degree, centre, half):
    """Return the matrix that turns coefficients of t into coefficients of x = centre + half·t."""
    back = [[0.0] * (degree + 1) for _ in range(degree + 1)]
    for k in range(degree + 1):  # ((x - centre) / half)^k, term by term
        for j in range(k + 1):
            back[j][k] = math.comb(k, j) * (-centre) ** (k - j) / half**k
    return back


def standard_errors(r, back, sd):
    """Return one standard deviation of each coefficient; None when no point is to spare."""
    if sd is None:
        return None
    m = len(r)
    inverse = [solve(r, [1.0 if i == k else 0.0 for i in range(m)]) for k in range(m)]  # by column
    return [sd * math.sqrt(math.fsum(math.fsum(row[i] * inverse[k][i] for i in range(m)) ** 2 for k in range(m)))
            for row in back]


def value(coefficients, x):
    """Evaluate a polynomial, constant term first."""
    v = 0.0
    for c in reversed(coefficients):
        v = v * x + c
    return v
