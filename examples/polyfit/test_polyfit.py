"""True values for the fit. Run with: python3 -m unittest"""

import math
import os
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

import plot
import polyfit
import table

HERE = os.path.dirname(os.path.abspath(__file__))


class Fit(unittest.TestCase):
    def assertClose(self, got, want, relative):
        self.assertEqual(len(got), len(want))
        for g, w in zip(got, want):
            self.assertTrue(math.isclose(g, w, rel_tol=relative), f"{g} is not {w}")

    def test_certified_values_of_a_load_cell(self):
        fit = polyfit.fit(table.read(os.path.join(HERE, "loadcell.csv")), 2)
        self.assertClose(
            fit["coefficients"], [0.673565789473684e-03, 0.732059160401003e-06, -0.316081871345029e-14], 1e-11)
        self.assertClose(fit["errors"], [0.107938612033077e-03, 0.157817399981659e-09, 0.486652849992036e-16], 1e-11)
        self.assertAlmostEqual(fit["r_squared"], 0.999999900178537, places=14)
        self.assertClose([fit["residual_sd"]], [0.205177424076185e-03], 1e-11)

    def test_exact_polynomials_of_degree_5_are_recovered(self):
        x = list(range(21))
        for want in ([1.0] * 6, [10.0**-k for k in range(6)]):  # Wampler1 and Wampler2 of NIST
            y = [sum(c * v**k for k, c in enumerate(want)) for v in x]
            fit = polyfit.fit({"x": x, "y": y}, 5)
            self.assertClose(fit["coefficients"], want, 1e-8)
            self.assertEqual(fit["r_squared"], 1.0)

    def test_points_far_from_zero_lose_little(self):
        x = [1000.0 + 0.1 * i for i in range(50)]
        want = [3.0, -2.0, 0.5]
        fit = polyfit.fit({"x": x, "y": [polyfit.value(want, v) for v in x]}, 2)
        self.assertClose(fit["coefficients"], want, 1e-4)
        for v in x:
            self.assertTrue(math.isclose(polyfit.value(fit["coefficients"], v), polyfit.value(want, v), rel_tol=1e-9))

    def test_residuals_are_orthogonal_to_the_powers(self):
        points = {"x": [0.0, 1.0, 2.0, 3.0, 4.0], "y": [1.0, 3.0, 2.0, 5.0, 4.0]}
        c = polyfit.fit(points, 2)["coefficients"]
        for k in range(3):
            dot = sum((b - polyfit.value(c, a)) * a**k for a, b in zip(points["x"], points["y"]))
            self.assertAlmostEqual(dot, 0.0, places=11)

    def test_constant_and_interpolation(self):
        fit = polyfit.fit({"x": [1, 2, 3], "y": [4, 5, 9]}, 0)
        self.assertClose(fit["coefficients"], [6.0], 1e-15)
        self.assertClose(fit["errors"], [math.sqrt(7.0 / 3.0)], 1e-12)
        through = polyfit.fit({"x": [0, 1, 2], "y": [1, 2, 5]}, 2)
        for got, want in zip(through["coefficients"], [1.0, 0.0, 1.0]):
            self.assertAlmostEqual(got, want, places=12)
        self.assertIsNone(through["errors"])

    def test_too_few_points_are_refused(self):
        with self.assertRaisesRegex(ValueError, "degree 2 needs 3 different x, the data has 2"):
            polyfit.fit({"x": [1, 1, 2], "y": [1, 2, 3]}, 2)


class Table(unittest.TestCase):
    def read(self, content, **columns):
        with tempfile.TemporaryDirectory() as d:
            path = os.path.join(d, "t.csv")
            with open(path, "w", encoding="utf-8") as f:
                f.write(content)
            return table.read(path, **columns)

    def test_dialects(self):
        for content in ("a,b\n1,2\n3,4\n", "# note\n\na;b\n1;2\n3;4\n", "\ufeffa\tb\n1\t2\n3\t4", "a, b\r\n1, 2\r\n3, 4\r\n"):
            got = self.read(content)
            self.assertEqual(got, {"x": [1.0, 3.0], "y": [2.0, 4.0], "x_name": "a", "y_name": "b"})
        self.assertEqual(self.read("1,2\n3,4\n")["x_name"], "x")

    def test_columns_by_name(self):
        got = self.read("time,volt,amp\n0,5,1\n1,6,2\n", x="amp", y="volt")
        self.assertEqual((got["x"], got["y"]), ([1.0, 2.0], [5.0, 6.0]))

    def test_bad_tables_say_where(self):
        for content, columns, message in (
            ("# nothing\n", {}, "there is no data"),
            ("a,b\n1,2\n3,\n", {}, r"line 3: \['3', ''\] has no number"),
            ("a,b\n1,nan\n", {}, "line 2: .* is not finite"),
            ("a,b\n1,2\n", {"y": "c"}, "no column 'c'; there are a, b"),
        ):
            with self.assertRaisesRegex(ValueError, message):
                self.read(content, **columns)


class Plot(unittest.TestCase):
    def test_svg_holds_every_point(self):
        points = table.read(os.path.join(HERE, "loadcell.csv"))
        before = os.getcwd()
        with tempfile.TemporaryDirectory() as d:
            os.chdir(d)
            try:
                plot.plot(points, polyfit.fit(points, 2), "/data/a & b <c>.csv")
                root = ElementTree.parse("fit.svg").getroot()
            finally:
                os.chdir(before)
        ns = "{http://www.w3.org/2000/svg}"
        dots = [c for c in root.iter(ns + "circle") if c.get("r") == "3"]
        self.assertEqual(len(dots), 2 * 40)
        self.assertIn("a & b <c>.csv", [t.text for t in root.iter(ns + "text")])
        for c in dots:
            self.assertTrue(0 < float(c.get("cx")) < 720 and 0 < float(c.get("cy")) < 560)


if __name__ == "__main__":
    unittest.main()
