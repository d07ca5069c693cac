"""Drift of the NTK along a training direction that is not a gradient (JGH Theorem 2).

The theorem covers networks that follow d theta/dt = -(1/N) sum_i d_t(x_i) grad f_theta(x_i) for any
d_t with a bounded integral of ||d_t||. Here d_t oscillates, at each training point with a separate
frequency and phase, independently of f and of a target: ||d_t||_pin remains about 1, so f keeps
moving. All widths have the same direction. Three numbers:

- exponent in n of the drift sup_t ||Theta(t) - Theta(0)|| / ||Theta(0)||, which the theorem bounds
  uniformly in t; the sup is over records;
- movement of f at the largest width, since a constant kernel with a constant f would show nothing;
- exponent of sup_t ||f_t - f_inf,t||, where d/dt f_inf = -(1/N) sum_j Theta_inf(x, x_j) d_t(x_j)
  from the same f_0, the conclusion of the theorem. It is of the order n^(-1/2) of
  Theta(0) - Theta_inf. The drift adds the next order, which must be smaller, so the time must be
  short: to t = 100 on the default network, slopes from n = 64 are about -0.7.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from ntkflow.measures.common.exponents import exponent, mean

from ntkflow.aliases import AnyArray, Array, Float, Inputs, OutputGram, SeedKeys
from ntkflow.analysis.power_law import DRIFT_BOUND
from ntkflow.kernels.function_space import kernel_map
from ntkflow.measures.common.evidence import Panel, Series, evidence
from ntkflow.measures.common.sources import Sources
from ntkflow.networks.empirical import empirical_ntk
from ntkflow.networks.mlp import Architecture, Parameters, apply, init, seed_keys

PRECISION = "float64"

LEAST_MOVEMENT = 0.2
"""Smallest ||f_T - f_0||_pin over ||f_0||_pin that counts as movement of f by O(1)."""

MOST_RECORDS = 20
DRIFT = r"$\sup_t \|\Theta(t) - \Theta(0)\| / \|\Theta(0)\|$"
DISTANCE = r"$\sup_t \|f_\theta - f_\infty\|$"


def measure(sources: Sources, *, seeds: int, learning_rate: float, steps: int) -> xr.Dataset:
    """Drift of the NTK between all points, by width, and movement of f, in Euler steps."""
    x = jnp.asarray(sources.dataset["x"].values, jnp.float64)
    train, time = sources.samples, learning_rate * np.arange(steps)
    direction = oscillating(sources.seed, time, train, learning_rate * steps)
    marks, pushes = _in_records(direction)
    ntk = sources.limiting["ntk"].values[:, :train]
    limit = limiting_path(ntk, direction, learning_rate)[marks]
    drift, moved, distance, shown = {}, {}, {}, {}
    for width, architecture in sources.architectures.items():
        keys = seed_keys(sources.seed, width, seeds)
        found = _followed(keys, x, pushes, learning_rate, architecture)
        drifts, f = map(np.asarray, found)
        expected = f[:, :1] + limit[:, :, None]
        drift[width] = drifts.max(axis=1)
        start, end = f[:, 0, :train], f[:, -1, :train]
        squares = ((end - start) ** 2).sum(axis=(1, 2)) / (start**2).sum(axis=(1, 2))
        moved[width] = np.sqrt(squares)
        distance[width] = np.sqrt(((f - expected) ** 2).mean(axis=(2, 3))).max(axis=1)
        shown[width] = f[0, :, 0, 0], expected[0, :, 0, 0]
    slope, drifted = exponent("exponent of the drift", drift, DRIFT_BOUND, "at most")
    far = mean("movement of f, widest", moved[max(moved)], "at least", LEAST_MOVEMENT, 0.0)
    close, apart = exponent("exponent of the distance from the limit", distance, -0.5)
    paths = _paths(shown, learning_rate * marks)
    return evidence(
        [slope, far, close],
        [
            Panel("one network per width", "time $t$", r"$f_\theta(x_1)$", paths),
            Panel("largest drift", "width $n$", DRIFT, drifted, "log", "log"),
            Panel("distance from the limit", "width $n$", DISTANCE, apart, "log", "log"),
        ],
    )


def _paths(shown: Mapping[int, tuple[np.ndarray, np.ndarray]], time: np.ndarray) -> list[Series]:
    """f of one network of the smallest and of the largest width, and its limit."""
    series = []
    for width in (min(shown), max(shown)):
        f, limit = shown[width]
        series += [
            Series("", time, f, width=width),
            Series(r"$f_\infty$ from the same $f_0$", time, limit, look="limit"),
        ]
    return series


def oscillating(
    seed: int, time: Float[np.ndarray, " t"], samples: int, duration: float
) -> Float[np.ndarray, "t n"]:
    """d_t(x_i) = sqrt(2) sin(omega_i t + phi_i), of mean square 1 over a period.

    There are between one half and two periods in `duration`, since f would not move along a
    direction that changed at every step.
    """
    random = np.random.default_rng([seed, samples])
    periods, phase = random.uniform(0.5, 2, samples), random.uniform(0, 2 * np.pi, samples)
    return np.sqrt(2) * np.sin(2 * np.pi * np.outer(time / duration, periods) + phase)


def limiting_path(
    ntk: Float[AnyArray, "m n"], direction: Float[np.ndarray, "t n"], rate: float
) -> Float[np.ndarray, "t1 m"]:
    """f_inf - f_0 before the first and after each kernel gradient step along the direction d_t.

    Theta_inf is given between any m points and the n training points.
    """
    travelled = rate * np.cumsum(direction, axis=0)
    steps = -np.asarray(kernel_map(np.asarray(ntk, np.float64), travelled.T)).T
    return np.concatenate([np.zeros((1, len(ntk))), steps])


@partial(jax.jit, static_argnums=(4,))
def _followed(
    keys: SeedKeys, x: Inputs, pushes: Float[AnyArray, "r c n"], rate: float, network: Architecture
) -> tuple[Float[Array, "s r"], Float[Array, "s r N k"]]:
    """Drift of the kernel and f at each record, for one network per key."""

    def follow(key: Array) -> tuple[Array, Array]:
        start = init(key, x.shape[1], network, x.dtype)
        origin = empirical_ntk(start, x, x, network)

        def drift(now: OutputGram) -> Array:
            return jnp.linalg.norm((now - origin).ravel()) / jnp.linalg.norm(origin.ravel())

        def record(theta: Parameters, push: Any) -> tuple[Parameters, tuple[Array, Array]]:
            theta, _ = jax.lax.scan(partial(_step, x=x, rate=rate, network=network), theta, push)
            return theta, (drift(empirical_ntk(theta, x, x, network)), apply(theta, x, network))

        _, (drifts, f) = jax.lax.scan(record, start, pushes)
        before = apply(start, x, network)[None]
        return jnp.concatenate([jnp.zeros(1), drifts]), jnp.concatenate([before, f])

    return jax.lax.map(follow, keys)


def _step(
    theta: Parameters, push: Array, *, x: Inputs, rate: float, network: Architecture
) -> tuple[Parameters, None]:
    """One Euler step of d theta/dt = -(1/N) sum_i d_t(x_i) grad f(x_i), equal on all outputs."""
    samples = len(push)
    f, pull = jax.vjp(lambda parameters: apply(parameters, x[:samples], network), theta)
    (gradient,) = pull(jnp.broadcast_to(push[:, None], f.shape) / samples)
    return jax.tree.map(lambda p, g: p - rate * g, theta, gradient), None


def _in_records(direction: Float[np.ndarray, "t n"]) -> tuple[np.ndarray, np.ndarray]:
    """Steps after which f and the kernel are recorded, and the directions before each record.

    Records are equally spaced, and one is at the end. Directions (record, step, n) are zero after
    the last step.
    """
    steps, samples = direction.shape
    stride = -(-steps // MOST_RECORDS)
    marks = np.array([*range(0, steps, stride), steps])
    padded = np.zeros(((len(marks) - 1) * stride, samples))
    padded[:steps] = direction
    return marks, padded.reshape(-1, stride, samples)
