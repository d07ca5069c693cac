"""Data that a measure is computed from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import xarray as xr

if TYPE_CHECKING:  # most measures need no JAX
    from ntkflow.kernels.tiles import Network
    from ntkflow.networks.mlp import Architecture


def _silent(line: str) -> None:
    """Drop a line of progress."""


@dataclass(frozen=True)
class Sources:
    """Data that a measure is computed from; only what its `Settings.reads` lists is set.

    Attributes
    ----------
    dataset, limiting, spectrum, gaussian
        Stores of these kinds.
    ensembles, dynamics, initial
        Stores of the kinds "ensemble", "dynamics" and "initial_kernels" by width.
    architectures
        Network of each width, set if `reads` lists "networks".
    limit
        Network in the limit n -> infinity, set with `architectures`.
    seed
        Root of all random keys.
    memory
        Bytes for solvers.
    progress
        Function that writes one line of progress.
    """

    dataset: xr.Dataset = field(default_factory=xr.Dataset)
    limiting: xr.Dataset = field(default_factory=xr.Dataset)
    spectrum: xr.Dataset = field(default_factory=xr.Dataset)
    gaussian: xr.Dataset = field(default_factory=xr.Dataset)
    ensembles: Mapping[int, xr.Dataset] = field(default_factory=dict)
    dynamics: Mapping[int, xr.Dataset] = field(default_factory=dict)
    initial: Mapping[int, xr.Dataset] = field(default_factory=dict)
    architectures: "Mapping[int, Architecture]" = field(default_factory=dict)
    limit: "Network" = None  # type: ignore[assignment]  # set where it is read
    seed: int = 0
    memory: float = 2.0**31
    progress: Callable[[str], None] = _silent
