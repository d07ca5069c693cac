"""Time of gradient-descent steps beside the matrix-product floor, a JAX loop and PyTorch.

A table in Markdown on standard output, for ensembles of ReLU networks with four layers of weights,
N = 128 inputs in R^784, one output, in float32. Every way has a process of its own; they train the
same networks and are asked in turn.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks import limiting_peer
from benchmarks.empirical_ntk import product_rate
from benchmarks.floors import inputs, interleave
from benchmarks.limiting_tables import header, line

SCRIPT = str(Path(__file__).with_name("training_contender.py"))
FEATURES, DEPTH, BETA, RATE = 784, 4, 0.1, 0.5
SAMPLES, SEEDS, LARGE = 128, 10, 2048
STEPS = {64: 400, 256: 200, 1024: 20, 2048: 8, 4096: 8}  # of each width
COLUMNS = ("n", "way", "ms/step", "min ms", "GFLOP/s", "of product", "/ ours", "differs")


def operations(width: int, samples: int, seeds: int) -> float:
    """Floating-point operations of the products in a step of all networks.

    Forward, back to the activities and back to the weights; inputs get no gradient.
    """
    hidden = (DEPTH - 2) * width**2 + width
    return 2.0 * seeds * samples * (3 * hidden + 2 * FEATURES * width)


def save_networks(folder: Path, width: int, samples: int, seeds: int) -> list[int]:
    """Inputs, targets and initial parameters for all; the widths n_0, .., n_L."""
    import jax

    from ntkflow.networks.mlp import seed_keys

    widths = [FEATURES, *[width] * (DEPTH - 1), 1]
    count = sum((one + 1) * two for one, two in pairwise(widths))
    x = inputs("gaussian", samples, FEATURES, "float32")
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", np.tanh(x[:, :1]))
    draw = jax.jit(jax.random.normal, static_argnums=(1, 2))
    for seed, key in enumerate(seed_keys(0, width, seeds)):
        np.save(folder / f"theta-{seed}.npy", draw(key, (count,), np.float32))
    return widths


def measure(width: int, steps: int, seeds: int, torch: str | None, repeats: int) -> list[list[str]]:
    """Rows of the table for one width."""
    pythons = {"ntkflow": sys.executable, "jax": sys.executable}
    pythons |= {"torch": torch} if torch else {}
    with tempfile.TemporaryDirectory(prefix="ntkflow-bench-") as name, ExitStack() as stack:
        widths = save_networks(Path(name), width, SAMPLES, seeds)
        settings = {"folder": name, "widths": widths, "seeds": seeds, "steps": steps}
        settings |= {"beta": BETA, "rate": RATE}
        calls = {}
        for way, python in pythons.items():
            asked = limiting_peer.running([python, SCRIPT], {**settings, "way": way})
            calls[way] = stack.enter_context(asked).seconds
        times = interleave(calls, repeats)
        functions = {way: np.load(Path(name) / f"{way}.npy") for way in pythons}
    each = {way: [seconds / steps for seconds in taken] for way, taken in times.items()}
    # The faster of a large square product and of those that the network consists of.
    sizes = (LARGE, LARGE, LARGE), (SAMPLES, width, width)
    rate = max(product_rate(each, repeats) for each in sizes)
    return rows(width, seeds, each, functions, rate)


def rows(
    width: int,
    seeds: int,
    times: Mapping[str, Sequence[float]],
    functions: Mapping[str, np.ndarray],
    rate: float,
) -> list[list[str]]:
    """Text of the rows of a width, in the order of `COLUMNS`; times of a step of all networks."""
    ours, reference, found = median(times["ntkflow"]), functions["ntkflow"], []
    for way, taken in times.items():
        speed = operations(width, SAMPLES, seeds) / median(taken)
        difference = np.abs(functions[way] - reference).max() / np.abs(reference).max()
        cells = [f"{1e3 * median(taken):.3g}", f"{1e3 * min(taken):.3g}", f"{speed / 1e9:.3g}"]
        cells += [f"{speed / rate:.0%}", f"{median(taken) / ours:.3g}", f"{difference:.0e}"]
        found.append([str(width), way, *cells])
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    command = argparse.ArgumentParser(description="Time training.")
    command.add_argument("--torch", metavar="PYTHON", help="with PyTorch installed")
    command.add_argument("--repeats", type=int, default=3, help="of each time; default: 3")
    command.add_argument("--seeds", type=int, default=SEEDS, help="networks; default: 10")
    command.add_argument("--widths", type=int, nargs="+", default=list(STEPS), choices=STEPS)
    command.add_argument("--quick", action="store_true", help="three steps of each, to try it")
    options = command.parse_args(arguments)
    print(header(COLUMNS))
    for width in options.widths:
        steps = 3 if options.quick else STEPS[width]
        for cells in measure(width, steps, options.seeds, options.torch, options.repeats):
            print(line(cells, COLUMNS), flush=True)


if __name__ == "__main__":
    main()
