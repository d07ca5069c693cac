"""Networks composed of layers, with given or initial parameters."""

from __future__ import annotations  # so that help() names the types of arguments

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np

from ntkflow.interface.arguments import Precision, Seed
from ntkflow.interface.checks import COUNT, checked, instance, listed, refusal
from ntkflow.interface.layers import LayerList
from ntkflow.interface.network import Network, cast_array, full_precision
from ntkflow.networks.composed import composed
from ntkflow.networks.mlp import Architecture, root_key

Shape = Annotated[Sequence[int], partial(listed, each=COUNT, shortest=1)]
Arrays = Annotated[Any, partial(instance, kind=list | tuple, expected="parameters of a network")]


@checked
def layered_network(
    layers: LayerList,
    shape: Shape,
    *,
    parameters: Arrays | None = None,
    seed: Seed = 0,
    precision: Precision = "float64",
) -> Network:
    """Network composed of layers, in NTK parametrization.

    Parameters
    ----------
    layers
        Layers, applied one after the other. Dense layers and convolutions have a ``width``, that of
        the last one is the number of outputs.
    shape
        Shape of one input: (features,), (length, channels) or (height, width, channels). Functions
        of the network take inputs as rows of all entries, (n, d).
    parameters
        Parameters of the same layers, such as ``parameters`` of a trained network; drawn from
        N(0, 1) by default.
    seed
        Seed of the draws, from 0 to 2^64 - 1. They depend on the layers, the shape and it alone.
    precision
        Precision of the network's arithmetic, ``float64`` or ``float32``.

    Returns
    -------
    Network
        Network for `empirical_ntk`, `store_empirical_ntk` and `train`. Dense layers that alternate
        with one activation are the same network as that of `network`.

    Raises
    ------
    ValueError
        If an argument is invalid or layers do not fit together. The message names the argument or
        layer, what was found and what is expected.
    """
    model, features, dtype = (
        composed(tuple(layers), shape),
        int(np.prod(shape)),
        np.dtype(precision),
    )
    count = model.parameter_count(features)
    if count >= 2**31:
        raise ValueError(f"layers: found {count:,} parameters, expected fewer than {2**31:,}")
    # Without jit, operations would run one by one and differ in the last bits.
    with full_precision(), jax.disable_jit(False):
        template = jax.eval_shape(lambda: model.init(root_key(0), features, dtype))
        theta = model.init(root_key(seed), features, dtype)
        if parameters is not None:
            theta = _given(parameters, template, dtype)
    sigma = model.activation.function if isinstance(model, Architecture) else None
    return Network(theta, model, sigma, ())


def _given(parameters: Any, template: Any, dtype: np.dtype) -> Any:
    """Parameters in `dtype`; ValueError unless their arrays have the shapes of the template."""
    leaves, expected = jax.tree.leaves(parameters), jax.tree.leaves(template)
    shapes = [np.shape(leaf) for leaf in leaves]
    if shapes != [leaf.shape for leaf in expected]:
        raise refusal("parameters", shapes, f"arrays of the shapes {[p.shape for p in expected]}")
    cast = [jnp.asarray(cast_array(np.asarray(leaf), dtype, "parameters")) for leaf in leaves]
    return jax.tree.unflatten(jax.tree.structure(template), cast)
