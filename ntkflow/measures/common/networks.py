"""Networks from their settings."""

from collections.abc import Mapping
from typing import Any

from ntkflow.kernels.activations import activation
from ntkflow.kernels.layers import layers_from_plain
from ntkflow.kernels.tiles import Network
from ntkflow.networks.models import network_from_plain


def networks(
    finite: Mapping[int, Mapping[str, Any]], limit: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return `architectures`, and `limit` or `layers`, of `Sources` from plain values.

    `finite` has those of `network_from_plain` by width, and `limit` those of `Network`, or the
    layers and shape of a composed network; None for a network without a limit.
    """
    found = {"architectures": {n: network_from_plain(**plain) for n, plain in finite.items()}}
    if limit is None:
        return found
    if "layers" in limit:
        return {**found, "layers": layers_from_plain(limit["layers"])}
    return {**found, "limit": Network(**{**limit, "activation": activation(**limit["activation"])})}
