"""The network linearised about theta(0), whose kernel is the empirical NTK at theta(0) for ever.

f_lin(theta, x) = f(theta(0), x) + <grad f(theta(0), x), theta - theta(0)>. Gradient descent on
least squares moves it by kernel gradient descent with that kernel, which `kernels.dynamics` solves
in closed form (JGH Section 5; Lee et al. 2019).
"""

import jax
import jax.numpy as jnp

from ntkflow.aliases import Inputs, Outputs
from ntkflow.networks.mlp import Architecture, Parameters, apply

__all__ = ["apply_linearised"]


def apply_linearised(
    parameters: Parameters, initial: Parameters, x: Inputs, architecture: Architecture
) -> Outputs:
    """f_lin at `parameters`, (n, k), linearised about `initial`; no Jacobian is formed."""
    moved = jax.tree.map(jnp.subtract, parameters, initial)
    f, change = jax.jvp(lambda theta: apply(theta, x, architecture), (initial,), (moved,))
    return f + change
