"""Rows and text of the tables on limiting kernels; pure functions of measured times."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple, Self

import numpy as np

MEASURED_BY_US = ("inputs", "d", "N", "L", "activation", "precision", "s", "min s", "M/s")
FLOOR = ("floor s", "/ floor")
PEER = ("peer s", "peer min s", "peer / ours", "NTK differs")
KERNEL_COLUMNS = (*MEASURED_BY_US, *FLOOR, *PEER)
STORE_COLUMNS = (
    *("N", "d", "L", "precision", "s", "min s", "M/s", "returned s", "GB", "of dense", "files"),
    *("half product s", "disk s", *FLOOR, "peak MiB"),
)
WIDTH = 9  # of a cell, at least, so that lines printed one by one stand below each other


@dataclass(frozen=True)
class Case:
    """A network and the inputs whose kernels are computed; all that differs between rows."""

    samples: int
    features: int = 784
    depth: int = 4
    activation: str = "relu"
    precision: str = "float32"
    inputs: str = "gaussian"


class Timing(NamedTuple):
    """Of several repeats, in seconds."""

    median: float
    minimum: float

    @classmethod
    def of(cls, times: Sequence[float]) -> Self:
        """Summary of `times`."""
        return cls(median(times), min(times))


@dataclass(frozen=True)
class KernelRow:
    """Times of one case. `peer` is a word where there is no time, `difference` then None."""

    case: Case
    ours: Timing
    floor: float
    peer: Timing | str
    difference: float | None = None


@dataclass(frozen=True)
class StoreRow:
    """One store: times until `synced` to disk and until the call `returned`, sizes, floors."""

    case: Case
    synced: Timing
    returned: Timing
    sizes: tuple[int, ...]  # bytes of each file
    half_product: float
    disk: float
    peak: int  # bytes, of all processes together

    @property
    def floor(self) -> float:
        return self.half_product + self.disk


def largest_difference(ntk: np.ndarray, other: np.ndarray, band: int = 1024) -> float:
    """Maximum of |Theta - Theta'| relative to sqrt(Theta(x, x) Theta(x', x')).

    Unlike a difference relative to the entry itself, it does not blow up where Theta crosses zero.
    """
    scale = np.sqrt(np.diag(ntk).astype(np.float64))
    worst = 0.0
    for start in range(0, len(ntk), band):
        rows = slice(start, start + band)
        difference = np.abs(ntk[rows].astype(np.float64) - other[rows])
        worst = max(worst, float(np.max(difference / scale[rows, None] / scale)))
    return worst


def throughput(samples: int, seconds: float) -> float:
    """Entries a second of the full N x N matrix, NNGP and NTK being one entry."""
    return samples**2 / seconds


def kernel_cells(row: KernelRow) -> list[str]:
    """Text of a row, in the order of `KERNEL_COLUMNS`."""
    case, ours, peer = row.case, row.ours, row.peer
    network = [case.depth, case.activation, case.precision]
    cells = [case.inputs, case.features, case.samples, *network, *_speed(case, ours)]
    cells += [_seconds(row.floor), f"{ours.median / row.floor:.2f}"]
    if isinstance(peer, str):
        return [*map(str, cells), peer, "", "", ""]
    cells += [_seconds(peer.median), _seconds(peer.minimum), f"{peer.median / ours.median:.2f}"]
    return [*map(str, cells), "" if row.difference is None else f"{row.difference:.0e}"]


def store_cells(row: StoreRow) -> list[str]:
    """Text of a row, in the order of `STORE_COLUMNS`."""
    case, written = row.case, sum(row.sizes)
    dense = 2 * case.samples**2 * np.dtype(case.precision).itemsize
    cells = [case.samples, case.features, case.depth, case.precision, *_speed(case, row.synced)]
    cells += [_seconds(row.returned.median), f"{written / 1e9:.3g}", f"{written / dense:.1%}"]
    cells += [len(row.sizes), _seconds(row.half_product), _seconds(row.disk), _seconds(row.floor)]
    return [*map(str, cells), f"{row.synced.median / row.floor:.2f}", f"{row.peak / 2**20:.0f}"]


def _speed(case: Case, timing: Timing) -> list[str]:
    entries = f"{throughput(case.samples, timing.median) / 1e6:.3g}"
    return [_seconds(timing.median), _seconds(timing.minimum), entries]


def _seconds(value: float) -> str:
    return f"{value:.3g}"


def line(cells: Sequence[str], columns: Sequence[str]) -> str:
    """One row of a table in Markdown, padded to the width of its columns."""
    widths = [max(len(column), WIDTH) for column in columns]
    return f"| {' | '.join(map(str.rjust, cells, widths))} |"


def header(columns: Sequence[str]) -> str:
    """The two lines that begin a table in Markdown."""
    dashes = ["-" * (max(len(column), WIDTH) - 1) + ":" for column in columns]
    return f"{line(columns, columns)}\n{line(dashes, columns)}"
