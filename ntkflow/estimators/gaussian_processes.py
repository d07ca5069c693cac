"""Limiting kernels as kernels of scikit-learn's Gaussian processes and kernel methods."""

from typing import Any

import numpy as np
from sklearn.gaussian_process.kernels import Hyperparameter, Kernel

from ntkflow.estimators.limits import Limit, diagonals, kernels, log_gradients

Bounds = tuple[float, float] | str


class _LimitingKernel(Kernel):  # type: ignore[misc]
    _field: str  # of `Kernels`

    def __init__(
        self,
        depth: int = 3,
        activation: Any = "relu",
        beta: float = 0.1,
        weight_gain: float = 1.0,
        beta_bounds: Bounds = (1e-3, 1e1),
        weight_gain_bounds: Bounds = (1e-1, 1e1),
    ) -> None:
        self.depth = depth
        self.activation = activation
        self.beta = beta
        self.weight_gain = weight_gain
        self.beta_bounds = beta_bounds
        self.weight_gain_bounds = weight_gain_bounds

    @property
    def hyperparameter_beta(self) -> Hyperparameter:
        """Factor of the biases."""
        return Hyperparameter("beta", "numeric", self.beta_bounds)

    @property
    def hyperparameter_weight_gain(self) -> Hyperparameter:
        """Factor of the weights."""
        return Hyperparameter("weight_gain", "numeric", self.weight_gain_bounds)

    def __call__(self, X: Any, Y: Any = None, eval_gradient: bool = False) -> Any:
        """Kernel (n, m) of the rows of X and Y, or of X alone.

        Parameters
        ----------
        X, Y
            Inputs (n, d) and (m, d).
        eval_gradient
            Whether to return the gradient (n, n, parameters) too, with respect to the logarithms of
            the hyperparameters that are not fixed; only without Y.
        """
        if eval_gradient and Y is not None:
            raise ValueError("eval_gradient: found True with Y, expected Y = None")
        X = np.asarray(X, np.float64)
        found = kernels(Limit.of(self), X, None if Y is None else np.asarray(Y, np.float64))
        kernel = getattr(found, self._field)
        if not eval_gradient:
            return kernel
        names = [each.name for each in self.hyperparameters if not each.fixed]
        gradients = [getattr(log_gradients(Limit.of(self), X, name), self._field) for name in names]
        return kernel, np.stack(gradients, -1) if names else np.empty((*kernel.shape, 0))

    def diag(self, X: Any) -> np.ndarray:
        """Kernel (n,) of each row of X with itself."""
        values: np.ndarray = getattr(
            diagonals(Limit.of(self), np.asarray(X, np.float64)), self._field
        )
        return values

    def is_stationary(self) -> bool:
        """Return False: kernels depend on norms and angles."""
        return False

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(depth={self.depth}, activation={self.activation!r}, "
            f"beta={self.beta:.3g}, weight_gain={self.weight_gain:.3g})"
        )


class NNGPKernel(_LimitingKernel):
    """NNGP kernel, the covariance of infinitely wide networks at initialisation.

    Parameters
    ----------
    depth
        Number of weight layers: the hidden layers and one more.
    activation
        Name of an activation, mapping of ``name`` and parameters, or elementwise function of JAX
        arrays.
    beta, weight_gain
        Factors of biases and weights, as in `ntkflow.api.limiting_kernels`. Gaussian processes
        optimise them.
    beta_bounds, weight_gain_bounds
        Smallest and largest value of the factor, or ``fixed``, which beta = 0 needs.
    """

    _field = "nngp"


class NTKKernel(_LimitingKernel):
    """Limiting NTK, the kernel of gradient descent in function space.

    Parameters
    ----------
    depth, activation, beta, weight_gain, beta_bounds, weight_gain_bounds
        As in `NNGPKernel`.
    """

    _field = "ntk"
