"""Time of the empirical NTK beside the matrix-product floor and other ways to it, in one run.

A table in Markdown on standard output, for ReLU networks with four layers of weights, inputs in
R^784 and one output, in float32. Every way has a process of its own; they are asked in turn.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks import limiting_peer
from benchmarks.empirical_contender import PEERS
from benchmarks.floors import inputs, interleave, seconds
from benchmarks.limiting_tables import header, line

SCRIPT = str(Path(__file__).with_name("empirical_contender.py"))
FEATURES, DEPTH, BETA = 784, 4, 0.1
CASES = ((2048, 512), (1024, 512), (1024, 256), (2048, 128), (256, 256))  # n, N
JACOBIAN_BYTES = 5.5e9  # that contraction may take; NTK-vector products take as long
COLUMNS = ("n", "N", "way", "s", "min s", "GFLOP/s", "of product", "/ ours", "peak MiB", "differs")


def operations(width: int, samples: int) -> float:
    """Floating-point operations that the layerwise identity takes, of symmetric Grams one half.

    Forward through all layers, back through all but the first, and <a, a'>, <d, d'> of each.
    """
    hidden = (DEPTH - 2) * width**2
    forward, back = FEATURES * width + hidden + width, hidden + width
    grams = FEATURES + 2 * (DEPTH - 1) * width + 1
    return 2.0 * samples * (forward + back) + samples**2 * grams


def product_rate(width: int, samples: int, repeats: int) -> float:
    """FLOP/s of the product that the sweeps consist of, (N, n) x (n, n), by jitted JAX."""
    import jax

    draw = np.random.default_rng(0).standard_normal
    one, two = (jax.numpy.asarray(draw((m, width), np.float32)) for m in (samples, width))
    product = jax.jit(lambda a, b: jax.numpy.matmul(a, b, precision="highest"))
    call = {"product": lambda: seconds(lambda: product(one, two).block_until_ready())}
    return 2.0 * samples * width**2 / median(interleave(call, 5 * repeats)["product"])


def ways(width: int, samples: int, peer: str | None, torch: str | None = None) -> dict[str, str]:
    """The Python of each way that fits in memory."""
    parameters = FEATURES * width + (DEPTH - 2) * width**2
    small = 4.0 * samples * parameters < JACOBIAN_BYTES
    own = {"ntkflow": sys.executable, **({"jacobian": sys.executable} if small else {})}
    own |= {"torch.func": torch} if torch and small else {}
    theirs = [way for way in PEERS if small or way == "structured derivatives"]
    return {**own, **({way: peer for way in theirs} if peer else {})}


def measure(
    width: int, samples: int, peer: str | None, torch: str | None, repeats: int
) -> list[list[str]]:
    """Rows of the table for one case."""
    x = inputs("gaussian", samples, FEATURES, "float32")
    widths = [FEATURES, *[width] * (DEPTH - 1), 1]
    peaks: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="ntkflow-bench-") as folder, ExitStack() as stack:
        given = str(Path(folder) / "x.npy")
        np.save(given, x)
        pythons = ways(width, samples, peer, torch)
        files = {way: str(Path(folder) / f"{way}.npy") for way in pythons}
        calls = {}
        for way, python in pythons.items():
            settings = {"inputs": given, "ntk": files[way], "widths": widths, "beta": BETA}
            command = [python, SCRIPT]
            process = stack.enter_context(limiting_peer.running(command, {**settings, "way": way}))

            def call(process: limiting_peer.Peer = process, way: str = way) -> float:
                answer = process.ask()
                peaks[way] = int(answer["peak"])
                return float(answer["seconds"])

            calls[way] = call
        times = interleave(calls, repeats)
        kernels = {way: np.load(file).reshape(samples, samples) for way, file in files.items()}
    return rows(width, samples, times, peaks, kernels, product_rate(width, samples, repeats))


def rows(
    width: int,
    samples: int,
    times: Mapping[str, Sequence[float]],
    peaks: Mapping[str, int],
    kernels: Mapping[str, np.ndarray],
    rate: float,
) -> list[list[str]]:
    """Text of a case's rows, in the order of `COLUMNS`."""
    ours, reference, found = median(times["ntkflow"]), kernels["ntkflow"], []
    for way, taken in times.items():
        speed = operations(width, samples) / median(taken)
        difference = np.abs(kernels[way] - reference).max() / np.abs(reference).max()
        cells = [width, samples, way, f"{median(taken):.3g}", f"{min(taken):.3g}"]
        cells += [f"{speed / 1e9:.3g}", f"{speed / rate:.0%}", f"{median(taken) / ours:.3g}"]
        found.append([*map(str, cells), f"{peaks[way] / 2**20:.0f}", f"{difference:.0e}"])
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    command = argparse.ArgumentParser(description="Time the empirical NTK.")
    command.add_argument("--peer", metavar="PYTHON", help="with neural-tangents installed")
    command.add_argument("--torch", metavar="PYTHON", help="with PyTorch installed")
    command.add_argument("--repeats", type=int, default=5, help="of each time; default: 5")
    command.add_argument("--quick", action="store_true", help="one small case, to try it")
    options = command.parse_args(arguments)
    print(header(COLUMNS))
    for width, samples in ((64, 32),) if options.quick else CASES:
        for cells in measure(width, samples, options.peer, options.torch, options.repeats):
            print(line(cells, COLUMNS), flush=True)


if __name__ == "__main__":
    main()
