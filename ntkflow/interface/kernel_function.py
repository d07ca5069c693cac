"""Limiting kernels as JAX functions of the inputs and the factors of biases and weights."""

from __future__ import annotations  # so that help() names the types of arguments

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ntkflow.interface.arguments import Activation, Beta, Kinks, WeightGain
from ntkflow.interface.checks import checked, refusal
from ntkflow.interface.layers import LayerList
from ntkflow.interface.limiting import Depth, described
from ntkflow.kernels.differentiable import composed_kernels, connected_kernels
from ntkflow.kernels.layers import Layers, check_layers
from ntkflow.kernels.limiting import LimitingKernels as Kernels
from ntkflow.kernels.schedule import fully_connected, weighted_layers
from ntkflow.kernels.tiles import Network


@dataclass(frozen=True)
class KernelFunction:
    """Both limiting kernels of a network, as a JAX function; made by `api.kernel_function`.

    Calls can be differentiated in all their arguments, jitted and vmapped.
    """

    network: Network | Layers

    def __call__(
        self, x1: Any, x2: Any = None, *, beta: Any = None, weight_gain: Any = None
    ) -> Kernels:
        """Kernels between all rows of x1 and x2, or of x1 alone.

        Values are not checked. Kernels are NaN if the dual of a smooth activation is inaccurate for
        an input; `api.limiting_kernels` then says why.

        Parameters
        ----------
        x1, x2
            Inputs (n, d) and (m, d), or ``(n, *positions, channels)`` and
            ``(m, *positions, channels)``.
        beta, weight_gain
            Factors of biases and weights, instead of those of the network: one number, or with
            `layers` also one for each layer with weights, in their order.

        Returns
        -------
        Kernels
            ``nngp`` and ``ntk``, JAX arrays (n, m) in float64.

        Raises
        ------
        ValueError
            If a shape does not fit the network, or float64 is not enabled in JAX.
        """
        if not jax.config.read("jax_enable_x64"):
            raise ValueError(
                "jax_enable_x64: found False, expected True, because kernels are in float64; call "
                "jax.config.update('jax_enable_x64', True) first"
            )
        one, two = _real("x1", x1), None if x2 is None else _real("x2", x2)
        if one.ndim < 2:
            raise _shape("x1", one, "a row per input")
        given = {"beta": beta, "weight_gain": weight_gain}
        kind = "a number or an array"
        factors = {name: _real(name, v, kind) for name, v in given.items() if v is not None}
        if isinstance(self.network, Network):
            return _connected(self.network, one, two, factors)
        check_layers(self.network, one.shape[1:])
        plain = fully_connected(self.network)
        if plain is not None and not any(factor.ndim for factor in factors.values()):
            return _connected(plain, one, two, factors)
        _check_same(one, two)
        by_place = {}
        if factors:
            places, own = zip(*weighted_layers(self.network), strict=True)
            both = (_each(name, factors, own) for name in given)
            by_place = dict(zip(places, zip(*both, strict=True), strict=True))
        return composed_kernels(one, two, by_place, layers=self.network)


@checked
def kernel_function(
    *,
    depth: Depth | None = None,
    layers: LayerList | None = None,
    activation: Activation = "relu",
    kinks: Kinks = (),
    beta: Beta = 0.1,
    weight_gain: WeightGain = 1.0,
) -> KernelFunction:
    """Limiting kernels of a network as a function of JAX arrays, which can be differentiated.

    Use it to fit inputs or factors by gradients. For kernels alone, `api.limiting_kernels` is
    faster and needs less memory.

    Parameters
    ----------
    depth, layers, activation, kinks, beta, weight_gain
        As in `limiting_kernels`.

    Returns
    -------
    KernelFunction
        Function of ``x1, x2, beta, weight_gain``, of which only x1 is needed.

    Raises
    ------
    ValueError
        If an argument is invalid.
    """
    return KernelFunction(described(depth, layers, (activation, kinks, beta, weight_gain)))


def _connected(
    network: Network, one: jax.Array, two: jax.Array | None, factors: Mapping[str, jax.Array]
) -> Kernels:
    """Kernels of a fully-connected network, by a recursion that compiles faster."""
    if one.ndim != 2:
        raise _shape("x1", one, "(samples, features)")
    _check_same(one, two)
    (bias,), (gain,) = (_each(name, factors, [network]) for name in ("beta", "weight_gain"))
    activation, depth = network.activation, network.depth
    return connected_kernels(one, two, bias, gain, activation=activation, depth=depth)


def _real(name: str, value: Any, kind: str = "an array") -> jax.Array:
    """JAX array in float64; ValueError unless its values are real numbers."""
    expected = f"{kind} of real numbers"
    try:
        found = jnp.asarray(None if isinstance(value, str) else value)
    except (TypeError, ValueError):
        raise refusal(name, value, expected) from None
    if not any(jnp.issubdtype(found.dtype, group) for group in (jnp.floating, jnp.integer)):
        raise refusal(name, value, expected)
    return found.astype(np.float64)


def _shape(name: str, array: jax.Array, expected: str) -> ValueError:
    return ValueError(f"{name}: found the shape {array.shape}, expected {expected}")


def _check_same(one: jax.Array, two: jax.Array | None) -> None:
    if two is not None and two.shape[1:] != one.shape[1:]:
        raise ValueError(f"x2: found inputs {two.shape[1:]}, expected {one.shape[1:]}, as x1 has")


def _each(name: str, factors: Mapping[str, jax.Array], own: Sequence[Any]) -> list[jax.Array]:
    """The factor of a name for each of several layers: its own, one for all, or one for each."""
    found = factors.get(name, jnp.asarray([getattr(layer, name) for layer in own], np.float64))
    if found.shape not in ((), (len(own),)):
        expected = "a number" if len(own) == 1 else f"a number, or {len(own)}, one per layer"
        raise _shape(name, found, expected)
    return [*jnp.broadcast_to(found, (len(own),))]
