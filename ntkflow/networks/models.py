"""Finite networks of every kind from plain values of a configuration."""

from collections.abc import Mapping, Sequence
from typing import Any

from ntkflow.kernels.layers import layers_from_plain
from ntkflow.networks.composed import composed
from ntkflow.networks.function import FunctionArchitecture
from ntkflow.networks.mlp import Architecture
from ntkflow.networks.model import Model


def network_from_plain(**plain: Any) -> Model:
    """Network of the kind that the keys determine.

    ``layers`` and ``shape``: composed of layers (`layers_from_plain`); ``function``, ``width``,
    ``outputs`` and optionally ``shape``: the user's function "module:function"; else
    fully-connected, with the keys of `Architecture.from_plain`.
    """
    if "layers" in plain:
        return _from_layers(**plain)
    if "function" in plain:
        shape = plain.get("shape")
        return FunctionArchitecture(**{**plain, "shape": shape and tuple(shape)})
    return Architecture.from_plain(**plain)


def _from_layers(layers: Sequence[Mapping[str, Any]], shape: Sequence[int]) -> Model:
    return composed(layers_from_plain(layers), tuple(shape))
