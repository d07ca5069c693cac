"""Arguments of the public functions from plain values of a configuration."""

from collections.abc import Mapping
from typing import Any

import xarray as xr

from ntkflow.kernels.layers import layers_from_plain


def limit_arguments(x: xr.DataArray, network: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Inputs and network arguments of `store_limiting_kernels`, from x (sample, feature).

    `network` contains these arguments, or plain ``layers`` and the ``shape`` of one input.
    """
    if "layers" not in network:
        return x, dict(network)
    images = x.data.reshape((len(x), *network["shape"]))
    return images, {"layers": layers_from_plain(network["layers"])}
