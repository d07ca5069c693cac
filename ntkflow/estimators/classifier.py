"""Classification by infinitely wide networks trained on least squares."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from ntkflow import api
from ntkflow.estimators.limits import (
    MEMORY,
    Limit,
    batches,
    drawn,
    kernels,
    landmark_coefficients,
)


class NTKClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Classification by an infinitely wide network trained on least squares to convergence.

    Targets are 1 - 1/C for the class of a sample and -1/C for the others, so that f = 0, the mean
    at initialisation, prefers none of C classes; for two classes they are -1 and 1 of one output.
    The predicted class has the largest output. Outputs are not probabilities, hence there is no
    `predict_proba`; wrap the classifier in `sklearn.calibration.CalibratedClassifierCV` for one.

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
        Ridge of the cost averaged over the n training points: f = K (K + n ridge I)^{-1} y.
    precision
        Precision of the kernels, ``float64`` or ``float32``.
    landmarks
        Number of random training points whose kernels span the function that is fitted; all of them
        by default. With m < n landmarks a fit takes of the order of n m^2 operations, and memory of
        the order of m^2 besides the data (see `ntkflow.api.landmark_regression`).
    random_state
        Seed of the choice of landmarks, as in scikit-learn.

    Attributes
    ----------
    classes_
        Class labels (C,).
    X_train_
        Training inputs (n, n_features), or the m landmarks (m, n_features).
    dual_coef_
        Coefficients (n, C), or (n, 1) for two classes, of the limiting NTK; with m landmarks m of
        them.
    n_features_in_, feature_names_in_
        Number of features, and their names if X is a frame with string names.
    """

    def __init__(
        self,
        depth: int = 3,
        activation: Any = "relu",
        *,
        beta: float = 0.1,
        weight_gain: float = 1.0,
        ridge: float = 1e-4,
        precision: str = "float64",
        landmarks: int | None = None,
        random_state: Any = 0,
    ) -> None:
        self.depth = depth
        self.activation = activation
        self.beta = beta
        self.weight_gain = weight_gain
        self.ridge = ridge
        self.precision = precision
        self.landmarks = landmarks
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Fit the network to data.

        Parameters
        ----------
        X
            Inputs (n_samples, n_features).
        y
            Class labels (n_samples,).

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the data or a parameter is invalid, or the kernel with its ridge is singular.
        """
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        count = len(self.classes_)
        centred = np.eye(count)[labels] - 1 / count
        targets = centred if count > 2 else 2.0 * labels[:, None] - 1
        limit = Limit.of(self)
        self.X_train_ = drawn(X, self.landmarks, self.random_state)
        if len(self.X_train_) < len(X):
            self.dual_coef_ = landmark_coefficients(limit, X, targets, self.X_train_, self.ridge)
        else:
            self.dual_coef_ = api.kernel_regression(
                kernels(limit, X).ntk, targets, ridge=self.ridge, memory=MEMORY
            ).coefficients
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Outputs of the network: (n_samples, C), or (n_samples,) for two classes.

        Parameters
        ----------
        X
            Inputs (n_samples, n_features).

        Returns
        -------
        numpy.ndarray
            Outputs; with two classes, positive ones stand for the second.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        parts = [
            kernels(Limit.of(self), X[rows], self.X_train_).ntk @ self.dual_coef_
            for rows in batches(len(X), len(self.X_train_))
        ]
        f = np.concatenate(parts)
        return f if len(self.classes_) > 2 else f[:, 0]

    def predict(self, X: Any) -> np.ndarray:
        """Predict class labels (n_samples,) of inputs (n_samples, n_features)."""
        f = self.decision_function(X)
        if f.ndim == 1:  # one or two classes
            return self.classes_[np.minimum(f > 0, len(self.classes_) - 1)]
        return self.classes_[f.argmax(axis=1)]
