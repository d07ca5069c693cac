"""Exact moments of finite ReLU networks at the points of a data set."""

from collections.abc import Iterable

import numpy as np

from ntkflow.kernels.moments import relu_moments
from ntkflow.networks.mlp import Architecture
from ntkflow.networks.model import Model


def has_exact_means(networks: Iterable[Model]) -> bool:
    """Return True if `exact_means` is known for networks: fully-connected ones with ReLU."""
    return all(
        isinstance(network, Architecture) and network.activation.name == "relu"
        for network in networks
    )


def exact_means(architecture: Architecture, x: np.ndarray, *names: str) -> list[float]:
    """Means over the points x (N, n_0) of properties of `Moments`, for a ReLU network."""
    found = [
        relu_moments(
            float(norm),
            architecture.hidden_widths,
            features=x.shape[1],
            beta=architecture.beta,
            weight_gain=architecture.weight_gain,
        )
        for norm in np.sum(np.asarray(x, np.float64) ** 2, axis=1)
    ]
    return [float(np.mean([getattr(each, name) for each in found])) for name in names]
