"""Small sources for the tests of claims."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from ntkflow.kernels.activations import activation
from ntkflow.kernels.limiting import limiting_kernels
from ntkflow.kernels.tiles import Network
from ntkflow.measures.common.sources import Sources
from ntkflow.networks.mlp import Architecture


def sources(
    x: np.ndarray,
    y: np.ndarray,
    *,
    train: int | None = None,
    widths: Sequence[int] = (16,),
    name: str = "relu",
    depth: int = 3,
    beta: float = 0.1,
    weight_gain: float = 1.0,
    ensembles: Mapping[int, xr.Dataset] | None = None,
    seed: int = 0,
) -> Sources:
    """The points x, their limiting kernels, and networks of some widths; `train` of them first."""
    sigma = activation(name)
    is_train = np.arange(len(x)) < (len(x) if train is None else train)
    points = {"is_train": ("sample", is_train)}
    dataset = xr.Dataset({"x": (("sample", "feature"), x), "y": (("sample", "output"), y)}, points)
    limits = limiting_kernels(
        x, x, activation=sigma, depth=depth, beta=beta, weight_gain=weight_gain
    )
    kernels = xr.Dataset(
        {
            name: (("sample", "sample_prime"), np.asarray(kernel))
            for name, kernel in limits._asdict().items()
        },
        points,
    )
    architectures = {
        n: Architecture((n,) * (depth - 1), sigma, beta, weight_gain, y.shape[1]) for n in widths
    }
    limit = Network(sigma, depth, beta, weight_gain)
    return Sources(
        dataset=dataset,
        limiting=kernels,
        ensembles=ensembles or {},
        architectures=architectures,
        limit=limit,
        seed=seed,
    )


def verdicts(evidence: xr.Dataset) -> dict[str, str]:
    """Verdict by quantity."""
    pairs = zip(evidence["quantity"].values, evidence["verdict"].values, strict=True)
    return {str(name): str(found) for name, found in pairs}


def ensemble(
    points: Sources, f: np.ndarray, steps: Sequence[int], rate: float, goal: np.ndarray
) -> xr.Dataset:
    """An "ensemble" store of functions f (seed, step, sample[, output]), trained to `goal`."""
    if f.ndim == 3:
        f, goal = f[..., None], goal[..., None]
    return xr.Dataset(
        {
            "f": (("seed", "step", "sample", "output"), f),
            "goal": (("seed", "sample", "output"), goal),
        },
        {
            "is_train": points.dataset["is_train"].variable,
            "step": list(steps),
            "time": ("step", rate * np.array(steps, np.float64)),
        },
    )
