"""Figure of the predicted time of a regression with landmarks against the number of workers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.scale_model import Rates, landmark_costs, landmarks_for
from ntkflow.interface.landmark_parts import PARTS
from ntkflow.plotting import style

WORKERS = tuple(2**power for power in range(13))
STEPS = {
    "products": ("products", "#0072b2", "solid"),
    "entries": ("kernel values", "#56b4e9", "solid"),
    "reading": ("reading by workers", "#cc79a7", "dashed"),
    "survey": ("readings by one process", "#d55e00", "solid"),
    "sums": ("partial sums in order", "#009e73", "solid"),
    "solution": ("solution", "#e69f00", "solid"),
    "tasks": ("tasks sent", "#7f7f7f", "dotted"),
}


def draw(rates: Rates, sizes: Sequence[int]) -> Figure:
    """One panel for each number of points."""
    with style.paper():
        figure = Figure(figsize=(style.FULL_WIDTH, 3.1))
        for axes, points in zip(figure.subplots(1, len(sizes)), sizes, strict=True):
            _panel(axes, rates, points)
        first, *_ = figure.axes
        first.set_ylabel("predicted time (hours)")
        figure.legend(*first.get_legend_handles_labels(), loc="outside upper center", ncols=5)
        return style.fixed_layout(figure)


def _panel(axes: Axes, rates: Rates, points: int) -> None:
    m = landmarks_for(points)
    today = [landmark_costs(rates, points, m, workers) for workers in WORKERS]
    free = [
        landmark_costs(rates, points, m, workers, parts=max(PARTS, workers)) for workers in WORKERS
    ]
    hours = 3600.0
    axes.plot(WORKERS, [c.wall / hours for c in today], color=style.INK, lw=1.8, label="all, today")
    wall = [costs.wall / hours for costs in free]
    axes.plot(WORKERS, wall, label="all, a part per worker", **style.LIMIT)
    for step, (label, colour, line) in STEPS.items():
        taken = np.array([costs.steps()[step] for costs in free]) / hours
        axes.plot(WORKERS, taken, color=colour, linestyle=line, label=label)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks([1, 16, 256, 4096], ["1", "16", "256", "4096"])
    axes.minorticks_off()
    axes.set_xlabel("workers")
    power = f"10^{{{np.log10(points):.0f}}}"
    axes.set_title(f"$N = {power}$, $m = {m}$")


def write(rates: Rates, sizes: Sequence[int], file: Path) -> None:
    """Write the figure in the format of the file's name."""
    style.save(draw(rates, sizes), [file])
