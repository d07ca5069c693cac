"""Small stores for the tests of the statistics, valid against the schema."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from ntkflow.stores.schema import conform

TRAIN = np.array([-2.2, -0.8, 0.6, 2.0])
TEST = np.array([1.5, -np.pi, 0.0, -1.0, np.pi, 3.0, -2.5])
ANGLE = np.concatenate([TRAIN, TEST])
IS_TRAIN = np.arange(len(ANGLE)) < len(TRAIN)
POINTS = {"is_train": ("sample", IS_TRAIN), "angle": ("sample", ANGLE)}
KERNEL_DIMS = ("sample", "sample_prime", "output", "output_prime")


def kernel(angle: np.ndarray) -> np.ndarray:
    """A positive-definite kernel on the circle, with distinct positive eigenvalues."""
    difference = angle[:, None] - angle[None, :]
    return 0.1 + np.exp(np.cos(difference)) / 4


def dataset() -> xr.Dataset:
    x = np.stack([np.cos(ANGLE), np.sin(ANGLE)], axis=1)
    y = np.where(IS_TRAIN, np.sin(ANGLE), np.nan)[:, None]
    return conform(
        xr.Dataset({"x": (("sample", "feature"), x), "y": (("sample", "output"), y)}, POINTS),
        "dataset",
    )


def limiting(ntk: np.ndarray | None = None, is_train: np.ndarray = IS_TRAIN) -> xr.Dataset:
    if ntk is None:
        ntk = kernel(ANGLE)
    dims = ("sample", "sample_prime")
    points = {"is_train": ("sample", is_train)}
    if len(ntk) == len(ANGLE):
        points["angle"] = ("sample", ANGLE)
    return conform(xr.Dataset({"nngp": (dims, ntk / 2), "ntk": (dims, ntk)}, points), "limiting")


def ensemble(
    rng: np.random.Generator,
    *,
    seeds: int = 3,
    steps: Sequence[int] = (0, 5, 20),
    kernel_steps: Sequence[int] = (0, 20),
    outputs: int = 1,
    learning_rate: float = 0.5,
) -> xr.Dataset:
    """Functions and kernels of no structure: statistics are compared with loops over them."""
    points = len(ANGLE)
    f = rng.normal(size=(seeds, len(steps), points, outputs))
    noise = rng.normal(size=(seeds, len(kernel_steps), points, points, outputs, outputs))
    noise = noise + noise.transpose(0, 1, 3, 2, 5, 4)
    ntk = kernel(ANGLE)[:, :, None, None] * np.eye(outputs) + 0.05 * noise
    return conform(
        xr.Dataset(
            {
                "f": (("seed", "step", "sample", "output"), f),
                "goal": (("seed", "sample", "output"), rng.normal(size=(seeds, points, outputs))),
                "cost": (("seed", "step"), rng.random((seeds, len(steps)))),
                "ntk": (("seed", "kernel_step", *KERNEL_DIMS), ntk),
            },
            {
                **POINTS,
                "seed": np.arange(seeds),
                "step": list(steps),
                "time": ("step", learning_rate * np.array(steps)),
                "kernel_step": list(kernel_steps),
                "kernel_time": ("kernel_step", learning_rate * np.array(kernel_steps)),
            },
        ),
        "ensemble",
    )


def dynamics(networks: xr.Dataset, rng: np.random.Generator, distance: float = 0.1) -> xr.Dataset:
    """A "dynamics" store that lies about `distance` from the functions of an ensemble."""
    f = networks["f"] + distance * rng.normal(size=networks["f"].shape)
    keep = ("seed", "step", "time", "is_train", "angle")
    return conform(
        xr.Dataset({"f": f}, {name: networks[name] for name in keep}),
        "dynamics",
    )


def initial_kernels(ntk: np.ndarray) -> xr.Dataset:
    """An "initial_kernels" store from kernels (seed, point, point) or with two output axes."""
    if ntk.ndim == 3:
        ntk = ntk[..., None, None]
    points = {"is_train": ("sample", np.ones(ntk.shape[1], bool)), "seed": np.arange(len(ntk))}
    return conform(xr.Dataset({"ntk": (("seed", *KERNEL_DIMS), ntk)}, points), "initial_kernels")
