"""Networks from their settings."""

from collections.abc import Mapping
from typing import Any

from ntkflow.kernels.activations import activation
from ntkflow.kernels.layers import layers_from_plain
from ntkflow.kernels.schedule import fully_connected
from ntkflow.kernels.tiles import Network
from ntkflow.networks.models import network_from_plain


def networks(
    finite: Mapping[int, Mapping[str, Any]], limit: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return `architectures` and `limit` of `Sources`, from the keys of their constructors.

    The limit is None for networks that are not fully-connected.
    """
    return {
        "architectures": {n: network_from_plain(**plain) for n, plain in finite.items()},
        "limit": None if limit is None else _limit(**limit),
    }


def _limit(**plain: Any) -> Network | None:
    if "layers" in plain:
        return fully_connected(layers_from_plain(plain["layers"]))
    return Network(**{**plain, "activation": activation(**plain["activation"])})
