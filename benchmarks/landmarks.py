"""Regression with landmarks: time and memory against the number of points, and beside a peer.

Prints a table in Markdown, row by row. Inputs are drawn from N(0, 1) and on disk; targets are those
of a random network with one hidden layer, with noise. Each run is a process of its own, whose peak
of resident memory is measured. The floor is measured in the same run, before and after: the kernel
values at the rate of `limiting_kernels` on a block, and N m^2 operations at the rate of the faster
matrix product in float64. The peer is scikit-learn's Nystroem features of an RBF kernel with ridge
regression, which holds N x m features in memory.
"""

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import landmark_digits
from benchmarks.floors import products, seconds
from benchmarks.limiting_tables import header, line

FEATURES, LANDMARKS, DEPTH, RIDGE, HELD_OUT = 784, 3000, 4, 1e-4, 0.02
SIZES = (10_000, 100_000, 1_000_000)
PEER_SIZES = (10_000, 40_000)
PEER_LANDMARKS = 1000
STRIP, TEACHER, NOISE, TEST = 10_000, 1024, 0.1, 10_000
DIGITS_COLUMNS = ("what", "s", "MiB", "GB/s", "iterations", "misclassified", "squared error")
COLUMNS = ("method", "N", "m", "s", "us per point", "floor s", "/ floor", "MiB", "test error")


def write_points(folder: Path, points: int) -> None:
    """Inputs (points + TEST, d) in float32 and targets of a random network, on disk."""
    random = np.random.default_rng(0)
    hidden = random.standard_normal((FEATURES, TEACHER), np.float32) / np.float32(FEATURES**0.5)
    output = random.standard_normal(TEACHER) * (2 / TEACHER) ** 0.5
    targets = []
    with (folder / "x.bin").open("wb") as file:
        for start in range(0, points + TEST, STRIP):
            count = min(STRIP, points + TEST - start)
            x = np.random.default_rng([1, start]).standard_normal((count, FEATURES), np.float32)
            file.write(x.data)
            targets.append(np.maximum(x @ hidden, 0) @ output)
    y = np.concatenate(targets)
    y = (y - y.mean()) / y.std()
    np.save(folder / "y.npy", y[:, None] + NOISE * random.standard_normal((len(y), 1)))


def opened(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Memory map of the inputs, and the targets."""
    y = np.load(folder / "y.npy")
    return np.memmap(folder / "x.bin", np.float32, "r", shape=(len(y), FEATURES)), y


def fit(folder: str, points: int, landmarks: int, precision: str, sums: str) -> dict[str, Any]:
    """Fit to the first points, as the child process does; its figures."""
    from ntkflow import api

    x, y = opened(Path(folder))
    given = np.memmap(Path(folder) / "x.bin", np.float32, "r", shape=(points, FEATURES))
    start = time.perf_counter()
    found = api.landmark_regression(
        *(given, y[:points]),
        landmarks=landmarks,
        depth=DEPTH,
        ridge=RIDGE,
        held_out=HELD_OUT,
        precision=precision,
        sums=sums or None,
        progress=lambda text: print(text, file=sys.stderr, flush=True),
    )
    taken = time.perf_counter() - start
    error = float(np.mean((found.predict(x[-TEST:]) - y[-TEST:]) ** 2))
    digest = hashlib.sha256(found.coefficients.tobytes()).hexdigest()
    return {"seconds": taken, "error": error, "digest": digest}


def fit_peer(folder: str, points: int, landmarks: int) -> dict[str, Any]:
    """The same with scikit-learn."""
    from sklearn.kernel_approximation import Nystroem
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline

    x, y = opened(Path(folder))
    start = time.perf_counter()
    features = Nystroem(n_components=landmarks, random_state=0)
    model = make_pipeline(features, Ridge(alpha=points * RIDGE)).fit(x[:points], y[:points])
    taken = time.perf_counter() - start
    error = float(np.mean((model.predict(x[-TEST:]) - y[-TEST:]) ** 2))
    return {"seconds": taken, "error": error}


KINDS: Mapping[str, Callable[..., dict[str, Any]]] = {
    "fit": fit,
    "peer": fit_peer,
    "digits": landmark_digits.with_landmarks,
    "write": landmark_digits.write_dense,
    "solve": landmark_digits.solve_dense,
    "read": landmark_digits.read_dense,
}
"""Measurements by name, each for a child process; arguments are numbers and folders."""


def child_figures(kind: str, *arguments: str) -> dict[str, Any]:
    """Figures of a child process, with its peak of memory."""
    given = [int(text) if text.isdigit() else text for text in arguments]
    found = KINDS[kind](*given)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {**found, "MiB": peak}


def child(*arguments: object) -> list[str]:
    """Command of a child process."""
    return [sys.executable, "-m", "benchmarks.landmarks", "--child", *map(str, arguments)]


def run(*arguments: object) -> dict[str, Any]:
    """Figures of a child process that is not disturbed."""
    done = subprocess.run(child(*arguments), stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def run_killed(kills: int, whole: float, *arguments: object) -> dict[str, Any]:
    """Figures of the last of several processes, of which the others are killed on the way."""
    for number in range(kills):
        patience = whole / (kills + 1) + 2 * number
        with subprocess.Popen(child(*arguments), stdout=subprocess.DEVNULL) as process:
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                process.kill()
                print(f"killed after {patience:.0f} s", file=sys.stderr, flush=True)
    return run(*arguments)


def floor(landmarks: int, precision: str) -> tuple[float, float]:
    """Seconds of a kernel value, and of an operation of a product in float64."""
    from ntkflow.api import limiting_kernels

    random = np.random.default_rng(0)
    x = random.standard_normal((4096, FEATURES)).astype(precision)
    z = x[:landmarks].copy()
    square = random.standard_normal((landmarks, landmarks))
    entries = [
        seconds(lambda: limiting_kernels(x, z, depth=DEPTH, precision=precision)) for _ in range(4)
    ]
    product = [call() for call in products(square, len(square)).values() for _ in range(3)]
    return min(entries) / (len(x) * len(z)), min(product) / (2 * landmarks**3)


def row(method: str, points: int, landmarks: int, found: Any, bound: float | None) -> list[str]:
    """Cells of a row."""
    taken = found["seconds"]
    below = ["", ""] if bound is None else [f"{bound:.1f}", f"{taken / bound:.2f}"]
    each = f"{1e6 * taken / points:.0f}"
    size = f"{points:,}", str(landmarks), f"{taken:.1f}", each
    return [method, *size, *below, f"{found['MiB']:.0f}", f"{found['error']:.4f}"]


def rows(folder: Path, options: argparse.Namespace) -> Iterator[list[str]]:
    """Rows of the table."""
    for points in options.sizes:
        for precision in options.precisions:
            size = points, options.landmarks
            arguments = "fit", folder, *size, precision
            before = floor(options.landmarks, precision)
            found = run(*arguments, "")
            entry, operation = np.minimum(before, floor(options.landmarks, precision))
            bound = points * options.landmarks * (entry + options.landmarks * operation)
            yield row(f"landmarks, {precision}", *size, found, bound)
            if options.kills:
                sums = Path(tempfile.mkdtemp(dir=folder)) / "sums"
                again = run_killed(options.kills, found["seconds"], *arguments, sums)
                same = "same" if again["digest"] == found["digest"] else "OTHER"
                yield row(f"killed {options.kills} times: {same} bits", *size, again, None)
    for points in options.peer_sizes:
        size = points, min(PEER_LANDMARKS, points)
        yield row("landmarks, float32", *size, run("fit", folder, *size, "float32", ""), None)
        yield row("scikit-learn, RBF", *size, run("peer", folder, *size), None)


def digits_rows(folder: str, every: int) -> Iterator[list[str]]:
    """Rows of the table of digits; the store must fit on the disk."""
    for landmarks in landmark_digits.SIZES:
        yield digits_row(f"{landmarks} landmarks", run("digits", every, landmarks))
    yield digits_row("kernel into a store", run("write", every, folder))
    yield digits_row("reading its upper half once", run("read", folder))
    yield digits_row("dense, from the store", run("solve", every, folder))


def digits_row(what: str, found: Mapping[str, Any]) -> list[str]:
    """Cells of a row."""
    rate = f"{found['bytes'] / found['seconds'] / 1e9:.2f}" if "bytes" in found else ""
    scores = (
        [f"{100 * found['wrong']:.2f} %", f"{found['error']:.5f}"] if "wrong" in found else ["", ""]
    )
    iterations = str(found.get("iterations", ""))
    return [what, f"{found['seconds']:.1f}", f"{found['MiB']:.0f}", rate, iterations, *scores]


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command = argparse.ArgumentParser(description="Time regression with landmarks.")
    command.add_argument("--sizes", type=int, nargs="*", default=SIZES, metavar="N")
    command.add_argument("--peer-sizes", type=int, nargs="*", default=PEER_SIZES, metavar="N")
    command.add_argument("--landmarks", type=int, default=LANDMARKS, metavar="M")
    command.add_argument(
        "--precisions", nargs="+", choices=("float32", "float64"), default=("float32",)
    )
    command.add_argument("--kills", type=int, default=0, help="repeat each fit, killed so often")
    command.add_argument("--directory", type=Path, help="where to put the inputs")
    command.add_argument("--digits", action="store_true", help="the dense solution beside, 29 GB")
    command.add_argument(
        "--every", type=int, default=1, help="use every N-th training digit, as a trial"
    )
    command.add_argument("--child", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return command


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, measure and print."""
    options = parser().parse_args(arguments)
    if options.child:
        print(json.dumps(child_figures(*options.child)))
        return
    if options.digits:
        print(header(DIGITS_COLUMNS), flush=True)
        with tempfile.TemporaryDirectory(dir=options.directory) as folder:
            for cells in digits_rows(folder, options.every):
                print(line(cells, DIGITS_COLUMNS), flush=True)
        return
    with tempfile.TemporaryDirectory(dir=options.directory) as folder:
        write_points(Path(folder), max([*options.sizes, *options.peer_sizes]))
        print(header(COLUMNS), flush=True)
        for cells in rows(Path(folder), options):
            print(line(cells, COLUMNS), flush=True)


if __name__ == "__main__":
    main()
