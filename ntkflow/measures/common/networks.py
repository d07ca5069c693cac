"""Networks from their settings."""

from collections.abc import Mapping
from typing import Any

from ntkflow.kernels.activations import activation
from ntkflow.kernels.tiles import Network
from ntkflow.networks.mlp import Architecture


def finite_networks(settings: Mapping[int, Mapping[str, Any]]) -> dict[int, Architecture]:
    """Networks by width, from the keys of their constructor."""
    return {width: Architecture.from_plain(**plain) for width, plain in settings.items()}


def limiting_network(settings: Mapping[str, Any]) -> Network:
    """Network in the limit n -> infinity, from activation, depth, beta and weight_gain."""
    return Network(**{**settings, "activation": activation(**settings["activation"])})
