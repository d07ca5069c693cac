"""Drift of the NTK along a training direction that is not a gradient (JGH Theorem 2).

The theorem covers networks that follow d theta/dt = -(1/N) sum_i d_t(x_i) grad f_theta(x_i) for any
d_t with a bounded integral of ||d_t||. Here d_t oscillates, at each training point with a separate
frequency and phase, independently of f and of a target: ||d_t||_pin remains about 1, so f keeps
moving. All widths have the same direction, so that the bound on its integral is the same.

The theorem's limit is d/dt f_inf = -(1/N) sum_j Theta_inf(x, x_j) d_t(x_j) from the same f_0, and
f_lin is the same with Theta(0). Suprema are over all records, one per step up to `MOST_RECORDS`.

- Exponent in n of the drift sup_t ||Theta(t) - Theta(0)|| / ||Theta(0)||, at most -1/2.
- Movement of f at the largest width: (f_t - f_0) along (f_inf,t - f_0), over all t and points. It
  is that of the limit, 1, up to the next order in 1/n. (Without movement the drift shows nothing.)
- f_t - f_inf,t, which the theorem sends to zero, has two parts. The exponent of
  sup_t ||f_t - f_lin,t||, the part of the drift, is at most -1/2. That of
  sup_t ||f_lin,t - f_inf,t||, the part of Theta(0) - Theta_inf, is -1/2; it needs many networks,
  because most of it is along one component, but none that is trained.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from ntkflow.aliases import AnyArray, Array, Float, Inputs, OutputGram, SeedKeys
from ntkflow.analysis.power_law import DRIFT_BOUND
from ntkflow.kernels.function_space import kernel_map
from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.kernel_descent import along
from ntkflow.measures.common.laws import exponent, mean
from ntkflow.measures.common.sources import Sources
from ntkflow.networks.empirical import initial_kernels
from ntkflow.networks.mlp import seed_keys
from ntkflow.networks.model import Model, Parameters

PRECISION = "float32"

MOVEMENT_MARGIN = 0.05
MOVEMENT_REASON = "the next order in 1/n; half of what a kernel larger by a tenth changes"
INTEGRAL_REASON = "the bound on |d_t(x_i)|, at any width"

MOST_RECORDS = 100
DRIFT = r"$\sup_t \|\Theta(t) - \Theta(0)\| / \|\Theta(0)\|$"
DISTANCE = r"$\sup_t$ of the distance"


class Followed(NamedTuple):
    """Networks of one width along the direction."""

    drift: Float[AnyArray, " s"]  # sup_t of the relative change of the NTK
    moved: Float[AnyArray, " s"]  # movement of f along that of the limit
    bent: Float[AnyArray, " s"]  # sup_t ||f_t - f_lin,t||^2, mean over points
    path: Float[AnyArray, " r"]  # f at the first point, of the first network
    limit: Float[AnyArray, " r"]  # and f_inf


def measure(
    sources: Sources, *, seeds: int, draws: int, learning_rate: float, steps: int
) -> xr.Dataset:
    """Drift of the NTK between all points, by width, and movement of f, in Euler steps."""
    x = np.asarray(sources.dataset["x"].values, np.float32)
    time = learning_rate * np.arange(steps)
    direction = oscillating(sources.seed, time, sources.samples, learning_rate * steps)
    ntk = np.asarray(sources.limiting["ntk"].values, np.float64)
    networks = sorted(sources.architectures.items())
    found, start = {}, {}
    for n, network in networks:
        keys = seed_keys(sources.seed, n, max(seeds, draws))
        found[n] = follow(keys[:seeds], x, direction, learning_rate, network, ntk)
        kernels = initial_kernels(keys[:draws], x, network)
        start[n] = linear_squares(kernels, ntk, direction, learning_rate)
    drifts, bends = ({n: getattr(f, k) for n, f in found.items()} for k in ("drift", "bent"))
    slope, drifted = exponent("exponent of the drift", drifts, DRIFT_BOUND, "at most")
    name = "exponent of the distance from the linearised network"
    bent, lower = exponent(name, bends, DRIFT_BOUND, "at most", power=0.5)
    name = "exponent of the distance of the linearised network from the limit"
    near, upper = exponent(name, start, -0.5, power=0.5)
    widest = max(found)
    name = f"movement of f along that of the limit, n = {widest}"
    far = mean(name, found[widest].moved, "equals", 1.0, MOVEMENT_MARGIN, MOVEMENT_REASON)
    paths = _paths(found, learning_rate * _marks(steps))
    parts = _named(r"$f_{lin} - f_\infty$", near, upper) + _named(r"$f - f_{lin}$", bent, lower)
    return evidence(
        [_integral(direction), slope, far, near, bent],
        [
            Panel("one network per width", "time $t$", r"$f_\theta(x_1)$", paths),
            Panel("largest drift", "width $n$", DRIFT, drifted, "log", "log"),
            Panel(r"parts of $f - f_\infty$", "width $n$", DISTANCE, parts, "log", "log"),
        ],
    )


def _integral(direction: np.ndarray) -> Quantity:
    """Integral of ||d_t||_pin over the time, which the theorem assumes to be bounded."""
    size = float(np.mean(np.sqrt(np.mean(direction**2, axis=1))))
    name = "integral of ||d_t||_pin, over the time"
    return Quantity.exact(name, size, "at most", np.sqrt(2), 0.0, INTEGRAL_REASON)


def _named(label: str, found: Quantity, shown: Sequence[Series]) -> list[Series]:
    """The fitted line with a short label, and its points."""
    _, line, points = shown
    slope = f"{found.estimate.value:.2f}".replace("-", "−")
    return [dataclasses.replace(line, label=f"{label}: slope {slope}"), points]


def follow(
    keys: SeedKeys,
    x: Float[np.ndarray, "m d"],
    direction: Float[np.ndarray, "t n"],
    rate: float,
    network: Model,
    ntk: Float[np.ndarray, "m m"],
) -> Followed:
    """Follow the direction with one network per key, and with the limiting NTK."""
    train = direction.shape[1]
    marks, pushes = _in_records(direction)
    drift, f, origin = map(np.asarray, _followed(keys, x, pushes, rate, network))
    f, origin = f.astype(np.float64), origin.astype(np.float64)
    limit = limiting_path(ntk[:, :train], direction, rate)[marks][:, :, None]
    linear = np.stack([linear_path(each[:, :train], direction, rate)[marks] for each in origin])
    moved = f - f[:, :1]
    shown = f[0, :, 0, 0], f[0, 0, 0, 0] + limit[:, 0, 0]
    return Followed(drift.max(axis=1), along(moved, limit[None]), _squares(moved - linear), *shown)


def linear_squares(
    kernels: Float[np.ndarray, "s m m k k"],
    ntk: Float[np.ndarray, "m m"],
    direction: Float[np.ndarray, "t n"],
    rate: float,
) -> Float[np.ndarray, " s"]:
    """sup_t ||f_lin,t - f_inf,t||^2 of networks with these kernels at t = 0, after every step."""
    train = direction.shape[1]
    limit = limiting_path(ntk[:, :train], direction, rate)[:, :, None]
    data = kernels[:, :, :train].astype(np.float64)
    return np.concatenate([_squares(linear_path(k, direction, rate)[None] - limit) for k in data])


def _squares(difference: Float[np.ndarray, "s r m k"]) -> Float[np.ndarray, " s"]:
    """Largest mean square over points and outputs, over records."""
    return np.asarray(np.mean(difference**2, axis=(2, 3)).max(axis=1))


def _paths(found: Mapping[int, Followed], time: np.ndarray) -> list[Series]:
    """f of one network of the smallest and of the largest width, and its limit."""
    series = []
    for width in (min(found), max(found)):
        series += [
            Series("", time, found[width].path, width=width),
            Series(r"$f_\infty$ from the same $f_0$", time, found[width].limit, look="limit"),
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


def linear_path(
    kernel: Float[AnyArray, "m n k k"], direction: Float[np.ndarray, "t n"], rate: float
) -> Float[np.ndarray, "t1 m k"]:
    """f_lin - f_0 before the first and after each step, for a constant kernel of a network."""
    travelled = rate * np.cumsum(direction, axis=0)
    pushed = np.concatenate([np.zeros((1, direction.shape[1])), travelled])
    # The direction is the same for all outputs.
    return -np.einsum("mnk,tn->tmk", np.sum(kernel, axis=3), pushed) / direction.shape[1]


@partial(jax.jit, static_argnums=(4,))
def _followed(
    keys: SeedKeys, x: Inputs, pushes: Float[AnyArray, "r c n"], rate: float, network: Model
) -> tuple[Float[Array, "s r"], Float[Array, "s r m k"], Float[Array, "s m m k k"]]:
    """Drift of the kernel and f at each record, and the first kernel, of one network per key."""
    pushes = jnp.asarray(pushes, x.dtype)

    def run(key: Array) -> tuple[Array, Array, Array]:
        start = network.init(key, x.shape[1], x.dtype)
        origin = network.empirical_ntk(start, x, x)

        def drift(now: OutputGram) -> Array:
            return jnp.linalg.norm((now - origin).ravel()) / jnp.linalg.norm(origin.ravel())

        def record(theta: Parameters, push: Any) -> tuple[Parameters, tuple[Array, Array]]:
            theta, _ = jax.lax.scan(partial(_step, x=x, rate=rate, network=network), theta, push)
            return theta, (drift(network.empirical_ntk(theta, x, x)), network.apply(theta, x))

        _, (drifts, f) = jax.lax.scan(record, start, pushes)
        before = network.apply(start, x)[None]
        first = jnp.zeros(1, x.dtype)
        return jnp.concatenate([first, drifts]), jnp.concatenate([before, f]), origin

    return jax.lax.map(run, keys)


def _step(
    theta: Parameters, push: Array, *, x: Inputs, rate: float, network: Model
) -> tuple[Parameters, None]:
    """One Euler step of d theta/dt = -(1/N) sum_i d_t(x_i) grad f(x_i), equal on all outputs."""
    samples = len(push)
    f, pull = jax.vjp(lambda parameters: network.apply(parameters, x[:samples]), theta)
    (gradient,) = pull(jnp.broadcast_to(push[:, None], f.shape) / samples)
    return jax.tree.map(lambda p, g: p - rate * g, theta, gradient), None


def _marks(steps: int) -> np.ndarray:
    """Steps after which f and the kernel are recorded: equally spaced, the last one included."""
    return np.array([*range(0, steps, -(-steps // MOST_RECORDS)), steps])


def _in_records(direction: Float[np.ndarray, "t n"]) -> tuple[np.ndarray, np.ndarray]:
    """Steps of the records, and the directions before each (record, step, n).

    Directions are zero after the last step.
    """
    steps, samples = direction.shape
    marks = _marks(steps)
    stride = -(-steps // MOST_RECORDS)
    padded = np.zeros(((len(marks) - 1) * stride, samples))
    padded[:steps] = direction
    return marks, padded.reshape(-1, stride, samples)
