"""Evaluate one empirical NTK again and again; run by the Python of whatever is being measured.

The one argument is JSON: inputs and ntk (paths of .npy files, read and written), widths n_0, .., 1,
beta, and the way: ntkflow, jacobian (contraction in plain JAX), torch.func (the same in PyTorch),
or one of the three implementations of neural-tangents. Talks as `peer.py` does; an answer also
holds the peak of memory, in bytes above what the process had before its first evaluation.
"""

import json
import resource
import sys
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

PEERS = {"contraction": 1, "ntk-vector products": 2, "structured derivatives": 3}


Parameters = list[tuple[np.ndarray, np.ndarray]]


def parameters(widths: list[int]) -> Parameters:
    """The same for everybody, in NTK parametrization."""
    draw = np.random.default_rng(0).standard_normal
    return [(draw((a, b), np.float32), draw(b, np.float32)) for a, b in pairwise(widths)]


def evaluation(settings: Mapping[str, Any]) -> Callable[[np.ndarray], np.ndarray]:
    """Inputs (n, d) -> the NTK of a network with one output, (n, n)."""
    theta, beta, way = parameters(settings["widths"]), settings["beta"], settings["way"]
    if way == "ntkflow":
        from ntkflow import api

        network = api.network(theta, beta=beta, precision="float32")
        return lambda x: api.empirical_ntk(network, x, outputs=0)
    if way == "torch.func":
        return torch_func(theta, beta)
    import jax
    import jax.numpy as jnp

    ntk, arguments = jacobian(theta, beta) if way == "jacobian" else peer(theta, beta, way)
    compiled, arrays = jax.jit(ntk), jax.tree_util.tree_map(jnp.asarray, arguments)
    return lambda x: np.asarray(compiled(x, arrays))


def jacobian(theta: Parameters, beta: float) -> tuple[Callable[..., Any], Any]:
    """Contraction of the Jacobian, and the parameters that it takes."""
    import jax
    import jax.numpy as jnp

    def function(theta: Any, x: Any) -> Any:
        for index, (weight, bias) in enumerate(theta):
            x = jnp.maximum(x, 0) if index else x
            x = x @ weight / weight.shape[0] ** 0.5 + beta * bias[None, :]
        return x

    def ntk(x: Any, theta: Any) -> Any:
        leaves = jax.tree.leaves(jax.jacobian(function)(theta, x))
        rows = [leaf.reshape(len(x), -1) for leaf in leaves]
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


def peer(theta: Parameters, beta: float, way: str) -> tuple[Callable[..., Any], Any]:
    """One of neural-tangents' implementations, and the parameters as it has them."""
    import neural_tangents as nt
    from neural_tangents import stax

    dense = [stax.Dense(b.size, 1.0, beta, parameterization="ntk") for _, b in theta]
    layers = [layer for each in dense for layer in (each, stax.Relu())][:-1]
    ntk = nt.empirical_ntk_fn(
        stax.serial(*layers)[1], vmap_axes=0, implementation=nt.NtkImplementation(PEERS[way])
    )
    arguments = [each for w, b in theta for each in ((w, b[None]), ())][:-1]
    return lambda x, theta: ntk(x, None, theta), arguments


def peak() -> int:
    """Of this process so far, in bytes."""
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
