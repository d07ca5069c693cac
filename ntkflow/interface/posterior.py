"""Posterior of a Gaussian process, whose kernel may be the NNGP kernel of any network."""

from __future__ import annotations  # so that help() names the types of arguments

from dataclasses import dataclass

import numpy as np

from ntkflow.analysis import blocks
from ntkflow.analysis.regression import indefinite
from ntkflow.interface.arguments import GIB, Memory
from ntkflow.interface.checks import checked
from ntkflow.interface.dense import (
    PriorKernel,
    RidgeScale,
    SquareKernel,
    as_numpy,
    check_prior,
    prepared,
    read,
)
from ntkflow.interface.network import full_precision
from ntkflow.interface.solvers import CrossKernel, Ridge, Targets
from ntkflow.kernels import predictions
from ntkflow.kernels.predictions import Gaussian


@dataclass(frozen=True, eq=False)
class Posterior:
    """Posterior of a Gaussian process, such as an infinitely wide Bayesian network.

    Attributes
    ----------
    factor
        Lower Cholesky factor (N, N) of K + N ridge I.
    targets
        Targets (N, k).
    ridge
        Ridge of the cost that is averaged over N points, so that N ridge is the noise's variance.
    log_marginal_likelihood
        log N(y; 0, K + N ridge I), summed over outputs.
    """

    factor: np.ndarray
    targets: np.ndarray
    ridge: float
    log_marginal_likelihood: float

    @checked
    def predict(self, cross_kernel: CrossKernel, prior: PriorKernel | None = None) -> Gaussian:
        """Compute mean and covariance of f at M test points (Rasmussen and Williams 2006, 2.2).

        Parameters
        ----------
        cross_kernel
            Kernel (M, N) between test and training points, in memory or opened from a store.
        prior
            Kernel (M, M) of the test points, or its diagonal (M,) for variances alone.

        Returns
        -------
        Gaussian
            ``mean`` (M, k) and ``covariance`` (M, M), (M,) or None, as the prior is, of f without
            the noise.
        """
        cross = read("cross_kernel", cross_kernel, len(self.targets))
        check_prior(prior, len(cross))
        with full_precision():
            found = predictions.conditioned(self.factor, self.targets, cross, prior)
        return as_numpy([found], single=True)


@checked
def nngp_posterior(
    nngp: SquareKernel,
    targets: Targets,
    *,
    ridge: Ridge = 0.0,
    ridge_scale: RidgeScale = "cost",
    memory: Memory = 2.0,
) -> Posterior:
    """Condition a Gaussian process with the NNGP kernel K on targets (Lee et al. 2018).

    Any other positive definite kernel may take its place.

    Parameters
    ----------
    nngp
        NNGP kernel K (N, N) of the training points, in memory or opened from a store.
    targets
        Targets y (N, k).
    ridge
        Ridge; observations have the noise variance N ridge, as in `kernel_regression`.
    ridge_scale
        ``cost``: K + N ridge I. ``trace``: K + ridge (tr K / N) I, relative to the kernel.
    memory
        GiB for the Cholesky decomposition.

    Returns
    -------
    Posterior
        Its `predict` gives mean and covariance at test points; `log_marginal_likelihood`.

    Raises
    ------
    ValueError
        If an argument is invalid, K + N ridge I is not positive definite (equal points are named),
        or `memory` is too little.
    """
    kernel, y, ridge = prepared("nngp", nngp, targets, ridge, ridge_scale, memory * GIB)
    with full_precision():
        factor = predictions.factorised(kernel, ridge)
        likelihood = predictions.log_likelihood(factor, y)
    smallest = float(np.min(np.diagonal(factor)) ** 2)
    rounding = len(kernel) * float(np.finfo(nngp.dtype).eps) * float(np.max(np.diagonal(kernel)))
    if not smallest > rounding:  # or NaN
        equal = blocks.equal_points(nngp, memory=memory * GIB)
        raise indefinite(f"pivot {smallest:.3g} of its Cholesky factor", ridge, equal, "nngp")
    return Posterior(np.asarray(factor), y, ridge, float(likelihood))
