"""Eigenvalues of the limiting NTK on MNIST, against values found with independent code.

Theta(X, X)/N on random batches of 512 of the test split, ReLU, beta = 0.1; the means of 6 batches,
between which lambda_1 varied by 0.4 % and the others by 4 to 6 %. JGH Section 6 print 0.0457,
0.00108 and 0.00078, from the empirical kernel of one network.
"""

from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest

from ntkflow.analysis.spectrum import decompose_kernel
from ntkflow.datasets.config import DatasetConfig
from ntkflow.datasets.make import make_dataset
from ntkflow.kernels.activations import activation
from ntkflow.kernels.limiting import limiting_kernels
from ntkflow.stores import labels

PUBLISHED = {
    ("unit", 4): (0.0521, 0.00197, 0.00147),
    ("unit", 5): (0.0461, 0.00123, 0.00087),
    ("centred", 4): (0.0459, 0.00183, 0.00132),
    ("centred", 5): (0.0425, 0.00111, 0.00078),
    ("standardised", 4): (0.2125, 0.0145, 0.0119),
}
BATCHES = 3


def eigenvalues(preprocessing: str, depth: int, seed: int, folder: Path) -> np.ndarray:
    entry = {"inputs": "mnist", "split": "test", "samples": 512, "preprocessing": preprocessing}
    config = {
        "train": {**entry, "folder": str(folder)},
        "target": {"kind": "one_vs_rest", "label": 0},
        "seed": seed,
    }
    dataset = make_dataset(DatasetConfig.model_validate(config))
    kernels = jax.jit(
        partial(limiting_kernels, activation=activation("relu"), depth=depth, beta=0.1)
    )
    x = dataset["x"].values
    named = {name: np.asarray(kernel) for name, kernel in kernels(x, x)._asdict().items()}
    spectrum = decompose_kernel(labels.kernels(dataset, named))
    return spectrum["eigenvalue"].values[:3]


@pytest.mark.parametrize(
    ("preprocessing", "depth"),
    [pytest.param(*case, marks=pytest.mark.slow if i else ()) for i, case in enumerate(PUBLISHED)],
)
def test_mnist_eigenvalues(mnist_folder: Path, preprocessing: str, depth: int) -> None:
    batches = [eigenvalues(preprocessing, depth, seed, mnist_folder) for seed in range(BATCHES)]
    deviation = np.abs(np.mean(batches, axis=0) / PUBLISHED[preprocessing, depth] - 1)
    # Three standard errors of the difference of the two means, and the rounding of the table.
    error = np.array([0.004, 0.06, 0.06]) * np.sqrt(1 / BATCHES + 1 / 6)
    rounding = 0.5 * np.array([1e-4, 1e-5, 1e-5]) / PUBLISHED[preprocessing, depth]
    np.testing.assert_array_less(deviation, 3 * error + rounding)
