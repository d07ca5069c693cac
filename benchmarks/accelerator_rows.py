"""Limiting kernels, training steps, empirical NTK and float32 products on a device.

Each function returns the `Result` of one computation. Networks are ReLU networks on R^784 with one
output and beta = 0.1. Operations are those of matrix products alone; a multiplication and an
addition count as two.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from itertools import pairwise
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from benchmarks.accelerator_records import (
    Agreement,
    LeftOut,
    Machine,
    Result,
    relative,
    relative_norm,
    timed,
)
from benchmarks.floors import inputs
from ntkflow.datasets.idx import FOLDER_VARIABLE, DataFileError, read_mnist
from ntkflow.kernels.activations import activation
from ntkflow.kernels.correlation import directions
from ntkflow.kernels.limiting import Points, kernels_between, limiting_kernels, points
from ntkflow.kernels.tiles import TILE, TILE_ELSEWHERE, Network, block_kernels, plan_kernels
from ntkflow.networks.blockwise import blockwise_ntk
from ntkflow.networks.descent import Setting, advance, evaluate, initial_state, start_from
from ntkflow.networks.empirical import empirical_ntk
from ntkflow.networks.method import Method
from ntkflow.networks.mlp import Architecture, Parameters, init, seed_keys

FEATURES, BETA = 784, 0.1
LIMITING_DEPTH, DEPTH = 4, 5
RATE = 10.0
NORM = 9.37
"""Root mean square norm of the digits of MNIST with pixels from 0 to 1."""
COMPARED, STEPPED = 256, 32
"""Largest number of points at which kernels, and networks, are compared with the CPU's."""
FREE = 0.7
"""Fraction of the available memory of the host that kernels may take."""
LIMITING_TOLERANCE = {"float32": 5e-6, "float64": 1e-12}
STEP_TOLERANCE, NTK_TOLERANCE, PRODUCT_TOLERANCE = 1e-5, 1e-5, 3e-6

CONTAINER = Path("/sys/fs/cgroup")
"""Control group of a container, version 2."""

Blocks = tuple[np.ndarray, np.ndarray]
"""Kernel of the first points with themselves, and with the last points."""


def limiting_operations(samples: int, features: int) -> float:
    """N (N + 1) d: 2 d for each pair on or above the diagonal.

    The recursion over layers, which has no matrix products, is not counted.
    """
    return float(samples) * (samples + 1) * features


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


def limiting_ntk(x: np.ndarray, depth: int) -> np.ndarray:
    """Limiting NTK (N, N) between all rows of x, in its precision."""
    kernels = limiting_kernels(x, x, activation=activation("relu"), depth=depth, beta=BETA)
    return np.asarray(kernels.ntk)


def limiting_on_device(machine: Machine, samples: int, precision: str) -> Result:
    """Kernels computed tile by tile and left on the device, where each replaces the last but one.

    Points are prepared before. The time is that of products and recursion.
    """
    x = inputs("gaussian", samples, FEATURES, precision)
    strips, relu = _strips(x), activation("relu")

    def tile(row: int, column: int) -> jax.Array:
        one, two = strips[row], strips[column]
        return kernels_between(one, two, activation=relu, diagonal=row == column).ntk

    def tiles() -> None:
        previous = None
        for row in range(len(strips)):
            for column in range(row, len(strips)):
                result = tile(row, column)
                jax.block_until_ready(previous)
                previous = result
        jax.block_until_ready(previous)

    def blocks(count: int) -> Blocks:
        last = tile(0, len(strips) - 1)
        return np.asarray(tile(0, 0))[:count, :count], np.asarray(last)[:count, -count:]

    return _limiting(machine, x, len(strips[0].deviation), tiles, blocks)


def limiting_on_host(machine: Machine, samples: int, precision: str) -> Result:
    """Both kernels as NumPy arrays, by `block_kernels`: with copies from the device to the host."""
    dtype = np.dtype(precision)
    needed, available = 2.0 * samples**2 * dtype.itemsize, available_memory()
    if needed > FREE * available:
        raise LeftOut(f"needs {needed / 1e9:.0f} GB of the host, {available / 1e9:.0f} GB are free")
    x = inputs("gaussian", samples, FEATURES, precision)
    norm, direction = map(np.asarray, directions(x, dtype))
    network = Network(activation("relu"), LIMITING_DEPTH, BETA)
    plan = plan_kernels(norm, FEATURES, network, dtype)
    kernels: list[np.ndarray] = []
    with ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:

        def call() -> None:
            kernels.clear()
            kernels.extend(block_kernels((norm, direction), None, plan, pool.map))

        def blocks(count: int) -> Blocks:
            return kernels[1][:count, :count], kernels[1][:count, -count:]

        return _limiting(machine, x, _strip_length(samples), call, blocks)


def _limiting(
    machine: Machine,
    x: np.ndarray,
    strip: int,
    call: Callable[[], None],
    blocks: Callable[[int], Blocks],
) -> Result:
    """Result of a call that computes the kernels of x, of which `blocks` returns two."""
    samples, precision, shape = len(x), str(x.dtype), (strip, FEATURES, strip)
    return Result(
        timing=timed(call, machine),
        operations=limiting_operations(samples, FEATURES),
        product=machine.product(precision),
        shape=shape,
        shape_product=machine.product_of(shape, precision),
        agreement=_limiting_agreement(machine, x, min(COMPARED, strip // 2), blocks),
    )


def _limiting_agreement(
    machine: Machine, x: np.ndarray, count: int, blocks: Callable[[int], Blocks]
) -> Agreement:
    """NTK of the first `count` points with themselves and the last, relative to Theta(x, x)."""
    some = np.concatenate([x[:count], x[-count:]]).astype(np.float64)
    with jax.default_device(machine.cpu):
        reference = limiting_ntk(some, LIMITING_DEPTH)
    scale = np.sqrt(np.diag(reference))
    found = np.concatenate(blocks(count), axis=1).astype(np.float64)
    difference = np.abs(found - reference[:count]) / scale[:count, None] / scale
    compared = f"NTK of {count} x {2 * count} pairs, float64"
    return Agreement(compared, float(difference.max()), LIMITING_TOLERANCE[str(x.dtype)])


def _strip_length(samples: int) -> int:
    """Inputs of a strip, as in `ntkflow.kernels.tiles`."""
    most = TILE.get(jax.default_backend(), TILE_ELSEWHERE)
    return -(-samples // -(-samples // most))


def _strips(x: np.ndarray) -> list[Points]:
    """Points of consecutive inputs; the last strip may be shorter."""
    norm, direction = directions(x, x.dtype)
    length = _strip_length(len(x))
    return [
        points(
            norm[start : start + length],
            direction[start : start + length],
            features=FEATURES,
            activation=activation("relu"),
            depth=LIMITING_DEPTH,
            beta=BETA,
            dtype=x.dtype,
        )
        for start in range(0, len(x), length)
    ]


def available_memory() -> float:
    """Bytes that programs can take of the host, and of the container if its memory is limited.

    If the system does not report them, all bytes of the host.
    """
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next(1024.0 * int(line.split()[1]) for line in lines if "MemAvailable" in line)
    except (OSError, StopIteration):
        free = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with suppress(OSError, ValueError):  # no control group, or "max"
        limit, used = (int((CONTAINER / f"memory.{n}").read_text()) for n in ("max", "current"))
        free = min(free, limit - used)
    return free


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
        agreement=_step_agreement(machine, theta, images[:STEPPED], setting.architecture),
        note=f"{kind}, {steps} steps per call",
    )


def _step_agreement(
    machine: Machine, theta: Parameters, x: np.ndarray, architecture: Architecture
) -> Agreement:
    """Change of f in one step, in float32 on the device and in float64 on the CPU."""
    found = _change(theta, x.astype(np.float32), architecture, machine.device)
    wide = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), theta)
    with jax.default_device(machine.cpu):
        reference = _change(wide, x.astype(np.float64), architecture, machine.cpu)
    compared = f"change of f at {len(x)} points in one step, float64"
    return Agreement(compared, relative(found, reference), STEP_TOLERANCE)


def _change(
    theta: Parameters, x: np.ndarray, architecture: Architecture, device: jax.Device
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
