"""Cost of kernels and of regression with landmarks against the number of points, as a figure.

NTK and NNGP of a ReLU network, L = 4, in float32, of inputs from N(0, 1) in R^784: in memory, into
a Zarr store, and in a regression with 3000 landmarks. Rows are measured one after the other, each
with its floor beside it; the floors are defined in `limiting_kernels` and `landmarks`.
Prints a table in Markdown and draws it.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure

from benchmarks import landmarks, limiting_kernels, limiting_store
from benchmarks.limiting_tables import Case, header, line
from ntkflow import api
from ntkflow.plotting import style

SIZES = (2000, 4000, 8000)
STORED = (15_000, 30_000, 60_000)
LANDMARK_SIZES = (10_000, 31_623, 100_000, 316_228, 1_000_000)
COLUMNS = ("what", "N", "s", "ns per entry", "floor s", "/ floor")
MEMORY, STORE, LANDMARKS = "in memory", "into a store", f"{landmarks.LANDMARKS} landmarks"
COLOURS = {MEMORY: style.INK, STORE: style.BLUE, LANDMARKS: "#d55e00"}


class Row(NamedTuple):
    """Seconds to compute `entries` kernel values, and their floor."""

    what: str
    points: int
    entries: int
    seconds: float
    floor: float

    def cells(self) -> list[str]:
        """Text of the row, in the order of `COLUMNS`."""
        each = 1e9 * self.seconds / self.entries
        taken = f"{self.seconds:.3g}", f"{each:.1f}", f"{self.floor:.3g}"
        return [self.what, f"{self.points:,}", *taken, f"{self.seconds / self.floor:.2f}"]


def dense_rows(sizes: Sequence[int], stored: Sequence[int], repeats: int) -> Iterator[Row]:
    """Kernels of all pairs: medians in memory, one run into a store."""
    for points in sizes:
        found = limiting_kernels.measure(Case(points), api.limiting_kernels, (), repeats)
        yield Row(MEMORY, points, points**2, found.ours.median, found.floor)
    writer = [sys.executable, limiting_store.__file__]
    for points in stored:
        with tempfile.TemporaryDirectory() as folder:
            kept = limiting_store.measure_store(Case(points), writer, Path(folder), 1)
        yield Row(STORE, points, points**2, kept.synced.median, kept.floor)


def landmark_rows(sizes: Sequence[int]) -> Iterator[Row]:
    """Regressions, each in a separate process; compilation is included."""
    if not sizes:
        return
    m = landmarks.LANDMARKS
    with tempfile.TemporaryDirectory() as folder:
        landmarks.write_points(Path(folder), max(sizes))
        for points in sizes:
            entry, operation = landmarks.floor(m, "float32")
            found = landmarks.run("fit", folder, points, m, "float32", "")
            bound = points * m * (entry + m * operation)
            yield Row(LANDMARKS, points, points * m, found["seconds"], bound)


def draw(rows: Sequence[Row]) -> Figure:
    """Time per kernel entry against the number of points; floors dashed."""
    with style.paper():
        figure = Figure(figsize=(style.HALF_WIDTH, 2.4))
        axes = figure.subplots()
        for what, colour in COLOURS.items():
            found = [row for row in rows if row.what == what]
            points = [row.points for row in found]
            taken, floor = (
                [1e9 * value / row.entries for row, value in zip(found, values, strict=True)]
                for values in ([row.seconds for row in found], [row.floor for row in found])
            )
            axes.plot(points, taken, color=colour, marker="o", markersize=3, label=what)
            axes.plot(points, floor, color=colour, linestyle="dashed", linewidth=0.8)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("number of points, $N$")
        axes.set_ylabel("time per kernel entry (ns)")
        axes.legend(loc="upper right")
        return style.fixed_layout(figure)


def main() -> None:
    """Parse the command line, measure, print and draw."""
    command = argparse.ArgumentParser(description="Cost against the number of points.")
    command.add_argument("--sizes", type=int, nargs="*", default=SIZES, metavar="N")
    command.add_argument("--stored", type=int, nargs="*", default=STORED, metavar="N")
    command.add_argument("--landmarks", type=int, nargs="*", default=LANDMARK_SIZES, metavar="N")
    command.add_argument("--repeats", type=int, default=5, help="of kernels in memory; default: 5")
    command.add_argument("--figure", type=Path, default=Path("growth.png"), metavar="FILE")
    options = command.parse_args()
    print(header(COLUMNS), flush=True)
    rows = []
    for given in (
        dense_rows(options.sizes, options.stored, options.repeats),
        landmark_rows(options.landmarks),
    ):
        for row in given:
            rows.append(row)
            print(line(row.cells(), COLUMNS), flush=True)
    style.save(draw(rows), [options.figure])


if __name__ == "__main__":
    main()
