"""Learning curves up to a million points: regression with landmarks beside its theory.

Settings, fixed on 2026-11-30 before the first run: points uniform on the sphere of radius sqrt(10)
in R^10; NTK of a ReLU network with L = 3 and beta = 0.1, in float64; the teacher is a ReLU network
of the same kind with L = 2 and 4096 hidden units; noise of variance 0.01 on the targets; ridge
1e-6; N from 10^3 to 10^6 in half decades; 300, 1000 and 3000 random landmarks and, for N <= 10^4,
all points; 10,000 test points without noise. Seed 0.

Theory, with eigenvalues lambda_i of the kernel over the sphere and coefficients v_i of the teacher:

- All points (Simon, Dickens, Karkada & DeWeese 2023, "The Eigenlearning Framework", Section 4, with
  ridge and noise): kappa solves sum_i L_i + N ridge / kappa = N with L_i = lambda_i / (lambda_i +
  kappa), and E ||f - f*||^2 = N / (N - sum_i L_i^2) (sum_i (1 - L_i)^2 v_i^2 + noise) - noise.
- Infinitely many points, m landmarks, no ridge: f is the projection of f* on m random combinations
  of the lambda_i phi_i, so E ||f - f*||^2 = sum_i v_i^2 kappa / (lambda_i^2 + kappa), where kappa
  solves sum_i lambda_i^2 / (lambda_i^2 + kappa) = m (derived here in the same way; the landmarks
  take the place of the points, and lambda_i^2 that of lambda_i).

Eigenfunctions are spherical harmonics. Those of one degree share an eigenvalue, an integral of the
kernel over the angle, and v_i^2 is an eigenvalue of
the teacher's NNGP kernel on average over teachers.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import brentq
from scipy.special import comb, eval_gegenbauer, roots_gegenbauer

from benchmarks.limiting_tables import header, line
from ntkflow import api
from ntkflow.plotting import style

FEATURES, DEPTH, BETA, RIDGE, NOISE = 10, 3, 0.1, 1e-6, 0.01
NETWORK: dict[str, Any] = {"depth": DEPTH, "beta": BETA}
TEACHER_DEPTH, HIDDEN, TEST = 2, 4096, 10_000
SIZES = (1000, 3162, 10_000, 31_623, 100_000, 316_228, 1_000_000)
LANDMARKS = (300, 1000, 3000)
DENSE = 10_000
DEGREES, NODES = 60, 2000
COLUMNS = ("landmarks", "N", "s", "test error", "theory, all points", "theory, N infinite")


class Spectrum(NamedTuple):
    """Eigenvalues of a kernel on the sphere by degree of the harmonics, and their multiplicities.

    The last entry stands for all higher degrees together: they are not resolved by any N here.
    """

    values: np.ndarray
    counts: np.ndarray


def spectrum(kernel: str, depth: int) -> Spectrum:
    """Spectrum of the `kernel` nngp or ntk of a ReLU network."""
    order = FEATURES / 2 - 1
    cosines, weights = roots_gegenbauer(NODES, order)
    points = FEATURES**0.5 * np.stack([cosines, np.sqrt(1 - cosines**2)], axis=1)
    inputs = np.pad(np.vstack([[[FEATURES**0.5, 0.0]], points]), ((0, 0), (0, FEATURES - 2)))
    kernels = api.limiting_kernels(inputs[:1], inputs, depth=depth, beta=BETA)
    row = getattr(kernels, kernel)[0]
    degrees = np.arange(DEGREES)
    harmonics = [eval_gegenbauer(k, order, cosines) / eval_gegenbauer(k, order, 1) for k in degrees]
    values = np.maximum(np.array(harmonics) @ (weights * row[1:]) / weights.sum(), 0)
    counts = comb(FEATURES + degrees - 1, degrees)
    counts[2:] -= comb(FEATURES + degrees[2:] - 3, degrees[2:] - 2)
    rest = max(float(row[0] - values @ counts), 0.0)
    many = 1e12
    return Spectrum(np.append(values, rest / many), np.append(counts, many))


def root(excess: Callable[[float], float]) -> float:
    """The kappa > 0 at which a decreasing function of it is zero."""
    return float(np.exp(brentq(lambda log: excess(np.exp(log)), -60.0, 20.0, xtol=1e-12)))


def error_of_points(kernel: Spectrum, squares: np.ndarray, points: int) -> float:
    """Mean square of f - f* after regression on all `points`; `squares` are sums by degree."""
    values, counts = kernel

    def excess(kappa: float) -> float:
        return float(counts @ (values / (values + kappa)) + points * RIDGE / kappa - points)

    learnt = values / (values + root(excess))
    factor = points / (points - counts @ learnt**2)
    return float(factor * ((1 - learnt) ** 2 @ squares + NOISE) - NOISE)


def error_of_landmarks(kernel: Spectrum, squares: np.ndarray, landmarks: int) -> float:
    """Mean square of f - f* with infinitely many points and some landmarks."""
    values, counts = kernel.values**2, kernel.counts
    kappa = root(lambda kappa: float(counts @ (values / (values + kappa)) - landmarks))
    return float(squares @ (kappa / (values + kappa)))


def draw_points(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs (count + TEST, d), and the teacher's f* (count + TEST, 1) without and with noise."""
    random = np.random.default_rng(0)
    hidden = random.standard_normal((FEATURES, HIDDEN)) / FEATURES**0.5
    biases = BETA * random.standard_normal(HIDDEN)
    output = random.standard_normal(HIDDEN) / HIDDEN**0.5
    x = random.standard_normal((count + TEST, FEATURES))
    x *= FEATURES**0.5 / np.linalg.norm(x, axis=1, keepdims=True)
    starts = range(0, len(x), TEST)
    parts = [np.maximum(x[i : i + TEST] @ hidden + biases, 0) @ output for i in starts]
    y = np.concatenate(parts)[:, None] + BETA * random.standard_normal()
    return x, y, y + NOISE**0.5 * random.standard_normal(y.shape)


def measured(
    x: np.ndarray, known: np.ndarray, noisy: np.ndarray, points: int, landmarks: int
) -> tuple[float, float]:
    """Seconds of a fit to the first points with its predictions, and its error at test points."""
    start = time.perf_counter()
    inputs, targets, others = x[:points], noisy[:points], x[-TEST:]
    if landmarks:
        fit = api.landmark_regression(
            inputs, targets, landmarks=landmarks, ridge=RIDGE, memory=4.0, **NETWORK
        )
        f = fit.predict(others)
    else:
        kernel = np.asarray(api.limiting_kernels(inputs, **NETWORK).ntk)
        a = api.kernel_regression(kernel, targets, ridge=RIDGE, memory=4.0).coefficients
        parts = np.split(others, 10)
        f = np.concatenate([api.limiting_kernels(p, inputs, **NETWORK).ntk @ a for p in parts])
    return time.perf_counter() - start, float(np.mean((f - known[-TEST:]) ** 2))


class Row(NamedTuple):
    """One fit; 0 landmarks are all points."""

    landmarks: int
    points: int
    seconds: float
    error: float


def draw(rows: list[Row], kernel: Spectrum, squares: np.ndarray) -> Figure:
    """Errors against N, the theory of all points as a line and that of landmarks as levels."""
    with style.paper():
        figure = Figure(figsize=(style.HALF_WIDTH, 2.7))
        axes = figure.subplots()
        sizes = np.geomspace(min(r.points for r in rows), max(r.points for r in rows), 60)
        curve = [error_of_points(kernel, squares, round(size)) for size in sizes]
        axes.plot(sizes, curve, **style.LIMIT, label="theory, all points")
        axes.set(xscale="log", yscale="log", xlabel="training-set size, $N$")
        axes.set_ylabel("mean square of $f - f^*$")
        counts = sorted({row.landmarks for row in rows} - {0})
        ends = {}
        for count, alpha in zip([*counts, 0], np.linspace(0.4, 1, len(counts) + 1), strict=True):
            some = [row for row in rows if row.landmarks == count]
            look = {"color": style.BLUE if count else style.INK, "alpha": alpha}
            x, y = [row.points for row in some], [row.error for row in some]
            axes.plot(x, y, marker="o", markersize=3, linestyle="none", markeredgewidth=0, **look)
            if count:
                level = error_of_landmarks(kernel, squares, count)
                axes.axhline(level, linewidth=1.0, zorder=1, **look)
                ends[f"$m = {count}$"] = level
        style.label_line_ends(axes, ends, dict.fromkeys(ends, style.BLUE))
        axes.legend(loc="lower left")
        return style.fixed_layout(figure)


def main(arguments: list[str] | None = None) -> None:
    """Print a table in Markdown, row by row, and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="N")
    parser.add_argument("--landmarks", type=int, nargs="+", default=LANDMARKS, metavar="M")
    parser.add_argument("--figure", type=Path, help="file for the figure")
    given = parser.parse_args(arguments)
    kernel, teacher = spectrum("ntk", DEPTH), spectrum("nngp", TEACHER_DEPTH)
    squares = teacher.values * teacher.counts
    x, known, noisy = draw_points(max(given.sizes))
    print(header(COLUMNS), flush=True)
    rows = []
    for points in given.sizes:
        counts = [*([0] if points <= DENSE else []), *(m for m in given.landmarks if m <= points)]
        for count in counts:
            row = Row(count, points, *measured(x, known, noisy, points, count))
            level = f"{error_of_landmarks(kernel, squares, count):.4g}" if count else ""
            theory = f"{error_of_points(kernel, squares, points):.4g}"
            shown = f"{count:,}" if count else "all", f"{points:,}", f"{row.seconds:.1f}"
            print(line((*shown, f"{row.error:.4g}", theory, level), COLUMNS), flush=True)
            rows.append(row)
    if given.figure:
        style.save(draw(rows, kernel, squares), [given.figure])


if __name__ == "__main__":
    main()
