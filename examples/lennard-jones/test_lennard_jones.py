"""True values for the potential and the dynamics. Run with: python3 -m unittest"""

import json
import math
import os
import random
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

import dynamics
import plot
from potential import SWITCH, forces, pair

HERE = os.path.dirname(os.path.abspath(__file__))


def liquid(n, seed):
    """Return atoms of a dense liquid that do not overlap, and their box."""
    box = (n / 0.8) ** (1.0 / 3.0)
    return dynamics.grid(n, box, random.Random(seed)), box


class Potential(unittest.TestCase):
    def test_two_atoms_are_bound_by_1_at_the_sixth_root_of_2(self):
        r = 2.0 ** (1.0 / 6.0)
        u, f = pair(r * r, 2.5)
        self.assertAlmostEqual(u, -1.0, places=14)
        self.assertAlmostEqual(f, 0.0, places=13)
        self.assertAlmostEqual(pair(1.0, 2.5)[0], 0.0, places=14)
        self.assertAlmostEqual(pair(1.0, 2.5)[1], 24.0, places=12)

    def test_energy_and_force_go_to_zero_smoothly_at_the_cutoff(self):
        for r in (SWITCH * 2.5, 2.5):
            inside, outside = pair((r - 1e-9) ** 2, 2.5), pair((r + 1e-9) ** 2, 2.5)
            self.assertAlmostEqual(inside[0], outside[0], places=9)
            self.assertAlmostEqual(inside[1], outside[1], places=8)
        self.assertEqual(pair(2.5 * 2.5, 2.5), (0.0, 0.0))

    def test_force_is_the_slope_of_the_energy(self):
        for r in (0.9, 1.0, 1.3, 1.9, 2.05, 2.2, 2.4, 2.49):
            slope = (pair((r + 1e-6) ** 2, 2.5)[0] - pair((r - 1e-6) ** 2, 2.5)[0]) / 2e-6
            self.assertTrue(math.isclose(-slope, r * pair(r * r, 2.5)[1], rel_tol=1e-6, abs_tol=1e-8), r)

    def test_force_on_every_atom_is_the_gradient(self):
        x, box = liquid(27, 3)
        cutoff = 0.5 * box
        _, f = forces(x, box, cutoff)
        h = 1e-5
        for i in (0, 13, 26):
            for k in range(3):
                x[i][k] += h
                up, _ = forces(x, box, cutoff)
                x[i][k] -= 2 * h
                down, _ = forces(x, box, cutoff)
                x[i][k] += h
                self.assertTrue(math.isclose(f[i][k], (down - up) / (2 * h), rel_tol=1e-4, abs_tol=1e-4))

    def test_forces_sum_to_zero_and_do_not_see_the_choice_of_cell(self):
        x, box = liquid(64, 5)
        energy, f = forces(x, box, 2.0)
        for k in range(3):
            self.assertAlmostEqual(math.fsum(g[k] for g in f), 0.0, places=9)
        moved = [[c + 0.37 * box + box * (i % 3 - 1) for c in p] for i, p in enumerate(x)]
        again, g = forces(moved, box, 2.0)
        self.assertAlmostEqual(energy, again, places=8)
        self.assertAlmostEqual(f[7][1], g[7][1], places=6)

    def test_neighbours_across_the_border_count(self):
        energy, _ = forces([[0.1, 0.0, 0.0], [9.9776, 0.0, 0.0]], 11.0, 2.5)  # 1.1224 apart
        self.assertAlmostEqual(energy, -1.0, places=5)

    def test_small_boxes_are_refused(self):
        with self.assertRaisesRegex(ValueError, "needs a box of at least 5, not 4"):
            forces([[0, 0, 0], [1, 0, 0]], 4.0, 2.5)


class Minimum(unittest.TestCase):
    """The global minima of small clusters, from the Cambridge Cluster Database."""

    def relaxed(self, x):
        x = [[c + 50.0 for c in p] for p in x]
        _, energy, largest = dynamics.relax(x, 100.0, 25.0, tolerance=1e-7, most=5000)
        self.assertLess(largest, 1e-7)
        return energy

    def test_tetrahedron(self):
        self.assertAlmostEqual(self.relaxed([[0, 0, 0], [1.2, 0, 0.1], [0.5, 1.1, 0], [0.5, 0.4, 1.0]]), -6.0, places=9)

    def test_icosahedron_of_13(self):
        g = 0.5 * (1.0 + math.sqrt(5.0))
        shell = [p for a in (-1, 1) for b in (-g, g) for p in ([0, a, b], [a, b, 0], [b, 0, a])]
        rng = random.Random(4)
        x = [[0.6 * c + rng.uniform(-0.05, 0.05) for c in p] for p in [[0, 0, 0]] + shell]
        self.assertAlmostEqual(self.relaxed(x), -44.326801, places=6)


class Dynamics(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.here = os.getcwd()
        cls.scratch = tempfile.TemporaryDirectory()
        os.chdir(cls.scratch.name)
        with open("state.json", "w") as f:
            json.dump({"density": 0.8442, "temperature": 0.728}, f)
        cls.start = dynamics.minimise("state.json", 64, 1)

    @classmethod
    def tearDownClass(cls):
        os.chdir(cls.here)
        cls.scratch.cleanup()

    def test_energy_is_conserved_within_the_stated_bound(self):
        for seed in (1, 2, 3):
            run = dynamics.integrate(self.start, 0.004, 150, 300, seed)
            self.assertLess(run["energy_error"], 1e-3)
            self.assertLess(abs(run["energy_drift"]), 2e-4)
            self.assertLess(run["momentum"], 1e-10)
            self.assertAlmostEqual(run["temperature"], 0.728, delta=0.1)

    def test_error_falls_with_the_square_of_the_time_step(self):
        errors = [self.run_from_rest(dt) for dt in (0.004, 0.002)]
        self.assertAlmostEqual(errors[0] / errors[1], 4.0, delta=0.6)

    def run_from_rest(self, dt):
        """Return the energy error of the same stretch of time."""
        x = [list(p) for p in self.start["positions"]]
        box, cutoff = self.start["box"], self.start["cutoff"]
        v = dynamics.thermal(len(x), 1.4, random.Random(9))
        energy, f = forces(x, box, cutoff)
        first, worst = energy + dynamics.kinetic(v), 0.0
        for _ in range(round(0.4 / dt)):
            energy, f = dynamics.verlet(x, v, f, dt, box, cutoff)
            worst = max(worst, abs(energy + dynamics.kinetic(v) - first))
        return worst

    def test_time_can_be_reversed(self):
        x = [list(p) for p in self.start["positions"]]
        box, cutoff = self.start["box"], self.start["cutoff"]
        v = dynamics.thermal(len(x), 0.7, random.Random(2))
        begin = [list(p) for p in x]
        _, f = forces(x, box, cutoff)
        for _ in range(2):
            for _ in range(50):
                _, f = dynamics.verlet(x, v, f, 0.004, box, cutoff)
            v = [[-c for c in w] for w in v]
        for p, q in zip(x, begin):
            for a, b in zip(p, q):
                self.assertAlmostEqual(a, b, places=8)

    def test_velocities_have_the_temperature_and_no_momentum(self):
        v = dynamics.thermal(100, 1.7, random.Random(1))
        self.assertAlmostEqual(dynamics.temperature_of(dynamics.kinetic(v), 100), 1.7, places=12)
        for k in range(3):
            self.assertAlmostEqual(math.fsum(w[k] for w in v), 0.0, places=10)

    def test_files_and_plot(self):
        dynamics.integrate(self.start, 0.004, 0, 40, 1)
        with open("energies.csv") as f:
            self.assertEqual(len(f.readlines()), 1 + 41)
        with open("trajectory.xyz") as f:
            self.assertEqual(len(f.readlines()), 3 * (64 + 2))
        plot.plot("energies.csv", 64)
        root = ElementTree.parse("energies.svg").getroot()
        lines = list(root.iter("{http://www.w3.org/2000/svg}polyline"))
        self.assertEqual([len(p.get("points").split()) for p in lines], [41] * 4)

    def test_bad_states_are_refused(self):
        with open("bad.json", "w") as f:
            json.dump({"density": -1, "temperature": 1}, f)
        with self.assertRaisesRegex(ValueError, "bad.json: density must be a number above 0, not -1"):
            dynamics.minimise("bad.json", 8, 1)

    def test_check_refuses_a_long_time_step(self):
        def check(*args):
            command = [sys.executable, os.path.join(HERE, "check.py"), *args]
            return subprocess.run(command, capture_output=True, text=True)

        self.assertEqual(check("0.0004", "0.001").returncode, 0)
        for error in ("0.02", "nan"):
            refused = check(error, "0.001")
            self.assertEqual(refused.returncode, 1)
            self.assertIn("take a smaller dt", refused.stderr)


if __name__ == "__main__":
    unittest.main()
