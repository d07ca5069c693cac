"""Inputs of the benchmarks, and what no computation of a kernel on them can do without."""

import mmap
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

import numpy as np

Call = Callable[[], float]  # does something once and returns the seconds it took


def inputs(kind: str, samples: int, features: int, precision: str) -> np.ndarray:
    """Rows drawn from N(0, 1): as drawn (`gaussian`), or divided by their norms (`sphere`)."""
    random = np.random.default_rng(samples + features)
    x = random.standard_normal((samples, features))
    if kind == "sphere":
        x /= np.linalg.norm(x, axis=1, keepdims=True)
    return x.astype(precision)


def seconds(call: Callable[[], object]) -> float:
    """Wall time of one call, without the time to free what it returns."""
    start = time.perf_counter()
    result = call()
    elapsed = time.perf_counter() - start
    del result
    return elapsed


def interleave(calls: Mapping[str, Call], repeats: int, memory: int = 0) -> dict[str, list[float]]:
    """Seconds of each call, in turn so that a busy machine slows all; after one round of warm-up.

    So many bytes of `memory` are held between the calls and given up right before each, for it to
    find: a virtual machine's free pages go back to its host, which takes its time to return them.

    Raises
    ------
    ValueError
        If `repeats` is not positive.
    """
    if repeats < 1:
        raise ValueError(f"{repeats} repeats: at least one is needed")
    times: dict[str, list[float]] = {name: [] for name in calls}
    held = [_touched(memory)]
    for _ in range(repeats + 1):
        for name, call in calls.items():
            held.clear()
            times[name].append(call())
            held.append(_touched(memory))
    return {name: measured[1:] for name, measured in times.items()}


def _touched(size: int) -> np.ndarray:
    """So many bytes, with memory behind each page."""
    held = np.empty(size, np.uint8)
    held[:: mmap.PAGESIZE] = 0
    return held


def products(x: np.ndarray, band: int) -> dict[str, Call]:
    """The full product X X^T by jitted JAX and by NumPy, `band` rows at a time.

    NumPy gets a copy as second factor: for X and its own transpose it would compute one triangle.
    """
    import jax
    import jax.numpy as jnp

    other = x.copy()
    starts = range(0, len(x), band)
    with jax.enable_x64(x.dtype == np.float64):
        bands = [jnp.asarray(x[start : start + band]) for start in starts]
        full = jnp.asarray(x)

    @jax.jit
    def product(rows: jax.Array, all_rows: jax.Array) -> jax.Array:
        return jnp.matmul(rows, all_rows.T, precision="highest")

    def by_jax() -> None:
        with jax.enable_x64(x.dtype == np.float64):
            for rows in bands:
                product(rows, full).block_until_ready()

    def by_numpy() -> None:
        for start in starts:
            x[start : start + band] @ other.T

    return {"jax": lambda: seconds(by_jax), "numpy": lambda: seconds(by_numpy)}


def half_product(times: Mapping[str, Sequence[float]]) -> float:
    """Half the median time of the faster of the full `products`: the kernel is symmetric."""
    return min(median(times[name]) for name in ("jax", "numpy")) / 2


def flush(files: Sequence[Path]) -> None:
    """Return when the operating system has put the files on disk."""
    for file in files:
        with file.open("rb") as opened:
            os.fsync(opened.fileno())


def write_files(folder: Path, sizes: Sequence[int]) -> None:
    """Files of these sizes in a new `folder`, of incompressible bytes, on disk at the end."""
    folder.mkdir()
    chunk = memoryview(np.random.default_rng(0).bytes(1 << 24))
    files = [folder / str(number) for number in range(len(sizes))]
    for file, size in zip(files, sizes, strict=True):
        with file.open("wb", buffering=0) as opened:
            for start in range(0, size, len(chunk)):
                opened.write(chunk[: size - start])
    flush(files)
