"""Data that a measure is computed from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import xarray as xr

if TYPE_CHECKING:  # most measures need no JAX
    from ntkflow.kernels.tiles import Network
    from ntkflow.networks.mlp import Architecture


BY_NUMBER = {
    "ensembles": "ensemble",
    "dynamics": "dynamics",
    "initial": "initial_kernels",
    "landmarks": "landmarks",
}
"""Attributes of `Sources` with one store for each width, or for each number of landmarks, and the
kind of these stores."""


@dataclass(frozen=True)
class Sources:
    """Data that a measure is computed from; only what `Settings.needs` lists is set."""

    dataset: xr.Dataset = field(default_factory=xr.Dataset)
    limiting: xr.Dataset = field(default_factory=xr.Dataset)
    spectrum: xr.Dataset = field(default_factory=xr.Dataset)
    gaussian: xr.Dataset = field(default_factory=xr.Dataset)
    # By width: stores of the kinds "ensemble", "dynamics" and "initial_kernels".
    ensembles: Mapping[int, xr.Dataset] = field(default_factory=dict)
    dynamics: Mapping[int, xr.Dataset] = field(default_factory=dict)
    initial: Mapping[int, xr.Dataset] = field(default_factory=dict)
    # Network of each width, a `Model`, and in the limit n -> infinity if they are fully-connected;
    # set if `needs` lists "networks".
    architectures: "Mapping[int, Any]" = field(default_factory=dict)
    limit: "Network" = None  # type: ignore[assignment]
    # Networks whose exact moments are expected, if not those of `architectures`.
    expected: "Mapping[int, Architecture]" = field(default_factory=dict)
    seed: int = 0  # root of all random keys
    memory: float = 2.0**31  # bytes for solvers
    progress: Callable[[str], None] = lambda line: None  # writes one line of progress
    # By number of landmarks: stores of the kind "landmarks".
    landmarks: Mapping[int, xr.Dataset] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        """Number N of training points, which come first."""
        return int(self.dataset["is_train"].sum())

    @property
    def theory(self) -> "Mapping[int, Architecture]":
        """Network of each width whose exact moments are expected."""
        return self.expected or self.architectures
