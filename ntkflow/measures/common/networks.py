"""Networks from their settings."""

from collections.abc import Mapping
from typing import Any

from ntkflow.kernels.activations import activation
from ntkflow.kernels.tiles import Network
from ntkflow.networks.models import network_from_plain


def networks(finite: Mapping[int, Mapping[str, Any]], limit: Mapping[str, Any]) -> dict[str, Any]:
    """Return `architectures` and `limit` of `Sources`, from the keys of their constructors."""
    return {
        "architectures": {n: network_from_plain(**plain) for n, plain in finite.items()},
        "limit": Network(**{**limit, "activation": activation(**limit["activation"])}),
    }
