"""Limiting kernels of convolutional networks: beside the peer, and beside the recursion over depth.

A network is a list of layers that both sides understand: "relu", "dense", "flatten", "mean" (global
average pooling), {"conv": filter, "strides": ..., "padding": ...}, {"average": window} and
{"residual": layers}.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from benchmarks.limiting_tables import Timing

CONV, VALID = {"conv": [3, 3]}, {"conv": [3, 3], "padding": "valid", "strides": [2, 2]}
AVERAGE, CIRCULAR = {"average": [2, 2]}, {"conv": [3, 3], "padding": "circular"}
NETWORKS: dict[str, list[Any]] = {
    "2 conv, flatten": [CONV, "relu", CONV, "relu", "flatten", "dense"],
    "2 conv, pool": [CONV, "relu", CONV, "relu", "mean", "dense"],
    "2 circular conv, pool": [CIRCULAR, "relu", CIRCULAR, "relu", "mean", "dense"],
    "conv of stride 2, flatten": [VALID, "relu", "flatten", "dense", "relu", "dense"],
    "conv, average, conv": [
        *(CONV, "relu", AVERAGE),
        *(CONV, "relu", "flatten", "dense"),
    ],
    "residual conv, pool": [
        *(CONV, {"residual": ["relu", CONV, "relu", CONV]}),
        *("relu", "mean", "dense"),
    ],
}
BATCHES = (10, 25, 50)
"""Numbers of inputs whose kernels the peer computes at once, of which it takes the fastest."""
WHOLE = 2**26
"""Largest number of pairs of positions that the peer computes at once too: 0.25 GiB an array."""
SAMPLES, POOLED = 500, 50
"""Numbers of images where each has 64 positions, and where all pairs of them matter."""
PLAIN = 4000
"""Number of inputs of the fully-connected network beside them."""


@dataclass(frozen=True)
class LayersCase:
    """A network of layers at a number of images of digits."""

    name: str
    samples: int
    precision: str = "float32"


@dataclass(frozen=True)
class LayersRow:
    """Times of one case.

    `rate` counts pairs of positions of all activations in a second, `plain` those of a
    fully-connected network with as many activations, whose inputs have one position.
    """

    case: LayersCase
    ours: Timing
    rate: float
    plain: float
    peer: Timing | str
    difference: float | None = None


LAYERS_COLUMNS = (
    *("network", "N", "precision", "s", "min s", "G/s", "plain G/s", "plain / ours"),
    *("peer s", "peer min s", "peer / ours", "NTK differs"),
)


def cases(*, quick: bool) -> list[LayersCase]:
    """One case per network; --quick takes as few images for all."""
    pooled = {name for name, layers in NETWORKS.items() if "mean" in layers or AVERAGE in layers}
    return [LayersCase(n, POOLED if quick or n in pooled else SAMPLES) for n in NETWORKS]


def images(samples: int, precision: str) -> np.ndarray:
    """Digits of 8 x 8 pixels from scikit-learn, (n, 8, 8, 1), of mean 0 and variance 1."""
    from sklearn.datasets import load_digits

    x = load_digits().images[:samples, :, :, None]
    return np.asarray((x - x.mean()) / x.std(), precision)


def built(description: Sequence[Any], beta: float) -> list[Any]:
    """Layers of `ntkflow.api.layers` from their description."""
    from ntkflow.api import layers

    made: list[Any] = []
    for entry in description:
        match entry:
            case "relu":
                made.append(layers.activation("relu"))
            case "dense":
                made.append(layers.dense(beta=beta))
            case "flatten":
                made.append(layers.flatten())
            case "mean":
                made.append(layers.global_average_pool())
            case {"conv": shape}:
                further: dict[str, Any] = {k: v for k, v in entry.items() if k != "conv"}
                made.append(layers.convolution(shape, beta=beta, **further))
            case {"average": window}:
                made.append(layers.average_pool(window))
            case {"residual": branch}:
                made.append(layers.residual(*built(branch, beta)))
    return made


def count_pairs(layers: Sequence[Any], shape: tuple[int, ...]) -> tuple[int, int]:
    """Numbers of activations, and of pairs of positions summed over them, for two inputs."""
    from ntkflow.kernels.schedule import activations, schedule

    steps = activations(schedule(tuple(layers), shape))
    return len(steps), sum(prod(s.positions) ** (2 if s.everywhere else 1) for s in steps)


def layers_cells(row: LayersRow) -> list[str]:
    """Text of a row, in the order of `LAYERS_COLUMNS`."""
    case, ours, peer = row.case, row.ours, row.peer
    cells = [case.name, str(case.samples), case.precision]
    cells += [f"{ours.median:.3g}", f"{ours.minimum:.3g}", f"{row.rate / 1e9:.3g}"]
    cells += [f"{row.plain / 1e9:.3g}", f"{row.plain / row.rate:.2f}"]
    if isinstance(peer, str):
        return [*cells, peer, "", "", ""]
    cells += [f"{peer.median:.3g}", f"{peer.minimum:.3g}", f"{peer.median / ours.median:.2f}"]
    return [*cells, "" if row.difference is None else f"{row.difference:.0e}"]
