"""Kernels without the workflow: arrays in, arrays or an xarray Dataset out.

For example::

    from ntkflow import api

    kernels = api.limiting_kernels(x, depth=4)  # in memory: kernels.nngp, kernels.ntk
    store = api.store_limiting_kernels(x, depth=4, store="kernels.zarr")  # of any size
    spectrum = api.extreme_eigenpairs(store["ntk"], 10)  # spectrum.values, spectrum.vectors
    fit = api.kernel_regression(store["ntk"], targets, ridge=1e-6)
    f = api.predict(cross_kernel, fit.coefficients)  # cross_kernel: test points x training points

    network = api.network(api.initial_parameters([784, 1024, 1024, 1]))  # or trained ones
    ntk = api.empirical_ntk(network, x, outputs=0)  # (n, n)
    trained = api.train(network, x, y, steps=[10, 100, 1000])  # trained.f, trained.networks

    model = api.function(f, parameters)  # any JAX function f(parameters, x)
    ntk = api.empirical_ntk(model, x, outputs="trace")
    operator = api.empirical_ntk_operator(model, x)  # never formed
    fit = api.kernel_regression(operator, targets, ridge=1e-6)

    gp = api.nngp_posterior(train.nngp, targets, ridge=1e-3)  # kernels of the training points
    f = gp.predict(cross.nngp, test.nngp)  # f.mean, f.covariance
    wide = api.infinite_network(train.ntk, targets, nngp=train.nngp)
    f_t = wide.predict(cross.ntk, cross.nngp, test.nngp, time=100)

    kernel = api.kernel_function(depth=4)  # JAX functions, which can be differentiated
    evidence = api.predictions.log_marginal_likelihood(kernel(x, beta=beta).nngp, targets, ridge)

Functions of a kernel accept an array in memory, or one opened from a store, which they read block
by block.

These functions do not change JAX's settings. They use float64 where they need it, and matrix
products in full precision on every device.
"""

from ntkflow.analysis.eigenpairs import Eigenpairs
from ntkflow.analysis.regression import Regression
from ntkflow.interface import layers
from ntkflow.interface.empirical import empirical_ntk, store_empirical_ntk
from ntkflow.interface.function import Function, function
from ntkflow.interface.infinite import InfiniteNetwork, infinite_network
from ntkflow.interface.kernel_function import KernelFunction, kernel_function
from ntkflow.interface.landmarks import LandmarkRegression, landmark_regression
from ntkflow.interface.layered import layered_network
from ntkflow.interface.limiting import (
    limiting_diagonals,
    limiting_kernels,
    store_limiting_kernels,
)
from ntkflow.interface.network import Network, initial_parameters, network
from ntkflow.interface.operator import EmpiricalOperator, empirical_ntk_operator
from ntkflow.interface.parametrization import from_standard, learning_rates, to_standard
from ntkflow.interface.posterior import Posterior, nngp_posterior
from ntkflow.interface.solvers import extreme_eigenpairs, kernel_regression, predict
from ntkflow.interface.training import Training, train
from ntkflow.kernels import predictions
from ntkflow.kernels.limiting import LimitingKernels as Kernels
from ntkflow.kernels.predictions import Gaussian

__all__ = [
    "Eigenpairs",
    "EmpiricalOperator",
    "Function",
    "Gaussian",
    "InfiniteNetwork",
    "KernelFunction",
    "Kernels",
    "LandmarkRegression",
    "Network",
    "Posterior",
    "Regression",
    "Training",
    "empirical_ntk",
    "empirical_ntk_operator",
    "extreme_eigenpairs",
    "from_standard",
    "function",
    "infinite_network",
    "initial_parameters",
    "kernel_function",
    "kernel_regression",
    "landmark_regression",
    "layered_network",
    "layers",
    "learning_rates",
    "limiting_diagonals",
    "limiting_kernels",
    "network",
    "nngp_posterior",
    "predict",
    "predictions",
    "store_empirical_ntk",
    "store_limiting_kernels",
    "to_standard",
    "train",
]
