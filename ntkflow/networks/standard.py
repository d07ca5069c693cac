"""The standard (LeCun) parametrization, for the comparison of JGH Remark 1.

z^{l+1} = W^l a^l + b^l, a^l = sigma(z^l): the factors of the NTK parametrization are in the
initialisation, W^l ~ N(0, sigma_w^2 / n_l) and b^l ~ N(0, beta^2).
"""

import jax.numpy as jnp

from ntkflow.aliases import Array, Inputs, Outputs
from ntkflow.kernels.dual import Activation
from ntkflow.networks.mlp import Architecture, Layer, Parameters

__all__ = ["apply_standard", "equivalent_rates", "standard_parameters"]


def standard_parameters(parameters: Parameters, architecture: Architecture) -> Parameters:
    """The parameters of the same function: sigma_w W^l / sqrt(n_l) and beta b^l."""
    return [
        Layer(
            architecture.weight_gain * layer.weight / jnp.sqrt(float(len(layer.weight))),
            architecture.beta * layer.bias,
        )
        for layer in parameters
    ]


def apply_standard(parameters: Parameters, x: Inputs, activation: Activation) -> Outputs:
    """f_theta(x), (n, n_L)."""
    activity = jnp.asarray(x)
    for layer in parameters[:-1]:
        activity = activation.function(activity @ layer.weight + layer.bias[None, :])
    return activity @ parameters[-1].weight + parameters[-1].bias[None, :]


def equivalent_rates(
    parameters: Parameters, architecture: Architecture, rate: float | Array
) -> Parameters:
    """Learning rates, one a layer's weights and biases, that leave f as in NTK parametrization.

    With W_std = c W, a step -eta dC/dW is a step -eta c^2 dC/dW_std: rates are
    eta sigma_w^2 / n_l and eta beta^2.
    """
    gain, beta = architecture.weight_gain, architecture.beta
    return [
        Layer(jnp.asarray(rate * gain**2 / len(layer.weight)), jnp.asarray(rate * beta**2))
        for layer in parameters
    ]
