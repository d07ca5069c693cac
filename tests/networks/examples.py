"""Small networks, and their NTK by plain Jacobian contraction."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from ntkflow.kernels.activations import activation
from ntkflow.networks.mlp import Architecture, apply

ARCHITECTURES: Mapping[str, Architecture] = {
    "relu": Architecture((7, 5), activation("relu"), beta=0.1),
    "three outputs": Architecture((4, 9), activation("tanh"), 0.3, weight_gain=1.5, outputs=3),
    "gelu": Architecture((8,), activation("gelu"), beta=0.0, weight_gain=2**0.5, outputs=2),
    "linear": Architecture((), activation("relu"), beta=0.2, outputs=2),
    "softplus": Architecture((3, 2, 3), activation("softplus"), beta=0.5),
}


def inputs(count: int, features: int = 3, seed: int = 0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=(count, features)))


def jacobian_ntk(parameters, x1, x2, architecture):
    """sum_p df_k(x)/dtheta_p df_k'(x')/dtheta_p, (n, m, k, k)."""

    @jax.jit
    def flat_jacobian(x):
        jacobian = jax.jacobian(lambda theta: apply(theta, x, architecture))(parameters)
        leaves = [leaf.reshape(*leaf.shape[:2], -1) for leaf in jax.tree.leaves(jacobian)]
        return jnp.concatenate(leaves, axis=-1)

    return np.einsum("nkp,mlp->nmkl", flat_jacobian(x1), flat_jacobian(x2))
