"""Training steps, the empirical NTK and float32 products on a device.

Each function returns the `Result` of one computation. Networks are ReLU networks on R^784 with one
output and beta = 0.1. Operations are those of matrix products alone; a multiplication and an
addition count as two.
"""

import os
from functools import cache
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from benchmarks.accelerator_limits import BETA, COMPARED, FEATURES
from benchmarks.accelerator_records import (
    Agreement,
    Machine,
    Result,
    relative,
    relative_norm,
    timed,
)
from ntkflow.datasets.idx import FOLDER_VARIABLE, DataFileError, read_mnist
from ntkflow.networks.blockwise import blockwise_ntk
from ntkflow.networks.descent import Setting, advance, evaluate, initial_state, start_from
from ntkflow.networks.method import Method
from ntkflow.networks.mlp import Architecture, Parameters, empirical_ntk, init, seed_keys
from ntkflow.networks.model import Model

DEPTH = 5
RATE = 10.0
NORM = 9.37
"""Root mean square norm of the digits of MNIST with pixels from 0 to 1."""
STEPPED = 32
"""Largest number of points at which networks are compared with the CPU's."""
STEP_TOLERANCE, NTK_TOLERANCE, PRODUCT_TOLERANCE = 1e-5, 1e-5, 3e-6


def forward_operations(samples: int, widths: tuple[int, ...]) -> float:
    """2 N sum_l n_l n_{l+1}, for widths n_0, .., n_L."""
    return 2.0 * samples * sum(a * b for a, b in pairwise(widths))


def step_operations(samples: int, widths: tuple[int, ...]) -> float:
    """Products of a step: forward, gradients of weights, and back to all activations but a^0."""
    forward = forward_operations(samples, widths)
    return 3 * forward - 2.0 * samples * widths[0] * widths[1]


def ntk_operations(samples: int, widths: tuple[int, ...]) -> float:
    """Forward, back to the first layer, and half of the symmetric Gram matrices <a, a'>, <d, d'>.

    The package computes all of them up to N = 256, and three quarters for N = 512.
    """
    forward = forward_operations(samples, widths)
    back = forward - 2.0 * samples * widths[0] * widths[1]
    grams = sum(widths[:-1]) + sum(widths[1:])
    return forward + back + float(samples) ** 2 * grams


def relu_network(width: int, depth: int = DEPTH) -> Architecture:
    """Architecture with hidden layers of one width."""
    return Architecture.from_plain([width] * (depth - 1), {"name": "relu"}, beta=BETA)


def layer_widths(features: int, width: int, depth: int = DEPTH) -> tuple[int, ...]:
    """Widths n_0, .., n_L of `relu_network`."""
    return (features, *[width] * (depth - 1), 1)


@cache
def digits(samples: int) -> tuple[np.ndarray, str]:
    """Digits of the test split of MNIST, pixels from 0 to 1, and what they are.

    If the folder in NTKFLOW_MNIST_DIR does not have them, Gaussian points of the norm of digits.
    """
    random = np.random.default_rng(0)
    if folder := os.environ.get(FOLDER_VARIABLE):
        try:
            pixels, _ = read_mnist("test", folder)
            return pixels[random.permutation(len(pixels))[:samples]] / 255, "MNIST"
        except DataFileError:
            pass
    x = random.standard_normal((samples, FEATURES))
    x *= NORM / np.linalg.norm(x, axis=1, keepdims=True)
    return x, f"Gaussian points of norm {NORM} (no MNIST in {FOLDER_VARIABLE})"


def training(machine: Machine, width: int, samples: int, steps: int) -> Result:
    """Gradient-descent steps of one network, seconds per step."""
    images, kind = digits(samples)
    x, shape = jnp.asarray(images, jnp.float32), (samples, width, width)
    setting = Setting(relu_network(width), Method(), RATE, _mesh(machine.device))
    y = jnp.zeros((1, samples, 1), jnp.float32)
    state = initial_state(seed_keys(0, width, 1), x, samples, setting)

    def call() -> None:
        nonlocal state
        state = jax.block_until_ready(advance(state, x, y, 0, steps, setting))

    timing = timed(call, machine)
    theta = jax.tree.map(lambda leaf: leaf[0], state.parameters)
    del state
    return Result(
        timing=timing._replace(seconds=timing.seconds / steps),
        operations=step_operations(samples, layer_widths(FEATURES, width)),
        product=machine.product("float32"),
        shape=shape,
        shape_product=machine.product_of(shape, "float32"),
        agreement=_step_agreement(machine, theta, images[:STEPPED], setting.model),
        note=f"{kind}, {steps} steps per call",
    )


def _step_agreement(
    machine: Machine, theta: Parameters, x: np.ndarray, architecture: Model
) -> Agreement:
    """Change of f in one step, in float32 on the device and in float64 on the CPU."""
    found = _change(theta, x.astype(np.float32), architecture, machine.device)
    wide = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), theta)
    with jax.default_device(machine.cpu):
        reference = _change(wide, x.astype(np.float64), architecture, machine.cpu)
    compared = f"change of f at {len(x)} points in one step, float64"
    return Agreement(compared, relative(found, reference), STEP_TOLERANCE)


def _change(
    theta: Parameters, x: np.ndarray, architecture: Model, device: jax.Device
) -> np.ndarray:
    """f after one step on the points x, minus f before.

    The target 10 is far from f, so that f changes by more than its own size.
    """
    setting = Setting(architecture, Method(), RATE, _mesh(device))
    y = jnp.full((1, len(x), 1), 10, x.dtype)
    state = start_from(theta, jax.random.key(0), len(x), setting)
    before = np.asarray(evaluate(state.parameters, x, y, setting)[0], np.float64)
    state = advance(state, x, y, 0, 1, setting)
    return np.asarray(evaluate(state.parameters, x, y, setting)[0]) - before


def _mesh(device: jax.Device) -> Mesh:
    return Mesh(np.array([device]), ("seed",))


def empirical(machine: Machine, width: int, samples: int) -> Result:
    """Empirical NTK of one network between all points, as one program."""
    images, kind = digits(samples)
    architecture, shape = relu_network(width), (samples, width, width)
    (key,) = seed_keys(0, width, 1)
    theta = jax.jit(lambda key: init(key, FEATURES, architecture, jnp.float32))(key)
    x = jnp.asarray(images, jnp.float32)
    ntk = jax.jit(lambda theta, x: empirical_ntk(theta, x, x, architecture, outputs=0))
    timing = timed(lambda: jax.block_until_ready(ntk(theta, x)), machine)
    count = min(STEPPED, samples)
    found = np.asarray(ntk(theta, x))[:count, :count]
    wide = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), theta)
    some = images[:count].astype(np.float32).astype(np.float64)
    with jax.default_device(machine.cpu):
        reference = blockwise_ntk(wide, some, None, architecture, outputs=0)
    compared = f"NTK of {count} points, float64"
    return Result(
        timing=timing,
        operations=ntk_operations(samples, layer_widths(FEATURES, width)),
        product=machine.product("float32"),
        shape=shape,
        shape_product=machine.product_of(shape, "float32"),
        agreement=Agreement(compared, relative(found, reference), NTK_TOLERANCE),
        note=kind,
    )


def single_products(machine: Machine, size: int) -> Result:
    """Product of float32 matrices as networks compute it, which must not be in TF32."""
    draw = np.random.default_rng(0).standard_normal
    one, two = (draw((size, size), np.float32) for _ in range(2))
    left, right = jnp.asarray(one), jnp.asarray(two)
    product = jax.jit(jnp.matmul)  # in the precision that `configure_jax` has set
    fast = jax.jit(lambda a, b: jnp.matmul(a, b, precision="default"))
    rows = min(size, COMPARED)
    reference = one[:rows].astype(np.float64) @ two.astype(np.float64)
    errors = [relative_norm(call(left, right)[:rows], reference) for call in (product, fast)]
    shape = (size, size, size)
    return Result(
        timing=timed(lambda: jax.block_until_ready(product(left, right)), machine),
        operations=2.0 * size**3,
        product=machine.product("float32"),
        shape=shape,
        shape_product=machine.product_of(shape, "float32"),
        agreement=Agreement(f"{rows} rows, float64, norm", errors[0], PRODUCT_TOLERANCE),
        note=f'TF32 has an error of about 3e-4; precision "default" has {errors[1]:.0e} here',
    )
