"""Kernels for the tests of what works block by block, in memory and in a Zarr store."""

from pathlib import Path

import numpy as np
import xarray as xr

from ntkflow.stores.schema import conform
from ntkflow.stores.zarr import open_store, write_store


def points_on_sphere(points: int, features: int = 4, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=(points, features))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def laplace_kernel(x1: np.ndarray, x2: np.ndarray | None = None) -> np.ndarray:
    """Like the NTK of ReLU, large leading eigenvalues and small positive ones."""
    x2 = x1 if x2 is None else x2
    return np.exp(-np.linalg.norm(x1[:, None] - x2[None], axis=-1))


def spectral_kernel(eigenvalues: np.ndarray, seed: int = 0) -> np.ndarray:
    """A kernel (N, N) for which K / N has these N eigenvalues, and random eigenvectors."""
    points = len(eigenvalues)
    basis, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(points, points)))
    kernel = basis * (points * eigenvalues) @ basis.T
    return (kernel + kernel.T) / 2


def in_store(kernel: np.ndarray, folder: Path, chunk: int) -> xr.DataArray:
    """The kernel, read on demand from a "limiting" store in chunks."""
    dims = ("sample", "sample_prime")
    array = xr.DataArray(kernel, dims=dims).chunk(dict.fromkeys(dims, chunk))
    store = xr.Dataset(
        {"nngp": array, "ntk": array}, {"is_train": ("sample", np.ones(len(kernel), bool))}
    )
    write_store(conform(store, "limiting"), folder / "kernel.zarr", "limiting")
    return open_store(folder / "kernel.zarr", "limiting")["ntk"]
