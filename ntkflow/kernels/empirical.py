"""The empirical NTK from one forward and one backward sweep, without a Jacobian."""

from typing import NamedTuple

import jax.numpy as jnp

from ntkflow.aliases import AnyArray, Array, Float, OutputGram

__all__ = ["Sweep", "layerwise_ntk"]


class Sweep(NamedTuple):
    """What one layer's parameters see of each input.

    Attributes
    ----------
    activity
        a^l(x), what the layer receives, (n, n_l).
    sensitivity
        d_k^{l+1}(x) = df_k / dz^{l+1}, how output k moves with the layer, (n, k, n_{l+1}).
    """

    activity: Float[AnyArray, "n width"]
    sensitivity: Float[Array, "n k next_width"]


def layerwise_ntk(
    sweeps1: list[Sweep], sweeps2: list[Sweep], *, beta: float, weight_gain: float = 1.0
) -> OutputGram:
    """Empirical NTK Theta_{kk'}(x, x') of a network in NTK parametrization, (n, m, k, k).

    The gradient of f_k with respect to W^l is an outer product, so its Gram matrix is an
    elementwise product of two; summed over layers,
    (sigma_w^2 <a^l(x), a^l(x')> / n_l + beta^2) <d_k^{l+1}(x), d_k'^{l+1}(x')>.
    Exact for the given parameters. O(N n^2 L) operations for the sweeps and O(N^2 n L) here.
    """
    first, second = sweeps1[0], sweeps2[0]
    shape = (len(first.activity), len(second.activity), *first.sensitivity.shape[1:2] * 2)
    total = jnp.zeros(shape, first.activity.dtype)
    for one, two in zip(sweeps1, sweeps2, strict=True):
        width = one.activity.shape[1]
        inputs = jnp.matmul(one.activity, two.activity.T, precision="highest")
        weights = weight_gain**2 * inputs / width + beta**2
        outputs = jnp.einsum("nkw,mlw->nmkl", one.sensitivity, two.sensitivity, precision="highest")
        total += weights[:, :, None, None] * outputs
    return total
