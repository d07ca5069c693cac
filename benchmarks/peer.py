"""Time the limiting kernels of neural-tangents; run by the Python of the peer's own environment.

The one argument is JSON: inputs and ntk (paths of .npy files, read and written), precision, beta,
and either activation and depth, or layers and batches (see limiting_layers.py). After one
evaluation, which compiles and whose NTK is saved, a line of JSON tells the versions. Then each line
on standard input asks for one evaluation, and is answered by a line of JSON with its seconds: from
an array of NumPy to two of them, as ntkflow's are timed.

It knows nothing of ntkflow, whose Python and JAX are others; Python 3.10 or 3.11.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

Kernels = Callable[[Any], tuple[Any, Any]]
# Compiled as one, the kernel of a deep network takes a time quadratic in its depth, beyond this one
# more than the same operations do one by one.
JITTED_DEPTH = 16


def limiting_kernels(settings: Mapping[str, Any]) -> Kernels:
    """NNGP and NTK of all pairs of inputs; `depth` counts the layers of weights."""
    import jax

    jax.config.update("jax_enable_x64", settings["precision"] == "float64")
    from neural_tangents import stax

    activation = {"relu": stax.Relu, "erf": stax.Erf}[settings["activation"]]
    layers = []
    for _ in range(settings["depth"]):
        dense = stax.Dense(1, W_std=1.0, b_std=settings["beta"], parameterization="ntk")
        layers += [activation(), dense]
    _, _, kernel_fn = stax.serial(*layers[1:])

    def kernels(x: Any) -> tuple[Any, Any]:
        nngp, ntk = kernel_fn(x, None, ("nngp", "ntk"))
        return nngp, ntk

    faster = jax.jit(kernels) if settings["depth"] <= JITTED_DEPTH else kernels

    def evaluate(x: Any) -> tuple[Any, Any]:
        nngp, ntk = jax.block_until_ready(faster(x))
        return np.asarray(nngp), np.asarray(ntk)

    return evaluate


def layered(layers: Sequence[Any], beta: float) -> Any:
    """A network of layers, from the description in limiting_layers.py."""
    from neural_tangents import stax

    factors = {"W_std": 1.0, "b_std": beta, "parameterization": "ntk"}
    made = []
    for entry in layers:
        match entry:
            case "relu":
                made.append(stax.Relu())
            case "dense":
                made.append(stax.Dense(1, **factors))
            case "flatten":
                made.append(stax.Flatten())
            case "mean":
                made.append(stax.GlobalAvgPool())
            case {"conv": shape}:
                more: dict[str, Any] = entry
                padding = more.get("padding", "same").upper()
                strides = tuple(more.get("strides", (1, 1)))
                made.append(stax.Conv(1, tuple(shape), strides, padding, **factors))
            case {"average": window}:
                made.append(stax.AvgPool(tuple(window), tuple(window)))
            case {"residual": branch}:
                both = stax.parallel(stax.Identity(), layered(branch, beta))
                made += [stax.FanOut(2), both, stax.FanInSum()]
    return stax.serial(*made)


def layered_kernels(settings: Mapping[str, Any], x: Any) -> Kernels:
    """The same of a network of layers, by the number of inputs at once that is fastest here."""
    import jax

    jax.config.update("jax_enable_x64", settings["precision"] == "float64")
    from neural_tangents import batch

    whole = layered(settings["layers"], settings["beta"])[2]

    def evaluation(kernel_fn: Any) -> Kernels:
        def evaluate(x: Any) -> tuple[Any, Any]:
            nngp, ntk = jax.block_until_ready(kernel_fn(x, None, ("nngp", "ntk")))
            return np.asarray(nngp), np.asarray(ntk)

        return evaluate

    ways = []
    for number in settings["batches"]:
        one = jax.jit(whole, static_argnums=2) if not number else batch(whole, number)
        ways.append(evaluation(one))

    def time_of(way: Kernels) -> float:
        way(x)
        start = time.perf_counter()
        way(x)
        return time.perf_counter() - start

    return min(ways, key=time_of) if len(ways) > 1 else ways[0]


def versions() -> dict[str, str]:
    """What is being measured."""
    import platform
    from importlib.metadata import version

    names = ("neural-tangents", "jax", "jaxlib", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def inputs(settings: Mapping[str, Any]) -> np.ndarray:
    """The inputs, in the precision of the kernels."""
    return np.load(settings["inputs"]).astype(settings["precision"])


def answers(settings: Mapping[str, Any], evaluate: Kernels, asked: Iterable[str]) -> Iterable[str]:
    """The lines of JSON: versions, then the seconds of one evaluation for each line in `asked`."""
    x = inputs(settings)
    np.save(settings["ntk"], evaluate(x)[1])
    yield json.dumps({"versions": versions()})
    for _ in asked:
        start = time.perf_counter()
        kernels = evaluate(x)
        seconds = time.perf_counter() - start
        del kernels  # before the next evaluation, and before the other side's
        yield json.dumps({"seconds": seconds})


def main() -> None:
    """Answer on standard output."""
    settings = json.loads(sys.argv[1])
    if "layers" in settings:
        evaluate = layered_kernels(settings, inputs(settings))
    else:
        evaluate = limiting_kernels(settings)
    for line in answers(settings, evaluate, sys.stdin):
        print(line, flush=True)


if __name__ == "__main__":
    main()
