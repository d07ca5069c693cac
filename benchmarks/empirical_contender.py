"""Evaluate one empirical NTK repeatedly; run by the Python of the method that is measured.

The one argument is JSON: inputs and ntk (paths of .npy files, read and written), network (a mapping
of `kind` and its sizes), beta, and the way: ntkflow (its layerwise identity, of fully-connected
networks only), function (ntkflow's kernel of any function), jacobian (contraction in plain JAX),
torch.func (the same in PyTorch), or one of the three implementations of neural-tangents. Answers as
`limiting_peer.py` does, with the peak of memory in bytes above that before the first evaluation.
"""

import json
import resource
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

PEERS = {"contraction": 1, "ntk-vector products": 2, "structured derivatives": 3}
BLOCKS = 2  # residual blocks of the convolutional network

Parameters = list[tuple[np.ndarray, np.ndarray]]
"""Weights and biases of each layer, in the order of the network."""


def parameters(network: Mapping[str, Any]) -> Parameters:
    """Draws from N(0, 1), the same for every method, in NTK parametrization."""
    draw = np.random.default_rng(0).standard_normal
    return [(draw(shape, np.float32), draw(shape[-1], np.float32)) for shape in shapes(**network)]


def shapes(kind: str, **sizes: Any) -> list[tuple[int, ...]]:
    """Shapes of the weights of each layer."""
    if kind == "dense":
        return list(pairwise(sizes["widths"]))
    channels = sizes["channels"]
    return [(3, 3, 1, channels), *[(3, 3, channels, channels)] * 2 * BLOCKS, (channels, 1)]


def evaluation(settings: Mapping[str, Any]) -> Callable[[np.ndarray], np.ndarray]:
    """Function from inputs (n, ...) to the NTK (n, n) of a network with one output."""
    network, beta, way = settings["network"], settings["beta"], settings["way"]
    theta = parameters(network)
    if way in ("ntkflow", "function"):
        return ntkflow(theta, network["kind"], beta, way)
    if way == "torch.func":
        return torch_func(theta, beta)
    import jax
    import jax.numpy as jnp

    make = jacobian if way == "jacobian" else partial(peer, way=way)
    ntk, arguments = make(theta, network["kind"], beta)
    compiled, arrays = jax.jit(ntk), jax.tree_util.tree_map(jnp.asarray, arguments)
    return lambda x: np.asarray(compiled(x, arrays))


def ntkflow(
    theta: Parameters, kind: str, beta: float, way: str
) -> Callable[[np.ndarray], np.ndarray]:
    """Empirical NTK by the package, in memory."""
    from ntkflow import api

    if way == "ntkflow":
        network: Any = api.network(theta, beta=beta, precision="float32")
    else:
        network = api.function(FUNCTIONS[kind](beta), theta, precision="float32")
    return lambda x: api.empirical_ntk(network, x, outputs=0)


def dense(beta: float) -> Callable[[Any, Any], Any]:
    """ReLU network f(theta, x) -> (n, 1), as anybody would write it."""
    import jax.numpy as jnp

    def function(theta: Any, x: Any) -> Any:
        for index, (weight, bias) in enumerate(theta):
            x = jnp.maximum(x, 0) if index else x
            x = x @ weight / weight.shape[0] ** 0.5 + beta * bias[None, :]
        return x

    return function


def resnet(beta: float) -> Callable[[Any, Any], Any]:
    """Convolution, residual blocks of two convolutions, mean over positions, dense layer."""
    import jax
    import jax.numpy as jnp

    def convolution(layer: Any, x: Any) -> Any:
        weight, bias = layer
        dimensions = ("NHWC", "HWIO", "NHWC")
        z = jax.lax.conv_general_dilated(x, weight, (1, 1), "SAME", dimension_numbers=dimensions)
        return z / (9 * x.shape[-1]) ** 0.5 + beta * bias[None, None, None, :]

    def function(theta: Any, x: Any) -> Any:
        first, *layers, (weight, bias) = theta
        x = convolution(first, x)
        for one, two in zip(layers[::2], layers[1::2], strict=True):
            x = x + convolution(two, jnp.maximum(convolution(one, jnp.maximum(x, 0)), 0))
        x = jnp.mean(jnp.maximum(x, 0), axis=(1, 2))
        return x @ weight / x.shape[-1] ** 0.5 + beta * bias[None, :]

    return function


FUNCTIONS = {"dense": dense, "resnet": resnet}


def jacobian(theta: Parameters, kind: str, beta: float) -> tuple[Callable[..., Any], Any]:
    """Contraction of the Jacobian, and the parameters that it takes."""
    import jax
    import jax.numpy as jnp

    function = FUNCTIONS[kind](beta)

    def ntk(x: Any, theta: Any) -> Any:
        # Input by input, since in the Jacobian of a batch most entries would be zero.
        gradient = jax.vmap(jax.grad(lambda t, one: function(t, one[None])[0, 0]), (None, 0))
        rows = [leaf.reshape(len(x), -1) for leaf in jax.tree.leaves(gradient(theta, x))]
        return sum(jnp.matmul(row, row.T, precision="highest") for row in rows)

    return ntk, theta


def torch_func(theta: Parameters, beta: float) -> Callable[[np.ndarray], np.ndarray]:
    """Contraction of the Jacobian, by vmap of reverse mode."""
    import torch
    from torch.func import jacrev, vmap

    def function(theta: Any, x: Any) -> Any:
        for index, (weight, bias) in enumerate(theta):
            x = torch.relu(x) if index else x
            x = x @ weight / weight.shape[0] ** 0.5 + beta * bias
        return x[0]

    given = tuple((torch.from_numpy(w), torch.from_numpy(b)) for w, b in theta)

    def ntk(x: np.ndarray) -> np.ndarray:
        jacobian = vmap(jacrev(function), (None, 0))(given, torch.from_numpy(x))
        rows = [leaf.flatten(1) for layer in jacobian for leaf in layer]
        return np.asarray(sum(row @ row.T for row in rows))

    return ntk


def peer(theta: Parameters, kind: str, beta: float, *, way: str) -> tuple[Callable[..., Any], Any]:
    """One of neural-tangents' implementations, and the parameters as it has them."""
    import neural_tangents as nt

    network, arguments = PEER_NETWORKS[kind](theta, beta)
    ntk = nt.empirical_ntk_fn(
        network[1], vmap_axes=0, implementation=nt.NtkImplementation(PEERS[way])
    )
    return lambda x, theta: ntk(x, None, theta), arguments


def peer_dense(theta: Parameters, beta: float) -> tuple[Any, Any]:
    """Fully-connected network of neural-tangents."""
    from neural_tangents import stax

    layers = [stax.Dense(b.size, 1.0, beta, parameterization="ntk") for _, b in theta]
    alternating = [layer for each in layers for layer in (each, stax.Relu())][:-1]
    return stax.serial(*alternating), [each for w, b in theta for each in ((w, b[None]), ())][:-1]


def peer_resnet(theta: Parameters, beta: float) -> tuple[Any, Any]:
    """Residual network of neural-tangents."""
    from neural_tangents import stax

    first, *rest, (weight, bias) = theta
    channels = len(weight)

    def convolution() -> Any:
        return stax.Conv(channels, (3, 3), padding="SAME", b_std=beta, parameterization="ntk")

    branch = [stax.Relu(), convolution(), stax.Relu(), convolution()]
    sums = stax.parallel(stax.serial(*branch), stax.Identity())
    block = stax.serial(stax.FanOut(2), sums, stax.FanInSum())
    head = [stax.Relu(), stax.GlobalAvgPool(), stax.Dense(1, b_std=beta, parameterization="ntk")]
    shaped = [(w, b[None, None, None]) for w, b in (first, *rest)]
    blocks = [
        ((), (((), one, (), two), ()), ())
        for one, two in zip(shaped[1::2], shaped[2::2], strict=True)
    ]
    return (
        stax.serial(convolution(), *[block] * BLOCKS, *head),
        (shaped[0], *blocks, (), (), (weight, bias[None])),
    )


PEER_NETWORKS = {"dense": peer_dense, "resnet": peer_resnet}


def peak() -> int:
    """Peak resident memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """Answer on standard output."""
    settings = json.loads(sys.argv[1])
    x, evaluate, before = np.load(settings["inputs"]), evaluation(settings), peak()
    np.save(settings["ntk"], evaluate(x))
    print(json.dumps({"versions": {}}), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        evaluate(x)
        seconds = time.perf_counter() - start
        print(json.dumps({"seconds": seconds, "peak": peak() - before}), flush=True)


if __name__ == "__main__":
    main()
