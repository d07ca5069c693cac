"""Time the limiting kernels of neural-tangents; run by the Python of the peer's own environment.

The one argument is JSON: inputs and ntk (paths of .npy files, read and written), precision,
activation, depth and beta. After one evaluation, which compiles and whose NTK is saved, a line of
JSON tells the versions. Then each line on standard input asks for one evaluation, and is answered
by a line of JSON with its seconds: from an array of NumPy to two of them, as ntkflow's are timed.

It knows nothing of ntkflow, whose Python and JAX are others; Python 3.10 or 3.11.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping
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


def versions() -> dict[str, str]:
    """What is being measured."""
    import platform
    from importlib.metadata import version

    names = ("neural-tangents", "jax", "jaxlib", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def answers(settings: Mapping[str, Any], evaluate: Kernels, asked: Iterable[str]) -> Iterable[str]:
    """The lines of JSON: versions, then the seconds of one evaluation for each line in `asked`."""
    x = np.load(settings["inputs"]).astype(settings["precision"])
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
    for line in answers(settings, limiting_kernels(settings), sys.stdin):
        print(line, flush=True)


if __name__ == "__main__":
    main()
