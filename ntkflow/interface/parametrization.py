"""Conversion of weights and learning rates between NTK and standard parametrization."""

from __future__ import annotations  # so that help() names the types of arguments

from collections.abc import Sequence
from functools import partial
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike

from ntkflow.interface import arrays
from ntkflow.interface.arguments import Beta, WeightGain
from ntkflow.interface.checks import checked, instance, listed, number, one_of
from ntkflow.interface.network import FullyConnected, full_precision
from ntkflow.kernels.layers import Dense
from ntkflow.networks.mlp import Layer, layer_scale
from ntkflow.networks.standard_parametrization import equivalent_rates, standard_parameters

Pairs = list[tuple[np.ndarray, np.ndarray]]
Weights = Annotated[
    Sequence[tuple[ArrayLike, ArrayLike]],
    partial(listed, each=arrays.standard_layer, shortest=1),
]
Transposed = Annotated[bool, partial(instance, kind=bool | np.bool_, expected="True or False")]
Rate = Annotated[float, partial(number, above=0)]
Parametrization = Annotated[str, partial(one_of, names=("standard", "ntk"))]


@checked
def from_standard(
    weights: Weights,
    *,
    beta: Beta = 0.1,
    weight_gain: WeightGain = 1.0,
    transposed: Transposed | None = None,
) -> Pairs:
    """Convert weights of a fully-connected network z = W a + b to the NTK parametrization.

    In the standard parametrization of PyTorch, Flax and Keras the factors of the NTK
    parametrization are part of the weights: W_std = weight_gain W / sqrt(fan_in), b_std = beta b.

    Parameters
    ----------
    weights
        Weights and biases (fan_out,) of each layer. Weights are (fan_in, fan_out) as in Flax and
        Keras, or (fan_out, fan_in) as in PyTorch; the layout is inferred from shapes.
    beta, weight_gain
        Factors of the NTK parametrization. Pass the same ones to `network`.
    transposed
        True for weights (fan_out, fan_in), False for (fan_in, fan_out). Required only if all
        weights are square.

    Returns
    -------
    list of (numpy.ndarray, numpy.ndarray)
        Weights (fan_in, fan_out) and biases (fan_out,) of each layer. `network` computes the same
        function from them and the same factors.

    Raises
    ------
    ValueError
        If an argument is invalid, shapes do not match, or a bias is not zero although beta is 0.
        The message names the argument, what was found and what is expected.
    """
    layers = [(np.asarray(weight), np.asarray(bias)) for weight, bias in weights]
    if arrays.is_transposed("weights", layers, transposed):
        layers = [(weight.T, bias) for weight, bias in layers]
    arrays.parameters("weights", layers)
    if beta == 0 and any(np.any(bias) for _, bias in layers):
        raise ValueError("beta: found 0, expected a positive number for biases that are not zero")
    factors = Dense(beta=beta, weight_gain=weight_gain)
    return [
        (weight / layer_scale(Layer(weight, bias), factors), bias / beta if beta else bias)
        for weight, bias in layers
    ]


@checked
def to_standard(network: FullyConnected, *, transposed: Transposed = False) -> Pairs:
    """Weights and biases of a network in the standard parametrization, z = a W + b.

    Parameters
    ----------
    network
        Network from `api.network`, or from the `networks` of a training.
    transposed
        True for weights (fan_out, fan_in), as in PyTorch's ``Linear``.

    Returns
    -------
    list of (numpy.ndarray, numpy.ndarray)
        Copies of the weights, (fan_in, fan_out) unless transposed, and biases (fan_out,) by layer.

    Raises
    ------
    ValueError
        If an argument is invalid. The message names it, what was found and what is expected.
    """
    with full_precision():
        layers = standard_parameters(network.parameters, network.architecture)
    found = [(np.array(weight), np.array(bias)) for weight, bias in layers]
    return [(weight.T if transposed else weight, bias) for weight, bias in found]


@checked
def learning_rates(
    network: FullyConnected,
    learning_rate: Rate = 1.0,
    *,
    parametrization: Parametrization = "standard",
) -> list[tuple[float, float]]:
    """Learning rates per layer that train like one rate in the other parametrization.

    With W_std = c W, a step of rate eta in W is a step of rate c^2 eta in W_std. Gradient descent
    with these rates passes through the same functions (JGH Remark 1).

    Parameters
    ----------
    network
        Network from `api.network`.
    learning_rate
        Rate of all parameters in the other parametrization.
    parametrization
        Parametrization in which the returned rates are used, ``standard`` or ``ntk``.

    Returns
    -------
    list of (float, float)
        Rates of the weights and of the biases of each layer: eta weight_gain^2 / fan_in and
        eta beta^2 in ``standard``, eta fan_in / weight_gain^2 and eta / beta^2 in ``ntk``.

    Raises
    ------
    ValueError
        If an argument is invalid, or beta is 0 for rates in ``ntk``. The message names the
        argument, what was found and what is expected.
    """
    to_ntk = parametrization == "ntk"
    if to_ntk and network.architecture.beta == 0:
        raise ValueError(
            "parametrization: found 'ntk' for a network with beta 0, expected 'standard': its "
            "biases have no effect, so no rate of the biases is equivalent"
        )
    with full_precision():
        squares = equivalent_rates(network.parameters, network.architecture, 1.0)
    pairs = [(float(weight), float(bias)) for weight, bias in squares]
    if to_ntk:
        return [(learning_rate / weight, learning_rate / bias) for weight, bias in pairs]
    return [(learning_rate * weight, learning_rate * bias) for weight, bias in pairs]
