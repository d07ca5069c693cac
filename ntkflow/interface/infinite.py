"""Infinitely wide networks during training, with their uncertainty."""

from __future__ import annotations  # so that help() names the types of arguments

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
import scipy.linalg

from ntkflow.analysis import blocks
from ntkflow.analysis.regression import equal_pairs, indefinite
from ntkflow.interface import arrays, settings
from ntkflow.interface.arguments import GIB, Memory
from ntkflow.interface.checks import INDEX, checked, number, one_of, refusal
from ntkflow.interface.dense import (
    PriorKernel,
    RidgeScale,
    SquareKernel,
    as_numpy,
    check_prior,
    check_shape,
    dense_kernel,
    prepared,
    read,
)
from ntkflow.interface.network import full_precision
from ntkflow.interface.solvers import CrossKernel, Ridge, Targets
from ntkflow.kernels import predictions
from ntkflow.kernels.predictions import Gaussian

Singular = Annotated[
    Literal["error", "pseudo-inverse"], partial(one_of, names=("error", "pseudo-inverse"))
]
Times = Annotated[float | Sequence[float], settings.times]
Steps = Annotated[int, INDEX]
Rate = Annotated[float, partial(number, above=0)]
Momentum = Annotated[float, partial(number, low=0, high=1 - 1e-6)]
Values = Annotated[np.ndarray, partial(arrays.matrix, axes="(points, outputs)")]


@dataclass(frozen=True, eq=False)
class InfiniteNetwork:
    """Infinitely wide network that gradient descent trains on least squares (JGH Section 5).

    With an empirical NTK instead of the limiting one it is a finite network linearised in its
    parameters.

    Attributes
    ----------
    eigenvalues, vectors
        Eigenvalues (N,), ascending, and unit eigenvectors (N, N) of Theta(X, X) / N.
    targets
        Targets (N, k).
    ridge
        Ridge of the averaged cost.
    nngp
        NNGP kernel (N, N) of the training points, or None.
    singular
        Number of eigenvalues that are zero to rounding error, the ridge included; their components
        are never learnt.
    equal
        Pairs of training points that a singular kernel does not distinguish.
    pseudo_inverse
        Whether infinite time is allowed then.
    """

    eigenvalues: np.ndarray
    vectors: np.ndarray
    targets: np.ndarray
    ridge: float
    nngp: np.ndarray | None
    singular: int
    equal: tuple[tuple[int, int], ...]
    pseudo_inverse: bool

    @checked
    def largest_learning_rate(self, momentum: Momentum = 0.0) -> float:
        """Learning rate below which gradient descent converges.

        It is 2 (1 + m) / (lambda_1 + ridge) for the heavy-ball momentum m (Polyak 1964).
        """
        largest = float(self.eigenvalues[-1]) + self.ridge
        return 2 * (1 + momentum) / largest if largest > 0 else np.inf

    @checked
    def predict(
        self,
        cross_ntk: CrossKernel,
        cross_nngp: CrossKernel | None = None,
        prior: PriorKernel | None = None,
        *,
        time: Times | None = None,
        steps: Steps | None = None,
        learning_rate: Rate | None = None,
        momentum: Momentum = 0.0,
    ) -> Gaussian:
        """Compute mean and covariance of f_t over initialisations at M test points.

        Parameters
        ----------
        cross_ntk
            Limiting NTK (M, N) between test and training points.
        cross_nngp
            NNGP kernel (M, N) between them; it and the prior are needed for the covariance.
        prior
            NNGP kernel (M, M) of the test points, or its diagonal (M,) for variances alone.
        time
            Time t of gradient flow, steps x learning rate of the averaged cost, or a list of times;
            infinite by default.
        steps, learning_rate, momentum
            Steps of full-batch gradient descent with heavy-ball momentum, instead of a time.

        Returns
        -------
        Gaussian
            ``mean`` (M, k) and ``covariance`` (M, M), (M,) or None, as the prior is; with a leading
            axis for a list of times.

        Raises
        ------
        ValueError
            If an argument is invalid, the learning rate is too large, or the time is infinite and
            the kernel singular.
        """
        cross = read("cross_ntk", cross_ntk, len(self.targets))
        check_prior(prior, len(cross))
        if (prior is None) != (cross_nngp is None) or (prior is not None and self.nngp is None):
            raise ValueError(
                "prior: found one of cross_nngp, prior and the nngp of the training points without "
                "the others, expected all three for a covariance, or neither cross_nngp nor prior"
            )
        between = None if cross_nngp is None else read("cross_nngp", cross_nngp, cross.shape)
        filters = self._filters(time, steps, learning_rate, momentum)
        if self.nngp is None or between is None or prior is None:
            means = (cross @ self._coefficients(q, self.targets) for q in filters)
            found = [Gaussian(mean, None) for mean in means]
        else:
            nngp, projected = (self.nngp, between, prior), cross @ self.vectors / len(self.targets)
            with full_precision():
                gains = ((projected * q) @ self.vectors.T for q in filters)
                laws = (predictions.transported(gain, self.targets, nngp) for gain in gains)
                found = [Gaussian(*law) for law in laws]
        return as_numpy(found, single=np.ndim(time or 0) == 0)

    @checked
    def evolve(
        self,
        cross_ntk: CrossKernel,
        initial: Values,
        initial_at_test: Values,
        *,
        time: Times | None = None,
        steps: Steps | None = None,
        learning_rate: Rate | None = None,
        momentum: Momentum = 0.0,
    ) -> np.ndarray:
        """f_t at M test points (M, k) of one network, from its f_0.

        Parameters
        ----------
        cross_ntk
            Limiting NTK (M, N) between test and training points.
        initial, initial_at_test
            f_0 at the training points (N, k) and at the test points (M, k).
        time, steps, learning_rate, momentum
            As in `predict`; a list of times adds a leading axis.

        Returns
        -------
        numpy.ndarray
            f_t (M, k), or (times, M, k).

        Raises
        ------
        ValueError
            As in `predict`.
        """
        cross = read("cross_ntk", cross_ntk, len(self.targets))
        check_shape("initial", initial, self.targets.shape)
        check_shape("initial_at_test", initial_at_test, (len(cross), self.targets.shape[1]))
        residual = self.targets - initial
        filters = self._filters(time, steps, learning_rate, momentum)
        found = [initial_at_test + cross @ self._coefficients(q, residual) for q in filters]
        return np.stack(found) if np.ndim(time or 0) else found[0]

    def _filters(
        self, time: Any, steps: int | None, rate: float | None, momentum: float
    ) -> list[np.ndarray]:
        """q (N,) for each time, so that a component's residual is multiplied by 1 - lambda q."""
        if (steps is None) != (rate is None):
            raise ValueError(
                "steps: found steps or a learning_rate without the other, expected both or neither"
            )
        if steps is not None and time is not None:
            raise refusal("time", time, "None, as steps are given")
        if steps is None and momentum:
            raise refusal("momentum", momentum, "0 without steps")
        eigenvalues, ridge = self.eigenvalues, self.ridge
        with full_precision():
            if steps is not None and rate is not None:
                largest = self.largest_learning_rate(momentum)
                if rate >= largest:
                    expected = f"less than {largest:.6g}, where steps diverge"
                    raise refusal("learning_rate", rate, expected)
                found = [predictions.descent(eigenvalues, steps, rate, momentum, ridge)]
            else:
                times = np.atleast_1d(np.inf if time is None else time)
                if self.singular and not self.pseudo_inverse and np.isinf(times).any():
                    raise self._refused()
                found = [predictions.flow(eigenvalues, t, ridge) for t in times]
        learnt = np.arange(len(eigenvalues)) >= self.singular  # the others are rounding errors
        return [np.where(learnt, np.asarray(q), 0) for q in found]

    def _refused(self) -> ValueError:
        return ValueError(
            f"time: found infinity with a singular ntk ({self.singular} of {len(self.eigenvalues)} "
            f"eigenvalues are zero to rounding error{equal_pairs(self.equal)}), expected a finite "
            "time, a ridge, or singular='pseudo-inverse'; or leave out points that occur twice"
        )

    def _coefficients(self, q: np.ndarray, residual: np.ndarray) -> np.ndarray:
        """Coefficients a (N, k) of f - f_0 = sum_j Theta(x, x_j) a_j for a filter q (N,)."""
        components = q[:, None] * (self.vectors.T @ residual)
        return self.vectors @ components / len(self.targets)


@checked
def infinite_network(
    ntk: SquareKernel,
    targets: Targets,
    *,
    nngp: SquareKernel | None = None,
    ridge: Ridge = 0.0,
    ridge_scale: RidgeScale = "cost",
    singular: Singular = "error",
    memory: Memory = 2.0,
) -> InfiniteNetwork:
    """Prepare predictions of an infinitely wide network trained on least squares for any time.

    The cost C = (1/2N) sum_i ||f(x_i) - y_i||^2 + (ridge/2) ||theta - theta_0||^2 is averaged over
    the N points and summed over outputs. A step of gradient descent takes the time
    `learning_rate` (JGH Section 5).

    Parameters
    ----------
    ntk
        Limiting NTK (N, N) of the training points, in memory or opened from a store.
    targets
        Targets y (N, k).
    nngp
        NNGP kernel (N, N) of the training points; without it predictions have no covariance.
    ridge
        Ridge of the averaged cost: after infinite time f = Theta(x, X) (Theta + N ridge I)^{-1} y
        for f_0 = 0, as in `kernel_regression`.
    ridge_scale
        ``cost``: Theta + N ridge I. ``trace``: Theta + ridge (tr Theta / N) I.
    singular
        What infinite time is if Theta is singular and the ridge does not help: an ``error``, or
        the ``pseudo-inverse``. Components whose eigenvalue is zero to rounding error are never
        learnt.
    memory
        GiB for the eigendecomposition.

    Returns
    -------
    InfiniteNetwork
        Its `predict`, `evolve` and `largest_learning_rate`.

    Raises
    ------
    ValueError
        If an argument is invalid, Theta is not positive semidefinite, or `memory` is too little.
    """
    kernel, y, ridge = prepared("ntk", ntk, targets, ridge, ridge_scale, memory * GIB)
    prior = None
    if nngp is not None:
        check_shape("nngp", nngp, kernel.shape)
        prior = dense_kernel("nngp", nngp, memory * GIB)
    eigenvalues, vectors = scipy.linalg.eigh(kernel / len(kernel), driver="evd", check_finite=False)
    rounding = _rounding(kernel, ntk.dtype, eigenvalues)
    if eigenvalues[0] + ridge < -rounding:
        found = f"its smallest eigenvalue is {len(kernel) * eigenvalues[0]:.3g}"
        raise indefinite(found, ridge, name="ntk")
    zero = int(np.count_nonzero(eigenvalues + ridge <= rounding))
    equal = blocks.equal_points(ntk, memory=memory * GIB) if zero else []
    return InfiniteNetwork(
        *(eigenvalues, vectors, y, ridge, prior, zero, tuple(equal), singular != "error")
    )


def _rounding(kernel: np.ndarray, dtype: np.dtype, eigenvalues: np.ndarray) -> float:
    """Error of eigenvalues of K / N from an error of 8 eps in each entry, and from LAPACK."""
    points = len(kernel)
    entry = 8 * float(np.finfo(dtype).eps) * float(np.max(np.diagonal(kernel)))
    lapack = points * float(np.finfo(np.float64).eps) * float(np.abs(eigenvalues).max())
    return float(entry / np.sqrt(points) + lapack)
