"""Networks in the standard (LeCun) parametrization, which JGH Remark 1 compares with theirs.

z^{l+1} = W^l a^l + b^l, a^l = sigma(z^l). The initialisation contains the factors of the NTK
parametrization: W^l ~ N(0, sigma_w^2 / n_l) and b^l ~ N(0, beta^2).
"""

import jax.numpy as jnp

from ntkflow.aliases import Array, Inputs, Outputs
from ntkflow.kernels.dual import Activation
from ntkflow.networks.mlp import Architecture, Layer, Parameters


def standard_parameters(parameters: Parameters, architecture: Architecture) -> Parameters:
    """Standard parameters of the same function: sigma_w W^l / sqrt(n_l) and beta b^l."""
    return [
        Layer(
            architecture.weight_gain * layer.weight / jnp.sqrt(float(len(layer.weight))),
            architecture.beta * layer.bias,
        )
        for layer in parameters
    ]


def apply_standard(parameters: Parameters, x: Inputs, activation: Activation) -> Outputs:
    """f_theta(x) (n, n_L) at inputs x (n, n_0) and parameters in the standard parametrization."""
    values = jnp.asarray(x)
    for layer in parameters[:-1]:
        values = activation.function(values @ layer.weight + layer.bias[None, :])
    return values @ parameters[-1].weight + parameters[-1].bias[None, :]


def equivalent_rates(
    parameters: Parameters, architecture: Architecture, rate: float | Array
) -> Parameters:
    """Learning rates that train f as `rate` does in the NTK parametrization.

    With W_std = c W, the step -eta dC/dW equals the step -eta c^2 dC/dW_std. Each layer therefore
    has the rates eta sigma_w^2 / n_l (weights) and eta beta^2 (biases).
    """
    gain, beta = architecture.weight_gain, architecture.beta
    return [
        Layer(jnp.asarray(rate * gain**2 / len(layer.weight)), jnp.asarray(rate * beta**2))
        for layer in parameters
    ]
