"""Gaussian-process and ridge regression by scikit-learn, as a check of our own."""

from typing import Any

import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Kernel
from sklearn.kernel_ridge import KernelRidge

from ntkflow.measures.common.evidence import Quantity

ROUNDING = 1e-8
ROUNDING_REASON = "rounding of two solvers, for condition numbers of about 1e4"


class _Precomputed(Kernel):  # type: ignore[misc]
    """Kernel of scikit-learn from a Gram matrix; its inputs are row numbers."""

    def __init__(self, gram: np.ndarray) -> None:
        self.gram = gram

    def __call__(self, X: Any, Y: Any = None, eval_gradient: bool = False) -> Any:
        rows = X[:, 0].astype(int)
        columns = rows if Y is None else Y[:, 0].astype(int)
        gram = self.gram[np.ix_(rows, columns)]
        return (gram, np.empty((*gram.shape, 0))) if eval_gradient else gram

    def diag(self, X: Any) -> Any:
        return np.diagonal(self.gram)[X[:, 0].astype(int)].copy()

    def is_stationary(self) -> bool:
        return False


def cross_checks(
    nngp: np.ndarray,
    ntk: np.ndarray,
    train: np.ndarray,
    y: np.ndarray,
    noise: float,
    found: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> list[Quantity]:
    """Relative differences of posterior mean and variance, and of regression, from scikit-learn."""
    numbers = np.arange(len(train))[:, None]
    theirs = GaussianProcessRegressor(_Precomputed(nngp), alpha=noise, optimizer=None)
    theirs.fit(numbers[train], y[train])
    center, deviation = theirs.predict(numbers[~train], return_std=True)
    ridge = KernelRidge(kernel="precomputed", alpha=noise)
    ridge.fit(ntk[np.ix_(train, train)], y[train])
    fitted = ridge.predict(ntk[np.ix_(~train, train)])
    # scikit-learn repeats the variance for each output.
    variance = deviation.reshape(len(deviation), -1)[:, 0] ** 2
    pairs = {
        "NNGP posterior: mean, from scikit-learn's": (found[0], center),
        "NNGP posterior: variance, from scikit-learn's": (found[1], variance),
        "NTK regression: f, from scikit-learn's": (found[2], fitted),
    }
    errors = {name: np.abs(a - b).max() / np.abs(b).max() for name, (a, b) in pairs.items()}
    return [Quantity.check(name, e, ROUNDING, ROUNDING_REASON) for name, e in errors.items()]
