"""Seconds, rate, peak memory and agreement with the CPU of one computation on a device."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.floors import seconds

COMPILATION = "/jax/core/compile/backend_compile_duration"
SQUARE, QUICK_SQUARE = 8192, 256
"""Rows of the large square product whose rate is the peak of the device."""
WORK, QUICK_WORK = 2e11, 2e7
"""Operations of a timed program of equal products, so that small ones do not wait for Python."""


class Paused(Exception):
    """Signal that the time of this call is over and that a checkpoint exists."""


class LeftOut(Exception):
    """Signal that a computation needs more memory than the machine has."""


class Agreement(NamedTuple):
    """Largest relative difference from the CPU, and the largest that is accepted."""

    compared: str
    error: float
    tolerance: float

    @property
    def passes(self) -> bool:
        return self.error <= self.tolerance


@dataclass(frozen=True)
class Machine:
    """The device, the CPU, and settings of this call.

    `peak` is the peak memory of the device in bytes before the present computation, None if its
    backend does not measure it. `deadline` is on the clock of `time.monotonic`.
    """

    device: jax.Device
    cpu: jax.Device
    folder: Path
    quick: bool = False
    repeats: int = 3
    deadline: float = np.inf
    peak: int | None = None
    progress: Callable[[str], None] = lambda _: None

    def product(self, precision: str) -> float:
        """FLOP/s of a large square product."""
        size = QUICK_SQUARE if self.quick else SQUARE
        return self.product_of((size, size, size), precision)

    def product_of(self, shape: tuple[int, int, int], precision: str) -> float:
        """FLOP/s of a product (m, k) x (k, n), shape (m, k, n)."""
        work = QUICK_WORK if self.quick else WORK
        return _product_rate(shape, precision, work, self.repeats)


class Timing(NamedTuple):
    """Median seconds of the repeats, seconds of compilation, and peak memory of the device.

    `peak_is_exact` is False if an earlier computation of the process took as much memory, so that
    `peak` is only an upper bound.
    """

    seconds: float
    compile_seconds: float
    repeats: int
    peak: int | None
    peak_is_exact: bool


@dataclass(frozen=True, kw_only=True)
class Result:
    """Timing of a computation of `operations` operations, and rates of products on the device.

    `product` and `shape_product` are FLOP/s of a large square product and of one of the shape that
    the computation consists of.
    """

    timing: Timing
    operations: float
    product: float
    shape: tuple[int, int, int]
    shape_product: float
    agreement: Agreement
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """All fields and what follows from them, with plain values."""
        timing, rate = self.timing, self.operations / self.timing.seconds
        agreement = {**self.agreement._asdict(), "passes": self.agreement.passes}
        return {
            **{name: value for name, value in timing._asdict().items() if "peak" not in name},
            "operations": self.operations,
            "flops": rate,
            "product_flops": self.product,
            "of_product": rate / self.product,
            "shape": list(self.shape),
            "shape_flops": self.shape_product,
            "of_shape": rate / self.shape_product,
            "peak_bytes": timing.peak,
            "peak_is_exact": timing.peak_is_exact,
            "agreement": agreement,
            "note": self.note,
        }


class CompileClock:
    """Seconds that JAX has spent on compilation in this process."""

    def __init__(self) -> None:
        self.seconds = 0.0
        jax.monitoring.register_event_duration_secs_listener(self._add)

    def _add(self, event: str, duration_secs: float, **_: str | int) -> None:
        self.seconds += duration_secs if event == COMPILATION else 0.0


COMPILED = CompileClock()


def peak_bytes(device: jax.Device) -> int | None:
    """Peak memory of this process on the device so far; None if the backend does not measure it."""
    stats = device.memory_stats()
    return None if not stats else stats.get("peak_bytes_in_use")


def timed(call: Callable[[], Any], machine: Machine) -> Timing:
    """Timing of a call that returns when its results are there, after one call as warm-up."""
    compiled = COMPILED.seconds
    call()
    compiled = COMPILED.seconds - compiled
    taken = median(seconds(call) for _ in range(machine.repeats))
    return Timing(taken, compiled, machine.repeats, *piece_peak(machine))


def piece_peak(machine: Machine) -> tuple[int | None, bool]:
    """Peak memory of the device now, and whether it is that of the present computation."""
    peak = peak_bytes(machine.device)
    return peak, peak is not None and machine.peak is not None and peak > machine.peak


@cache
def _product_rate(shape: tuple[int, int, int], precision: str, work: float, repeats: int) -> float:
    rows, inner, columns = shape
    keys = jax.random.split(jax.random.key(0))
    one = jax.random.normal(keys[0], (rows, inner), precision)
    two = jax.random.normal(keys[1], (inner, columns), precision)
    operations = 2.0 * rows * inner * columns
    count = max(1, round(work / operations))

    @jax.jit
    def sequence(one: jax.Array, two: jax.Array) -> jax.Array:
        def product(_: int, state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            one, previous = state
            one = one.at[0, 0].set(jnp.tanh(previous[0, 0]))  # each product waits for the last
            return one, jnp.matmul(one, two, precision="highest")

        start = one, jnp.zeros((rows, columns), precision)
        return jax.lax.fori_loop(0, count, product, start)[1]

    def call() -> None:
        jax.block_until_ready(sequence(one, two))

    call()
    return count * operations / median(seconds(call) for _ in range(repeats))


def relative(found: Any, reference: np.ndarray) -> float:
    """Largest difference relative to the largest entry of the reference."""
    difference = np.abs(np.asarray(found, np.float64) - reference)
    return float(difference.max() / np.abs(reference).max())


def relative_norm(found: Any, reference: np.ndarray) -> float:
    """Norm of the difference relative to that of the reference, over all entries."""
    difference = np.asarray(found, np.float64) - reference
    return float(np.linalg.norm(difference) / np.linalg.norm(reference))
