"""The Lennard-Jones potential in reduced units (epsilon = sigma = mass = 1).

    u(r) = 4 (r^-12 - r^-6)

Between 0.8 of the cutoff and the cutoff u is multiplied by a polynomial in r^2
that falls smoothly from 1 to 0. Energy and force are therefore both continuous
and exact at short range: cutting u off sharply would kick an atom each time a
neighbour crosses the cutoff, and the total energy would wander.
"""

SWITCH = 0.8  # where the smoothing starts, as a fraction of the cutoff


def pair(r2, cutoff):
    """Return u(r) and -u'(r)/r of two atoms, given the square of their distance."""
    rc2 = cutoff * cutoff
    if r2 >= rc2:
        return 0.0, 0.0
    inv2 = 1.0 / r2
    inv6 = inv2 * inv2 * inv2
    u = 4.0 * inv6 * (inv6 - 1.0)
    f = 24.0 * inv6 * (2.0 * inv6 - 1.0) * inv2
    on2 = rc2 * SWITCH * SWITCH
    if r2 > on2:
        width = (rc2 - on2) ** 3
        s = (rc2 - r2) ** 2 * (rc2 + 2.0 * r2 - 3.0 * on2) / width
        ds = 12.0 * (rc2 - r2) * (on2 - r2) / width  # s'(r)/r
        f = s * f - u * ds
        u *= s
    return u, f


def forces(positions, box, cutoff):
    """Return the potential energy and the force on each atom.

    The box is a periodic cube: of all images of a neighbour the nearest one
    counts, which is right as long as the cutoff is at most half the box.
    """
    if cutoff > 0.5 * box:
        raise ValueError(f"a cutoff of {cutoff:g} needs a box of at least {2 * cutoff:g}, not {box:g}")
    n = len(positions)
    half, rc2 = 0.5 * box, cutoff * cutoff
    xs, ys, zs = ([p[k] % box for p in positions] for k in range(3))
    fx, fy, fz = [0.0] * n, [0.0] * n, [0.0] * n
    energy = 0.0
    for i in range(n - 1):
        xi, yi, zi = xs[i], ys[i], zs[i]
        sx = sy = sz = 0.0
        for j in range(i + 1, n):
            dx = xi - xs[j]
            if dx > half:
                dx -= box
            elif dx < -half:
                dx += box
            dy = yi - ys[j]
            if dy > half:
                dy -= box
            elif dy < -half:
                dy += box
            dz = zi - zs[j]
            if dz > half:
                dz -= box
            elif dz < -half:
                dz += box
            r2 = dx * dx + dy * dy + dz * dz
            if r2 < rc2:
                u, f = pair(r2, cutoff)
                energy += u
                dx *= f
                dy *= f
                dz *= f
                sx += dx
                sy += dy
                sz += dz
                fx[j] -= dx
                fy[j] -= dy
                fz[j] -= dz
        fx[i] += sx
        fy[i] += sy
        fz[i] += sz
    return energy, list(zip(fx, fy, fz))
