"""Throughput of limiting kernels, beside the floor and beside neural-tangents, in one run.

Tables in Markdown on standard output, row by row as they are measured: kernels in memory, those of
convolutional networks, and kernels written to a Zarr store. Nothing is kept but what is printed.
"""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmarks import limiting_layers, limiting_peer, limiting_store
from benchmarks.floors import Call, half_product, inputs, interleave, products, seconds
from benchmarks.limiting_layers import LayersCase, LayersRow
from benchmarks.limiting_store import measure_store
from benchmarks.limiting_tables import (
    KERNEL_COLUMNS,
    STORE_COLUMNS,
    Case,
    KernelRow,
    Timing,
    header,
    kernel_cells,
    largest_difference,
    line,
    store_cells,
)

BETA = 0.1
FEATURES = (784, 16, 2)
GROUPS: Mapping[str, Sequence[Case]] = {
    "comparison": [Case(8000, features) for features in FEATURES],
    "sizes": [Case(n, features) for features, n in product(FEATURES, (2000, 4000, 8000, 16000))],
    "depths": [
        Case(4000, depth=depth, inputs=kind)
        for kind, depth in product(("sphere", "gaussian"), (2, 4, 8, 32, 100))
    ],
    "precision": [Case(4000, features, precision="float64") for features in FEATURES],
    "activations": [
        Case(8000, activation=activation, inputs=kind)
        for activation, kind in product(("erf", "tanh"), ("sphere", "gaussian"))
    ],
}
LAYERS, STORE = "layers", "store"
HELD = 10  # matrices of N x N in memory that is free and ready before each call
QUICK = 16  # --quick divides the number of inputs by this
Times = Mapping[str, Sequence[float]]
NOT_MEASURED, NO_KERNEL, FAILED = "not measured", "no kernel", "failed"


class Kernels(Protocol):
    """What is measured: `ntkflow.api.limiting_kernels`."""

    def __call__(
        self, x1: np.ndarray, *, depth: int, activation: str, beta: float, precision: str
    ) -> Any:
        """The kernels of all pairs, with fields nngp and ntk."""


def measure(case: Case, kernels: Kernels, peer: Sequence[str], repeats: int) -> KernelRow:
    """Time one case, the floor and the peer in turn.

    `peer` is the command of its process, empty where it is not to be measured.
    """
    x = inputs(case.inputs, case.samples, case.features, case.precision)
    network: dict[str, Any] = {
        "depth": case.depth,
        "activation": case.activation,
        "beta": BETA,
        "precision": case.precision,
    }
    memory = HELD * case.samples**2 * x.itemsize

    def evaluate() -> Any:
        return kernels(x, **network)

    calls = {"ours": lambda: seconds(evaluate), **products(x, len(x))}
    times: Times = {}
    word, difference = absence(case, peer), None
    if not word:
        try:
            times, ntk = beside_peer(calls, peer, x, network, repeats, memory)
            difference = largest_difference(evaluate().ntk, ntk)
        except limiting_peer.PeerError as error:
            print(f"{case}: {error}", file=sys.stderr)
            word = FAILED
    times = times or interleave(calls, repeats, memory)
    theirs = word or Timing.of(times["peer"])
    return KernelRow(case, Timing.of(times["ours"]), half_product(times), theirs, difference)


def measure_layers(
    case: LayersCase, kernels: Callable[..., Any], peer: Sequence[str], repeats: int
) -> LayersRow:
    """Time one network of layers, a fully-connected one as deep, and the peer in turn."""
    x = limiting_layers.images(case.samples, case.precision)
    description = limiting_layers.NETWORKS[case.name]
    layers = limiting_layers.built(description, BETA)
    activations, pairs = limiting_layers.count_pairs(layers, x.shape[1:])
    plain = inputs("gaussian", limiting_layers.PLAIN, 2, case.precision)
    given = {"precision": case.precision}
    whole = [0] * (pairs * case.samples**2 <= limiting_layers.WHOLE)
    batches = [*whole, *limiting_layers.BATCHES]
    network = {"layers": description, "beta": BETA, "batches": batches, **given}

    def evaluate() -> Any:
        return kernels(x, layers=layers, **given)

    def recursion() -> Any:
        return kernels(plain, depth=activations + 1, beta=BETA, **given)

    calls = {"ours": lambda: seconds(evaluate), "plain": lambda: seconds(recursion)}
    times: Times = {}
    theirs: Timing | str = NOT_MEASURED
    difference = None
    if peer:
        try:
            times, ntk = beside_peer(calls, peer, x, network, repeats, 0)
            theirs = Timing.of(times["peer"])
            difference = largest_difference(evaluate().ntk, ntk)
        except limiting_peer.PeerError as error:
            print(f"{case}: {error}", file=sys.stderr)
            theirs = FAILED
    times = times or interleave(calls, repeats)
    ours, beside = Timing.of(times["ours"]), Timing.of(times["plain"])
    entries = pairs * case.samples**2, activations * len(plain) ** 2
    rates = entries[0] / ours.median, entries[1] / beside.median
    return LayersRow(case, ours, *rates, theirs, difference)


def absence(case: Case, peer: Sequence[str]) -> str:
    """Why there is no time of the peer; nothing if there is one."""
    if not peer:
        return NOT_MEASURED
    return "" if case.activation in limiting_peer.ACTIVATIONS else NO_KERNEL


def beside_peer(
    calls: Mapping[str, Call],
    peer: Sequence[str],
    x: np.ndarray,
    network: Mapping[str, Any],
    repeats: int,
    memory: int,
) -> tuple[Times, np.ndarray]:
    """Seconds of the calls and of the peer, in turn, and the peer's NTK.

    Raises
    ------
    PeerError
        If the peer's process ends before.
    """
    with tempfile.TemporaryDirectory(prefix="ntkflow-bench-") as folder:
        given, ntk = (str(Path(folder) / name) for name in ("inputs.npy", "ntk.npy"))
        np.save(given, x)
        with limiting_peer.running(peer, {**network, "inputs": given, "ntk": ntk}) as process:
            times = interleave({**calls, "peer": process.seconds}, repeats, memory)
        return times, np.load(ntk)


def chosen(groups: Sequence[str], quick: bool) -> list[Case]:
    """Cases of the groups, each once."""
    cases = [case for group in groups for case in GROUPS.get(group, ())]
    return list(dict.fromkeys(map(shrunk, cases) if quick else cases))


def shrunk(case: Case) -> Case:
    """What --quick computes instead."""
    return replace(case, samples=case.samples // QUICK)


def circumstances(peer: Sequence[str]) -> Iterator[str]:
    """Lines on machine, load and versions."""
    import jax

    ours = {name: version(name) for name in ("ntkflow", "jax", "jaxlib", "numpy", "zarr")}
    yield f"machine  {platform.platform()}, {os.cpu_count()} cores, JAX on {jax.devices()[0]}"
    yield f"load     {os.getloadavg()[0]:.2f} processes in the minute before"
    for name, versions in (("ours", ours), ("peer", limiting_peer.versions(peer) if peer else {})):
        listed = ", ".join(f"{package} {number}" for package, number in versions.items())
        yield f"{name:8} {listed or NOT_MEASURED}"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table, each row as it comes."""
    print(f"\n{header(columns)}", flush=True)
    for row in rows:
        print(line(row, columns), flush=True)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command = argparse.ArgumentParser(description="Time limiting kernels (NNGP and NTK).")
    command.add_argument("--quick", action="store_true", help="on few inputs, to try it")
    command.add_argument(
        "--only", nargs="+", choices=[*GROUPS, LAYERS, STORE], metavar="GROUP", help="default: all"
    )
    command.add_argument("--repeats", type=int, default=5, help="of each time; default: 5")
    command.add_argument("--store-samples", type=int, nargs="+", default=[8000], metavar="N")
    command.add_argument(
        "--directory", type=Path, help="where to put the stores while they are measured"
    )
    peer = command.add_mutually_exclusive_group()
    peer.add_argument("--peer", type=Path, metavar="PYTHON", help="with neural-tangents installed")
    peer.add_argument(
        "--make-peer", type=Path, metavar="DIR", help="make that environment first (2.6 GB)"
    )
    return command


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, measure and print."""
    from ntkflow.api import limiting_kernels

    options = parser().parse_args(arguments)
    python, repeats = options.peer, options.repeats
    if options.make_peer:
        python = limiting_peer.make_environment(options.make_peer)
    peer = [str(python), str(limiting_peer.SCRIPT)] if python else []
    print("\n".join(circumstances(peer)))
    only = options.only or [*GROUPS, LAYERS, STORE]
    cases = chosen(only, options.quick)
    if cases:
        rows = (measure(case, limiting_kernels, peer, repeats) for case in cases)
        table(KERNEL_COLUMNS, map(kernel_cells, rows))
    if LAYERS in only:
        layered = limiting_layers.cases(quick=options.quick)
        found = (measure_layers(case, limiting_kernels, peer, repeats) for case in layered)
        table(limiting_layers.LAYERS_COLUMNS, map(limiting_layers.layers_cells, found))
    if STORE in only:
        writer = [sys.executable, limiting_store.__file__]
        stored = [Case(samples) for samples in options.store_samples]
        table(
            STORE_COLUMNS,
            (
                store_cells(measure_store(case, writer, options.directory, repeats))
                for case in (map(shrunk, stored) if options.quick else stored)
            ),
        )


if __name__ == "__main__":
    main()
