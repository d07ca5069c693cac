r"""First step of networks in standard parametrization with one rate, to leading order in n.

With n_0..n_{L-1} the widths of the layers below each of the L weight layers, n_0 the input
dimension, kernel gradient descent has

    Theta_std = sum_l [n_l (Sigma^{l+1} - beta^2) / sigma_w^2 + 1] prod_{m > l+1} sigma_w^2 dSigma^m

in place of Theta_inf, l = 0..L-1.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from ntkflow.aliases import Float
from ntkflow.kernels.limiting import limiting_kernels
from ntkflow.kernels.tiles import Network


def standard_kernel(
    x: Float[np.ndarray, "n d"], network: Network, widths: Sequence[int]
) -> Float[np.ndarray, "n n"]:
    """Theta_std to leading order, for layers of n_0..n_{L-1} = `widths` units.

    Layer by layer as in Theorem 1, with sigma_w^2 dSigma^{l+1} = (Theta^{l+1} - Sigma^{l+1}) /
    Theta^l, which must not be zero.
    """
    gain, bias = network.weight_gain**2, network.beta**2
    ntk = standard = np.zeros((len(x), len(x)))
    for depth, width in enumerate(widths, 1):
        limit = limiting_kernels(x, x, **vars(dataclasses.replace(network, depth=depth)))
        nngp, now = np.asarray(limit.nngp), np.asarray(limit.ntk)
        passed = (now - nngp) / ntk if depth > 1 else 0.0
        standard = standard * passed + width * (nngp - bias) / gain + 1
        ntk = now
    return standard


def first_step_ratio(
    residual: Float[np.ndarray, "s n k"],
    standard: Float[np.ndarray, "n n"],
    ntk: Float[np.ndarray, "n n"],
) -> Float[np.ndarray, " s"]:
    """||Theta_std r|| / ||Theta_inf r|| for the residual r = f_0 - y of each network."""
    one, other = (
        np.linalg.norm(np.einsum("mn,snk->smk", kernel, residual), axis=(1, 2))
        for kernel in (standard, ntk)
    )
    return np.asarray(one / other)
