"""Infinitely wide networks as estimators and kernels of scikit-learn.

For example::

    from ntkflow.estimators import NTKRegressor

    model = NTKRegressor(depth=3, activation="relu", ridge=1e-3).fit(X, y)
    mean, deviation = model.predict(X_test, return_std=True)

They follow the conventions of scikit-learn, in pipelines and grid searches too. Kernels are those
of `ntkflow.api.limiting_kernels`, predictions those of `infinite_network`, `nngp_posterior` and
`kernel_regression`.
"""

from ntkflow.extras import require

require("sklearn", "sklearn")

from ntkflow.estimators.classifier import NTKClassifier  # noqa: E402
from ntkflow.estimators.gaussian_processes import NNGPKernel, NTKKernel  # noqa: E402
from ntkflow.estimators.regressors import NNGPRegressor, NTKRegressor  # noqa: E402

__all__ = ["NNGPKernel", "NNGPRegressor", "NTKClassifier", "NTKKernel", "NTKRegressor"]
