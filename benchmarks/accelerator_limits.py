"""Limiting kernels on a device, of ReLU networks with beta = 0.1 on Gaussian inputs in R^784.

Operations are those of matrix products alone; a multiplication and an addition count as two.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import jax
import numpy as np

from benchmarks.accelerator_records import Agreement, LeftOut, Machine, Result, timed
from benchmarks.floors import inputs
from ntkflow.kernels.activations import activation
from ntkflow.kernels.correlation import directions
from ntkflow.kernels.limiting import Points, kernels_between, limiting_kernels, points
from ntkflow.kernels.tiles import TILE, TILE_ELSEWHERE, Network, block_kernels, plan_kernels

FEATURES, BETA, LIMITING_DEPTH = 784, 0.1, 4
COMPARED = 256
"""Largest number of points at which kernels are compared with the CPU's."""
FREE = 0.7
"""Fraction of the available memory of the host that kernels may take."""
LIMITING_TOLERANCE = {"float32": 5e-6, "float64": 1e-12}
CONTAINER = Path("/sys/fs/cgroup")
"""Control group of a container, version 2."""

Blocks = tuple[np.ndarray, np.ndarray]
"""Kernel of the first points with themselves, and with the last points."""


def limiting_operations(samples: int, features: int) -> float:
    """N (N + 1) d: 2 d for each pair on or above the diagonal.

    The recursion over layers, which has no matrix products, is not counted.
    """
    return float(samples) * (samples + 1) * features


def limiting_ntk(x: np.ndarray, depth: int) -> np.ndarray:
    """Limiting NTK (N, N) between all rows of x, in its precision."""
    kernels = limiting_kernels(x, x, activation=activation("relu"), depth=depth, beta=BETA)
    return np.asarray(kernels.ntk)


def limiting_on_device(machine: Machine, samples: int, precision: str) -> Result:
    """Kernels computed tile by tile and left on the device, where each replaces the last but one.

    Points are prepared before. The time is that of products and recursion.
    """
    x = inputs("gaussian", samples, FEATURES, precision)
    strips, relu = _strips(x), activation("relu")

    def tile(row: int, column: int) -> jax.Array:
        one, two = strips[row], strips[column]
        return kernels_between(one, two, activation=relu, diagonal=row == column).ntk

    def tiles() -> None:
        previous = None
        for row in range(len(strips)):
            for column in range(row, len(strips)):
                result = tile(row, column)
                jax.block_until_ready(previous)
                previous = result
        jax.block_until_ready(previous)

    def blocks(count: int) -> Blocks:
        last = tile(0, len(strips) - 1)
        return np.asarray(tile(0, 0))[:count, :count], np.asarray(last)[:count, -count:]

    return _limiting(machine, x, len(strips[0].deviation), tiles, blocks)


def limiting_on_host(machine: Machine, samples: int, precision: str) -> Result:
    """Both kernels as NumPy arrays, by `block_kernels`: with copies from the device to the host."""
    dtype = np.dtype(precision)
    needed, available = 2.0 * samples**2 * dtype.itemsize, available_memory()
    if needed > FREE * available:
        raise LeftOut(f"needs {needed / 1e9:.0f} GB of the host, {available / 1e9:.0f} GB are free")
    x = inputs("gaussian", samples, FEATURES, precision)
    norm, direction = map(np.asarray, directions(x, dtype))
    network = Network(activation("relu"), LIMITING_DEPTH, BETA)
    plan = plan_kernels(norm, FEATURES, network, dtype)
    kernels: list[np.ndarray] = []
    with ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:

        def call() -> None:
            kernels.clear()
            kernels.extend(block_kernels((norm, direction), None, plan, pool.map))

        def blocks(count: int) -> Blocks:
            return kernels[1][:count, :count], kernels[1][:count, -count:]

        return _limiting(machine, x, _strip_length(samples), call, blocks)


def _limiting(
    machine: Machine,
    x: np.ndarray,
    strip: int,
    call: Callable[[], None],
    blocks: Callable[[int], Blocks],
) -> Result:
    """Result of a call that computes the kernels of x, of which `blocks` returns two."""
    samples, precision, shape = len(x), str(x.dtype), (strip, FEATURES, strip)
    return Result(
        timing=timed(call, machine),
        operations=limiting_operations(samples, FEATURES),
        product=machine.product(precision),
        shape=shape,
        shape_product=machine.product_of(shape, precision),
        agreement=_limiting_agreement(machine, x, min(COMPARED, strip // 2), blocks),
    )


def _limiting_agreement(
    machine: Machine, x: np.ndarray, count: int, blocks: Callable[[int], Blocks]
) -> Agreement:
    """NTK of the first `count` points with themselves and the last, relative to Theta(x, x)."""
    some = np.concatenate([x[:count], x[-count:]]).astype(np.float64)
    with jax.default_device(machine.cpu):
        reference = limiting_ntk(some, LIMITING_DEPTH)
    scale = np.sqrt(np.diag(reference))
    found = np.concatenate(blocks(count), axis=1).astype(np.float64)
    difference = np.abs(found - reference[:count]) / scale[:count, None] / scale
    compared = f"NTK of {count} x {2 * count} pairs, float64"
    return Agreement(compared, float(difference.max()), LIMITING_TOLERANCE[str(x.dtype)])


def _strip_length(samples: int) -> int:
    """Inputs of a strip, as in `ntkflow.kernels.tiles`."""
    most = TILE.get(jax.default_backend(), TILE_ELSEWHERE)
    return -(-samples // -(-samples // most))


def _strips(x: np.ndarray) -> list[Points]:
    """Points of consecutive inputs; the last strip may be shorter."""
    norm, direction = directions(x, x.dtype)
    length = _strip_length(len(x))
    return [
        points(
            norm[start : start + length],
            direction[start : start + length],
            features=FEATURES,
            activation=activation("relu"),
            depth=LIMITING_DEPTH,
            beta=BETA,
            dtype=x.dtype,
        )
        for start in range(0, len(x), length)
    ]


def available_memory() -> float:
    """Bytes that programs can take of the host, and of the container if its memory is limited.

    If the system does not report them, all bytes of the host.
    """
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next(1024.0 * int(line.split()[1]) for line in lines if "MemAvailable" in line)
    except (OSError, StopIteration):
        free = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with suppress(OSError, ValueError):  # no control group, or "max"
        limit, used = (int((CONTAINER / f"memory.{n}").read_text()) for n in ("max", "current"))
        free = min(free, limit - used)
    return free
