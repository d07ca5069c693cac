"""Predicted cost of kernel regression on 10^6 to 10^9 points, from rates measured on this machine.

Prints tables in Markdown: rates of one core, one disk and one scheduler; simulated tasks on worker
processes, some of which are killed; a real run beside its prediction; and predicted costs of
regression with landmarks and of the dense kernel. Run it on one core (`taskset -c 0`): the model
counts cores.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks import scale_figure
from benchmarks.limiting_tables import header, line
from benchmarks.scale_model import (
    Rates,
    dense_costs,
    landmark_costs,
    landmarks_for,
    rates_of,
)
from benchmarks.scale_rates import (
    QUICK,
    Check,
    Size,
    measured,
    simulations,
)
from benchmarks.scale_tasks import Outcome, Simulation, simulate_apart
from ntkflow.interface.landmark_parts import PARTS

POINTS = (10**6, 10**7, 10**9)
WORKERS = (1, 16, 256, 4096)
UNITS = {
    "entries": ("kernel values, M per CPU second", 1e6),
    "operations": ("symmetric product, GFLOP/s", 1e9),
    "disk": ("reading from disk, MB/s", 1e6),
    "written": ("writing to disk, MB/s", 1e6),
    "digest": ("digest of inputs, MB/s", 1e6),
    "survey": ("norms of inputs, MB/s", 1e6),
    "saved": ("saving sums, MB/s", 1e6),
    "added": ("loading and adding sums, MB/s", 1e6),
    "solved": ("solution, G m^3 / s", 1e9),
    "tasks": ("tasks per CPU second of the scheduler", 1),
    "start": ("first fit beyond the second, s", 1),
}
RATE_COLUMNS = ("what", "measured")
TASK_COLUMNS = (
    *("tasks", "sleep ms", "workers", "at once", "s", "tasks/s", "CPU ms"),
    *("MiB before", "MiB after", "kB per task", "killed", "recovery s", "repeated", "results"),
)
CHECK_COLUMNS = (
    *("run", "N", "m", "first s", "s", "CPU s", "predicted s", "CPU / predicted", "task kB"),
)
COST_COLUMNS = (
    *("N", "m", "workers", "core-hours", "wall h", "bottleneck", "a part each, wall h"),
    *("bottleneck ", "inputs GB", "sums GB", "worker GB", "solution GB"),
)
DENSE_COLUMNS = (
    *("N", "workers", "core-hours", "wall h", "kernels TB", "blocks"),
    *("entries h", "tasks h", "writing h", "one iteration h"),
)


def rate_rows(rates: Rates) -> Iterator[list[str]]:
    """Rows of the measured rates."""
    for name, value in asdict(rates).items():
        label, unit = UNITS[name]
        yield [label, f"{value / unit:.3g}"]


def task_row(simulation: Simulation, outcome: Outcome) -> list[str]:
    """Row of one simulation."""
    before, after = outcome.memory
    each = (after - before) / outcome.results / 1e3
    recovery = ", ".join(f"{value:.1f}" for value in outcome.recovery)
    cells = [simulation.tasks, f"{1e3 * simulation.seconds:g}"]
    cells += [simulation.workers, simulation.workers * simulation.slots, f"{outcome.seconds:.1f}"]
    cells += [f"{outcome.rate:.0f}", f"{1e3 / outcome.alone:.1f}"]
    cells += [f"{before / 2**20:.0f}", f"{after / 2**20:.0f}", f"{each:.1f}"]
    cells += [outcome.killed, recovery, outcome.repeated, outcome.results]
    return [*map(str, cells)]


def check_rows(rates: Rates, size: Size, check: Check) -> Iterator[list[str]]:
    """Rows of real runs whose kernels are compiled; the prediction leaves compilation out."""
    points, m = size.check
    runs = ("in one process", check.second, False), ("sums in files", check.stored, True)
    for name, taken, cluster in runs:
        wall = landmark_costs(rates, points, m, 1, cluster=cluster).wall - rates.start
        cells = [name, f"{points:,}", str(m), f"{check.first.wall:.2f}", f"{taken.wall:.2f}"]
        cells += [f"{taken.processor:.2f}", f"{wall:.2f}", f"{taken.processor / wall:.2f}"]
        yield [*cells, f"{check.task / 1e3:.1f}"]


def cost_rows(rates: Rates) -> Iterator[list[str]]:
    """Rows of predicted costs with landmarks: by the rule, and for 10^9 points also with 3000."""
    sizes = [(points, landmarks_for(points)) for points in POINTS]
    for points, m in [*sizes, (POINTS[-1], landmarks_for(POINTS[0]))]:
        for workers in WORKERS:
            today = landmark_costs(rates, points, m, workers)
            free = landmark_costs(rates, points, m, workers, parts=max(PARTS, workers))
            cells = [f"{points:.0e}", f"{m:,}", str(workers), f"{today.core_seconds / 3600:,.3g}"]
            cells += [_hours(today.wall), today.bottleneck, _hours(free.wall), free.bottleneck]
            sizes_in_bytes = today.inputs, today.stored, today.memory, today.memory_of_solution
            yield cells + [f"{value / 1e9:,.3g}" for value in sizes_in_bytes]


def dense_rows(rates: Rates) -> Iterator[list[str]]:
    """Rows of predicted costs of the dense kernel."""
    for points in POINTS:
        for workers in WORKERS:
            costs = dense_costs(rates, points, workers)
            cells = [f"{points:.0e}", str(workers), f"{costs.entries / 3600:,.3g}"]
            cells += [_hours(costs.wall), f"{costs.stored / 1e12:,.3g}", f"{costs.blocks:,}"]
            steps = costs.entries / workers, costs.tasks, costs.writing, costs.iteration
            yield cells + [_hours(value) for value in steps]


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:,.3g}"


def show(title: str, columns: Sequence[str], rows: Iterator[list[str]]) -> None:
    """Print a table, row by row."""
    print(f"\n{title}\n\n{header(columns)}", flush=True)
    for cells in rows:
        print(line(cells, columns), flush=True)


def predict(rates: Rates, figure: Path | None) -> None:
    """Print what follows from the rates, and draw it."""
    show("Rates", RATE_COLUMNS, rate_rows(rates))
    show("Landmarks", COST_COLUMNS, cost_rows(rates))
    show("Dense kernel", DENSE_COLUMNS, dense_rows(rates))
    if figure is not None:
        scale_figure.write(rates, POINTS, figure)


def measure(size: Size, directory: Path | None) -> Mapping[str, float]:
    """Measure all rates, printing the tables of simulated tasks and of the real run."""
    with tempfile.TemporaryDirectory(dir=directory) as folder:
        found, check = measured(size, Path(folder))
    outcomes: list[Outcome] = []

    def rows() -> Iterator[list[str]]:
        for simulation in simulations(size):
            outcomes.append(simulate_apart(simulation))
            yield task_row(simulation, outcomes[-1])

    show("Simulated tasks", TASK_COLUMNS, rows())
    found["tasks"] = outcomes[0].alone
    show("Real run", CHECK_COLUMNS, check_rows(rates_of(found), size, check))
    return found


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command = argparse.ArgumentParser(description="Predict the cost of large regressions.")
    command.add_argument("--quick", action="store_true", help="small sizes, as a trial")
    command.add_argument("--directory", type=Path, help="where to put inputs and sums")
    command.add_argument("--figure", type=Path, help="file for the figure: .png, .svg or .pdf")
    command.add_argument("--save", type=Path, help="file for the rates, as JSON")
    command.add_argument("--rates", type=Path, help="file of saved rates, which measures nothing")
    return command


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, measure, predict and print."""
    options = parser().parse_args(arguments)
    if options.rates:
        found = json.loads(options.rates.read_text("utf-8"))
    else:
        began = time.perf_counter()
        found = measure(QUICK if options.quick else Size(), options.directory)
        load = os.getloadavg()[0]
        print(f"\nmeasured in {time.perf_counter() - began:.0f} s; load of the machine {load:.1f}")
    if options.save:
        options.save.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    predict(rates_of(found), options.figure)


if __name__ == "__main__":
    main()
