"""Data that a measure is computed from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import xarray as xr

if TYPE_CHECKING:  # most measures need no JAX
    from ntkflow.kernels.dual import Activation
    from ntkflow.kernels.layers import Layers
    from ntkflow.kernels.tiles import Network
    from ntkflow.networks.mlp import Architecture


BY_WIDTH = {"ensembles": "ensemble", "dynamics": "dynamics", "initial": "initial_kernels"}
"""Attributes of `Sources` with one store for each width, and the kind of these stores."""


@dataclass(frozen=True)
class Sources:
    """Data that a measure is computed from; only what its `Settings.reads` lists is set."""

    dataset: xr.Dataset = field(default_factory=xr.Dataset)
    limiting: xr.Dataset = field(default_factory=xr.Dataset)
    spectrum: xr.Dataset = field(default_factory=xr.Dataset)
    gaussian: xr.Dataset = field(default_factory=xr.Dataset)
    # By width: stores of the kinds "ensemble", "dynamics" and "initial_kernels".
    ensembles: Mapping[int, xr.Dataset] = field(default_factory=dict)
    dynamics: Mapping[int, xr.Dataset] = field(default_factory=dict)
    initial: Mapping[int, xr.Dataset] = field(default_factory=dict)
    # Network of each width, and in the limit n -> infinity, set if `reads` lists "networks".
    architectures: "Mapping[int, Architecture]" = field(default_factory=dict)
    # `limit` is None, and `architectures` has other models, if they are not fully-connected.
    limit: "Network" = None  # type: ignore[assignment]
    layers: "Layers" = ()  # of a network composed of layers
    # Networks whose exact moments are expected, if not those of `architectures`.
    expected: "Mapping[int, Architecture]" = field(default_factory=dict)
    seed: int = 0  # root of all random keys
    memory: float = 2.0**31  # bytes for solvers
    progress: Callable[[str], None] = lambda line: None  # writes one line of progress

    @property
    def samples(self) -> int:
        """Number N of training points, which come first."""
        return int(self.dataset["is_train"].sum())

    @property
    def relu(self) -> bool:
        """Whether networks are fully-connected with ReLU, whose moments are exact at any width."""
        return self.limit is not None and self.limit.activation.name == "relu"

    @property
    def activations(self) -> "list[Activation]":
        """Activations of the network, if it has a limit."""
        return [self.limit.activation] if self.limit is not None else _activations(self.layers)

    @property
    def theory(self) -> "Mapping[int, Architecture]":
        """Network of each width whose exact moments are expected."""
        return self.expected or self.architectures


def _activations(layers: "Layers") -> "list[Activation]":
    found: list[Activation] = []
    for layer in layers:
        parts = (getattr(layer, name, ()) for name in ("branch", "shortcut"))
        inner = [activation for part in parts for activation in _activations(part)]
        found += [layer.activation] if hasattr(layer, "activation") else inner
    return found
