"""Time of the empirical NTK beside the matrix-product floor and other methods, in one run.

A table in Markdown on standard output, in float32 and with one output: ReLU networks with four
layers of weights and inputs in R^784, and a residual network of five convolutions on 8 x 8 images.
Every method runs in a process of its own; they are asked in turn.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import ClassVar

import numpy as np

from benchmarks import limiting_peer
from benchmarks.empirical_contender import BLOCKS, PEERS
from benchmarks.floors import inputs, interleave, seconds
from benchmarks.limiting_tables import header, line

SCRIPT = str(Path(__file__).with_name("empirical_contender.py"))
FEATURES, DEPTH, BETA = 784, 4, 0.1
SIDE = 8  # of images, in pixels
CASES = ((2048, 512), (1024, 512), (1024, 256), (2048, 128), (256, 256))  # n, N
RESNETS = ((64, 256),)  # channels, N
JACOBIAN_BYTES = 5.5e9  # that contraction may take; NTK-vector products take as long
COLUMNS = (
    "network",
    "n",
    "N",
    "way",
    "s",
    "min s",
    "GFLOP/s",
    "of product",
    "/ ours",
    "peak MiB",
    "differs",
)


@dataclass(frozen=True)
class Dense:
    """Fully-connected network of width n."""

    width: int
    samples: int
    name: ClassVar[str] = "dense"

    @property
    def network(self) -> dict[str, object]:
        return {"kind": "dense", "widths": [FEATURES, *[self.width] * (DEPTH - 1), 1]}

    @property
    def parameters(self) -> int:
        return FEATURES * self.width + (DEPTH - 2) * self.width**2

    @property
    def operations(self) -> float:
        """Floating-point operations of the layerwise identity, with half of symmetric Grams.

        Forward through all layers, back through all but the first, and <a, a'>, <d, d'> of each.
        """
        width = self.width
        hidden = (DEPTH - 2) * width**2
        forward, back = FEATURES * width + hidden + width, hidden + width
        grams = FEATURES + 2 * (DEPTH - 1) * width + 1
        return 2.0 * self.samples * (forward + back) + self.samples**2 * grams

    @property
    def product(self) -> tuple[int, int, int]:
        """Sizes of the product of which the rate is the floor's, (N, n) x (n, n)."""
        return self.samples, self.width, self.width

    def inputs(self) -> np.ndarray:
        return inputs("gaussian", self.samples, FEATURES, "float32")


@dataclass(frozen=True)
class ResNet:
    """Residual network with n channels on images of `SIDE` x `SIDE` pixels."""

    width: int
    samples: int
    name: ClassVar[str] = "resnet"

    @property
    def network(self) -> dict[str, object]:
        return {"kind": "resnet", "channels": self.width}

    @property
    def parameters(self) -> int:
        return 9 * self.width + 2 * BLOCKS * 9 * self.width**2 + self.width

    @property
    def operations(self) -> float:
        """Floating-point operations of gradients input by input and one Gram product, halved.

        Forward, back to the input of all layers but the first, and to the weights of each.
        """
        first, hidden = 9 * self.width, 2 * BLOCKS * 9 * self.width**2
        sweeps = 2.0 * self.samples * SIDE**2 * (2 * first + 3 * hidden)
        return sweeps + self.samples**2 * self.parameters

    @property
    def product(self) -> tuple[int, int, int]:
        """Sizes of the product of which the rate is the floor's: the Gram of one layer."""
        return self.samples, 9 * self.width**2, self.samples

    def inputs(self) -> np.ndarray:
        flat = inputs("gaussian", self.samples, SIDE**2, "float32")
        return flat.reshape(self.samples, SIDE, SIDE, 1)


Case = Dense | ResNet


def product_rate(shape: tuple[int, int, int], repeats: int) -> float:
    """FLOP/s of a product (a, b) x (b, c), by jitted JAX."""
    import jax

    draw, (a, b, c) = np.random.default_rng(0).standard_normal, shape
    one, two = (jax.numpy.asarray(draw(s, np.float32)) for s in ((a, b), (b, c)))
    product = jax.jit(lambda a, b: jax.numpy.matmul(a, b, precision="highest"))
    call = {"product": lambda: seconds(lambda: product(one, two).block_until_ready())}
    return 2.0 * a * b * c / median(interleave(call, 5 * repeats)["product"])


def ways(case: Case, peer: str | None, torch: str | None = None) -> dict[str, str]:
    """Python of each method that fits in memory."""
    small = 4.0 * case.samples * case.parameters < JACOBIAN_BYTES
    layerwise = ("ntkflow",) if isinstance(case, Dense) else ()
    own = (*layerwise, "function", *(("jacobian",) if small else ()))
    theirs = [way for way in PEERS if small or way == "structured derivatives"]
    others = {"torch.func": torch} if torch and small and isinstance(case, Dense) else {}
    return {
        **dict.fromkeys(own, sys.executable),
        **others,
        **({way: peer for way in theirs} if peer else {}),
    }


def measure(case: Case, peer: str | None, torch: str | None, repeats: int) -> list[list[str]]:
    """Rows of the table for one case."""
    peaks: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="ntkflow-bench-") as folder, ExitStack() as stack:
        given = str(Path(folder) / "x.npy")
        np.save(given, case.inputs())
        pythons = ways(case, peer, torch)
        files = {way: str(Path(folder) / f"{way}.npy") for way in pythons}
        calls = {}
        for way, python in pythons.items():
            settings = {"inputs": given, "ntk": files[way], "network": case.network, "beta": BETA}
            command = [python, SCRIPT]
            process = stack.enter_context(limiting_peer.running(command, {**settings, "way": way}))

            def call(process: limiting_peer.Peer = process, way: str = way) -> float:
                answer = process.ask()
                peaks[way] = int(answer["peak"])
                return float(answer["seconds"])

            calls[way] = call
        times = interleave(calls, repeats)
        square = (case.samples, case.samples)
        kernels = {way: np.load(file).reshape(square) for way, file in files.items()}
    return rows(case, times, peaks, kernels, product_rate(case.product, repeats))


def rows(
    case: Case,
    times: Mapping[str, Sequence[float]],
    peaks: Mapping[str, int],
    kernels: Mapping[str, np.ndarray],
    rate: float,
) -> list[list[str]]:
    """Text of a case's rows, in the order of `COLUMNS`; ours is the first method."""
    first, found = next(iter(times)), []
    ours, reference = median(times[first]), kernels[first]
    for way, taken in times.items():
        speed = case.operations / median(taken)
        difference = np.abs(kernels[way] - reference).max() / np.abs(reference).max()
        cells = [case.name, case.width, case.samples, way]
        cells += [f"{median(taken):.3g}", f"{min(taken):.3g}"]
        cells += [f"{speed / 1e9:.3g}", f"{speed / rate:.0%}", f"{median(taken) / ours:.3g}"]
        found.append([*map(str, cells), f"{peaks[way] / 2**20:.0f}", f"{difference:.0e}"])
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    command = argparse.ArgumentParser(description="Time the empirical NTK.")
    command.add_argument("--peer", metavar="PYTHON", help="with neural-tangents installed")
    command.add_argument("--torch", metavar="PYTHON", help="with PyTorch installed")
    command.add_argument("--repeats", type=int, default=5, help="of each time; default: 5")
    command.add_argument("--only", choices=["dense", "resnet"], help="networks of one kind")
    command.add_argument("--quick", action="store_true", help="small cases, to try it")
    options = command.parse_args(arguments)
    print(header(COLUMNS))
    for case in _cases(options.only, options.quick):
        for cells in measure(case, options.peer, options.torch, options.repeats):
            print(line(cells, COLUMNS), flush=True)


def _cases(only: str | None, quick: bool) -> list[Case]:
    dense = [Dense(64, 32)] if quick else [Dense(*sizes) for sizes in CASES]
    residual = [ResNet(8, 4)] if quick else [ResNet(*sizes) for sizes in RESNETS]
    cases: list[Case] = [*dense, *residual]
    return [case for case in cases if only in (None, case.name)]


if __name__ == "__main__":
    main()
