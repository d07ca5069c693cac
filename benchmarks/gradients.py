"""Time of kernels and their gradients, beside a textbook recursion in jax.numpy: see README.md.

Prints a Markdown table. Gradients are of a weighted sum of the limiting NTK, in all inputs, beta
and the gain, in reverse mode and float64. Times are the smallest of five, compilation aside. The
inputs contain one pair of equal points, where automatic differentiation of the textbook formula
divides by zero.
"""

import argparse
from collections.abc import Callable
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ntkflow import api

DEPTH = 3
REPEATS = 5


def relu(q1: Any, q2: Any, c: Any) -> tuple[Any, Any]:
    """E[sigma sigma] and E[sigma' sigma'] (Cho & Saul 2009)."""
    scale = jnp.sqrt(q1 * q2)
    phi = jnp.arccos(jnp.clip(c / scale, -1, 1))
    cross = scale * (jnp.sin(phi) + (jnp.pi - phi) * jnp.cos(phi)) / (2 * jnp.pi)
    return cross, (jnp.pi - phi) / (2 * jnp.pi)


def erf(q1: Any, q2: Any, c: Any) -> tuple[Any, Any]:
    """E[sigma sigma] and E[sigma' sigma'] (Williams 1997)."""
    scale = (1 + 2 * q1) * (1 + 2 * q2)
    slope = 4 / jnp.pi / jnp.sqrt(scale - 4 * c**2)
    return 2 / jnp.pi * jnp.arcsin(2 * c / jnp.sqrt(scale)), slope


TEXTBOOK = {"relu": relu, "erf": erf, "tanh": None}


def textbook_ntk(dual: Callable[..., Any], x: Any, beta: Any, gain: Any) -> Any:
    """Limiting NTK (n, n) by the recursion of JGH, as it is printed."""
    sigma = gain**2 * x @ x.T / x.shape[1] + beta**2
    theta = sigma
    for _ in range(DEPTH - 1):
        q = jnp.diagonal(sigma)
        cross, slope = dual(q[:, None], q[None, :], sigma)
        sigma = gain**2 * cross + beta**2
        theta = gain**2 * theta * slope + sigma
    return theta


def seconds(function: Callable[..., Any], *arguments: Any) -> tuple[float, float, Any]:
    """Seconds of the first call, the least of the others, and what the function returns."""
    times = []
    for _ in range(1 + REPEATS):
        start = perf_counter()
        found = jax.block_until_ready(function(*arguments))
        times.append(perf_counter() - start)
    return times[0], min(times[1:]), found


def row(name: str, ntk: Callable[..., Any], inputs: tuple[Any, ...]) -> str:
    """Row of the table for one way to compute the NTK (n, n) from x, beta and the gain."""
    weights = np.random.default_rng(1).normal(size=2 * [len(inputs[0])])
    summed = jax.value_and_grad(lambda *given: jnp.sum(weights * ntk(*given)), argnums=(0, 1, 2))
    _, value, _ = seconds(jax.jit(ntk), *inputs)
    first, both, (_, gradients) = seconds(jax.jit(summed), *inputs)
    finite = all(bool(jnp.isfinite(part).all()) for part in gradients)
    cells = f"{value:.3f}", f"{both:.3f}", f"{both / value:.1f}", f"{first - both:.1f}"
    return f"| {name} | {' | '.join(cells)} | {'yes' if finite else 'no'} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=1000)
    parser.add_argument("--features", type=int, default=50)
    given = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    x = np.random.default_rng(0).normal(size=(given.points, given.features))
    x[1] = x[0]
    inputs = jnp.asarray(x), jnp.asarray(0.1), jnp.asarray(1.4)
    print(f"{given.points} points, {given.features} features, depth {DEPTH}, float64\n")
    print("| network | kernel, s | with gradient, s | ratio | compilation, s | finite |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, dual in TEXTBOOK.items():
        kernel = api.kernel_function(depth=DEPTH, activation=name)
        ours = lambda x, beta, gain, k=kernel: k(x, beta=beta, weight_gain=gain).ntk  # noqa: E731
        print(row(name, ours, inputs), flush=True)
        if dual is not None:
            peer = lambda x, beta, gain, d=dual: textbook_ntk(d, x, beta, gain)  # noqa: E731
            print(row(f"{name}, textbook", peer, inputs), flush=True)


if __name__ == "__main__":
    main()
