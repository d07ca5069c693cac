"""Landmarks beside the dense solution for 60,000 digits, and what the dense solution takes.

Settings, fixed on 2026-11-30 before the first run: the first 6,000 digits of the test split of
MNIST, each shifted in ten ways, are the 60,000 training points, and the other 4,000 the test
points. NTK of a ReLU network with L = 4 and beta = 0.1, in float32; one ridge for all; targets 1 -
1/10 for the class and -1/10 for the others; random landmarks of seed 0.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

SHIFTS = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1), (2, 0))
DRAWN, RIDGE = 6000, 1e-6
NETWORK: Mapping[str, Any] = {"depth": 4, "beta": 0.1, "precision": "float32"}
SIZES = (250, 500, 1000, 2500, 5000)
MEMORY = 4.0  # GiB, for the dense solution
BLOCK = 2048


def digits(every: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training and test inputs with their targets, from every `every`-th training digit."""
    from ntkflow.datasets.idx import read_mnist

    pixels, labels = read_mnist("test")
    images = (pixels / np.float32(255)).reshape(-1, 28, 28)
    train = slice(0, DRAWN, every)
    shifted = [np.roll(images[train], shift, axis=(1, 2)) for shift in SHIFTS]
    one_hot = (labels[:, None] == np.arange(10)) - 0.1
    x = np.concatenate(shifted).reshape(-1, 784)
    return (
        *(x, np.tile(one_hot[train], (len(SHIFTS), 1))),
        *(images[DRAWN:].reshape(-1, 784), one_hot[DRAWN:]),
    )


def scored(f: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Fraction of test points that are misclassified, and mean square of f - y."""
    wrong = float(np.mean(f.argmax(axis=1) != y.argmax(axis=1)))
    return {"wrong": wrong, "error": float(np.mean((f - y) ** 2))}


def with_landmarks(every: int, landmarks: int) -> dict[str, Any]:
    """Scores with landmarks."""
    from ntkflow import api

    x, y, others, expected = digits(every)
    start = time.perf_counter()
    fit = api.landmark_regression(x, y, landmarks=min(landmarks, len(x)), ridge=RIDGE, **NETWORK)
    taken = time.perf_counter() - start
    return {"seconds": taken, **scored(fit.predict(others), expected)}


def write_dense(every: int, folder: str) -> dict[str, Any]:
    """Write the kernel of all pairs."""
    from ntkflow import api

    x, *_ = digits(every)
    start = time.perf_counter()
    api.store_limiting_kernels(x, store=Path(folder) / "kernels.zarr", block=BLOCK, **NETWORK)
    taken = time.perf_counter() - start
    return {"seconds": taken, "bytes": 2 * len(x) ** 2 * 4}


def solve_dense(every: int, folder: str) -> dict[str, Any]:
    """Scores of the dense solution, by conjugate gradients that read the store."""
    from ntkflow import api
    from ntkflow.stores.zarr import open_store

    x, y, others, expected = digits(every)
    kernel = open_store(Path(folder) / "kernels.zarr", "limiting")["ntk"]
    start = time.perf_counter()
    fit = api.kernel_regression(kernel, y, ridge=RIDGE, memory=MEMORY, tolerance=1e-6)
    taken = time.perf_counter() - start
    parts = [slice(first, first + 500) for first in range(0, len(others), 500)]
    f = [api.limiting_kernels(others[part], x, **NETWORK).ntk @ fit.coefficients for part in parts]
    scores = scored(np.concatenate(f), expected)
    return {"seconds": taken, "iterations": fit.iterations, "method": fit.method, **scores}


def read_dense(folder: str) -> dict[str, Any]:
    """Read the files that one pass over half of the kernel reads, one after the other."""
    chunks = (Path(folder) / "kernels.zarr" / "ntk" / "c").glob("*/*")
    files = [file for file in chunks if int(file.parent.name) <= int(file.name)]
    start, size = time.perf_counter(), 0
    for file in files:
        descriptor = os.open(file, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        with os.fdopen(descriptor, "rb", buffering=0) as opened:
            size += len(opened.read())
    return {"seconds": time.perf_counter() - start, "bytes": size}
