"""Regression by infinitely wide networks: trained by gradient descent, or Bayesian."""

from typing import Any, Self

import numpy as np
from scipy.linalg import cho_solve
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ntkflow import api
from ntkflow.estimators.limits import (
    MEMORY,
    Kernels,
    Limit,
    batches,
    diagonals,
    drawn,
    kernels,
    landmark_coefficients,
    repeated,
)
from ntkflow.interface.checks import refusal
from ntkflow.interface.settings import times


class _InfinitelyWide(MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Regression whose prediction at x is a sum of kernel values K(x, x_j) dual_coef_j."""

    _kernel: str  # field of `Kernels` whose values are summed
    _has_covariance = True

    def __init__(
        self,
        depth: int = 3,
        activation: Any = "relu",
        *,
        beta: float = 0.1,
        weight_gain: float = 1.0,
        ridge: float = 1e-3,
        normalize_y: bool = True,
        precision: str = "float64",
    ) -> None:
        self.depth = depth
        self.activation = activation
        self.beta = beta
        self.weight_gain = weight_gain
        self.ridge = ridge
        self.normalize_y = normalize_y
        self.precision = precision

    def fit(self, X: Any, y: Any) -> Self:
        """Fit the network to data.

        Parameters
        ----------
        X
            Inputs (n_samples, n_features).
        y
            Targets (n_samples,) or (n_samples, n_outputs).

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the data or a parameter is invalid, or the kernel with its ridge is singular.
        """
        X, y = validate_data(
            self, X, y, dtype=np.float64, y_numeric=True, multi_output=True, ensure_min_samples=1
        )
        targets = np.asarray(y, np.float64).reshape(len(y), -1)
        self._center, self._scale = np.zeros(targets.shape[1]), np.ones(targets.shape[1])
        if self.normalize_y:
            self._center, deviation = targets.mean(axis=0), targets.std(axis=0)
            rounding = 10 * np.finfo(float).eps * np.abs(self._center)
            self._scale = np.where(deviation > rounding, deviation, 1.0)
        self._shape = y.shape[1:]
        self.dual_coef_ = self._fit(X, (targets - self._center) / self._scale)
        return self

    def predict(
        self, X: Any, return_std: bool = False, return_cov: bool = False
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Predict targets, with their standard deviation or covariance on request.

        Parameters
        ----------
        X
            Inputs (n_samples, n_features).
        return_std
            Whether to return the standard deviation at each input.
        return_cov
            Whether to return the covariance of all inputs, which takes n_samples squared numbers.

        Returns
        -------
        mean
            Predictions (n_samples,) or (n_samples, n_outputs).
        std
            Standard deviation, of the shape of the mean, if `return_std`.
        cov
            Covariance (n_samples, n_samples), or (n_samples, n_samples, n_outputs), if
            `return_cov`.

        Raises
        ------
        ValueError
            If X is invalid, or both `return_std` and `return_cov` are true.
        """
        check_is_fitted(self)
        if return_std and return_cov:
            raise refusal("return_cov", return_cov, "False if return_std is True")
        if (return_std or return_cov) and not self._has_covariance:
            name = "return_std" if return_std else "return_cov"
            raise refusal(name, True, "False after a fit with landmarks; fit with landmarks=None")
        X = validate_data(self, X, dtype=np.float64, reset=False)
        parts = [slice(None)] if return_cov else batches(len(X), len(self.X_train_))
        means, covariances = zip(
            *(self._batch(X[rows], return_std, return_cov) for rows in parts), strict=True
        )
        mean = self._center + self._scale * np.concatenate(means)
        mean = mean.reshape(len(X), *self._shape)
        if not (return_std or return_cov):
            return mean
        found = np.concatenate(covariances)[..., None]
        # Rounding errors can make the variance at training points slightly negative.
        scaled = self._scale**2 * found if return_cov else self._scale * np.sqrt(np.fmax(found, 0))
        return mean, scaled.reshape(*scaled.shape[:-1], *self._shape)

    def _batch(
        self, x: np.ndarray, return_std: bool, return_cov: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mean (n, k) of normalised targets, and their variance (n,) or covariance (n, n).

        The variance is empty if neither is requested.
        """
        count, x = len(x), repeated(x)
        cross = kernels(Limit.of(self), x, self.X_train_)
        mean = (getattr(cross, self._kernel) @ self.dual_coef_)[:count]
        if not (return_std or return_cov):
            return mean, np.empty(0)
        prior = (kernels if return_cov else diagonals)(Limit.of(self), x).nngp
        covariance = self._covariance(cross, prior)
        return mean, covariance[:count, :count] if return_cov else covariance[:count]

    def _fit(self, x: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Coefficients (n, k) from inputs (n, d), which it keeps, and normalised targets (n, k)."""
        self.X_train_ = x
        return self._train(kernels(Limit.of(self), x), targets)

    def _train(self, train: Kernels, targets: np.ndarray) -> np.ndarray:
        """Coefficients (n, k), from the kernels of the training points and targets (n, k)."""
        raise NotImplementedError

    def _covariance(self, cross: Kernels, prior: np.ndarray) -> np.ndarray:
        """Covariance, or variances, of normalised targets at test points, as the prior is."""
        raise NotImplementedError


class NTKRegressor(_InfinitelyWide):
    """Regression by an infinitely wide network that gradient descent trains on least squares.

    The mean over initialisations is kernel regression with the limiting neural tangent kernel (JGH
    Section 5). The standard deviation is that of one network of an ensemble, whose members differ
    in their initialisation; it contains no noise of the targets.

    Parameters
    ----------
    depth
        Number of weight layers: the hidden layers and one more.
    activation
        Name of an activation, mapping of ``name`` and parameters, or elementwise function of JAX
        arrays.
    beta, weight_gain
        Factors of biases and weights, as in `ntkflow.api.limiting_kernels`.
    ridge
        Ridge of the cost averaged over the n training points: f = K (K + n ridge I)^{-1} y after
        infinite time. With 0 the network interpolates.
    time
        Training time, number of steps x learning rate of the averaged cost; infinite by default. A
        finite time is early stopping.
    normalize_y
        Whether to fit targets that are shifted to mean 0 and scaled to variance 1, about the size
        of networks at initialisation. Predictions are in the units of y in either case.
    precision
        Precision of the kernels, ``float64`` or ``float32``.
    landmarks
        Number of random training points whose kernels span the function that is fitted; all of them
        by default. With m < n landmarks a fit takes of the order of n m^2 operations, and memory of
        the order of m^2 besides the data (see `ntkflow.api.landmark_regression`).
        `time` must then be infinite, and `predict` returns no standard deviations.
    random_state
        Seed of the choice of landmarks, as in scikit-learn.

    Attributes
    ----------
    X_train_
        Training inputs (n, n_features), or the m landmarks (m, n_features).
    dual_coef_
        Coefficients (n, n_outputs), or (m, n_outputs) with m landmarks, of the limiting NTK, for
        normalised targets.
    network_
        The `ntkflow.api.InfiniteNetwork` that computes the covariance; not with landmarks.
    n_features_in_, feature_names_in_
        Number of features, and their names if X is a frame with string names.
    """

    _kernel = "ntk"

    def __init__(
        self,
        depth: int = 3,
        activation: Any = "relu",
        *,
        beta: float = 0.1,
        weight_gain: float = 1.0,
        ridge: float = 1e-3,
        time: float = np.inf,
        normalize_y: bool = True,
        precision: str = "float64",
        landmarks: int | None = None,
        random_state: Any = 0,
    ) -> None:
        factors = {"beta": beta, "weight_gain": weight_gain, "ridge": ridge}
        super().__init__(depth, activation, **factors, normalize_y=normalize_y, precision=precision)
        self.time = time
        self.landmarks = landmarks
        self.random_state = random_state

    def _fit(self, x: np.ndarray, targets: np.ndarray) -> np.ndarray:
        self.X_train_ = drawn(x, self.landmarks, self.random_state)
        self._has_covariance = len(self.X_train_) == len(x)
        if self._has_covariance:
            return super()._fit(x, targets)
        if np.ndim(self.time) or self.time != np.inf:
            raise refusal(
                "time", self.time, "infinity with landmarks; set landmarks=None for a finite time"
            )
        return landmark_coefficients(Limit.of(self), x, targets, self.X_train_, self.ridge)

    def _train(self, train: Kernels, targets: np.ndarray) -> np.ndarray:
        if np.ndim(self.time):
            raise refusal("time", self.time, "one number")
        self._time = times("time", self.time)
        # Gradient descent never learns components of eigenvalue zero.
        self.network_ = api.infinite_network(
            train.ntk,
            targets,
            nngp=train.nngp,
            ridge=self.ridge,
            singular="pseudo-inverse",
            memory=MEMORY,
        )
        # Predictions with the identity as kernel are the coefficients.
        return np.asarray(self.network_.predict(np.eye(len(targets)), time=self._time).mean)

    def _covariance(self, cross: Kernels, prior: np.ndarray) -> np.ndarray:
        found = self.network_.predict(cross.ntk, cross.nngp, prior, time=self._time)
        return np.asarray(found.covariance)


class NNGPRegressor(_InfinitelyWide):
    """Regression by an infinitely wide Bayesian network: a Gaussian process with the NNGP kernel.

    Mean and standard deviation are those of the posterior of f, without the noise (Lee et al.
    2018).

    Parameters
    ----------
    depth
        Number of weight layers: the hidden layers and one more.
    activation
        Name of an activation, mapping of ``name`` and parameters, or elementwise function of JAX
        arrays.
    beta, weight_gain
        Deviations of biases and weights in the prior, as in `ntkflow.api.limiting_kernels`.
    ridge
        Ridge; the n targets have noise of variance n ridge, in units of the normalised targets.
    normalize_y
        Whether to fit targets that are shifted to mean 0 and scaled to variance 1, about the size
        of networks at initialisation. Predictions are in the units of y in either case.
    precision
        Precision of the kernels, ``float64`` or ``float32``.

    Attributes
    ----------
    X_train_
        Inputs (n, n_features) of the training data.
    dual_coef_
        Coefficients (n, n_outputs) of the NNGP kernel, for normalised targets.
    log_marginal_likelihood_value_
        log p(y) of the normalised targets, summed over outputs.
    posterior_
        The `ntkflow.api.Posterior` that computes the covariance.
    n_features_in_, feature_names_in_
        Number of features, and their names if X is a frame with string names.
    """

    _kernel = "nngp"

    def _train(self, train: Kernels, targets: np.ndarray) -> np.ndarray:
        self.posterior_ = api.nngp_posterior(train.nngp, targets, ridge=self.ridge, memory=MEMORY)
        self.log_marginal_likelihood_value_ = self.posterior_.log_marginal_likelihood
        return cho_solve((self.posterior_.factor, True), targets)

    def _covariance(self, cross: Kernels, prior: np.ndarray) -> np.ndarray:
        return np.asarray(self.posterior_.predict(cross.nngp, prior).covariance)
