"""Networks linearised in their parameters: gradient descent with the kernel Theta(0) of each.

f_n - f_inf = (f_n - f_lin) + (f_lin - f_inf), all from the same f_0: f_lin follows the empirical
NTK at t = 0, and f_inf the limiting one. The first part is the movement of the kernel in training,
the second its fluctuation at initialisation. Networks here have one output.
"""

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ntkflow.analysis.ensembles import recorded_kernels

Values = NDArray[np.float64]


class Networks(NamedTuple):
    """Trained networks of one width, with the functions that kernels give from the same f_0."""

    f: Values  # (seed, step, point), training points first
    goal: Values  # (seed, n)
    ntk: Values  # Theta(0), (seed, point, point)
    limit: Values  # Theta_inf, (point, point)
    steps: NDArray[np.int64]
    rate: float

    @property
    def linear(self) -> Values:
        """f_lin (seed, step, point)."""
        return descent(self.f[:, 0], self.goal, self.ntk, self.rate, self.steps)

    @property
    def limiting(self) -> Values:
        """f_inf (seed, step, point)."""
        return descent(self.f[:, 0], self.goal, self.limit, self.rate, self.steps)

    @property
    def response(self) -> Values:
        """f_lin - f_inf to first order in Theta(0) - Theta_inf, (seed, step, point).

        Its mean over networks is of order 1/n, because that of Theta(0) - Theta_inf is.
        """
        samples = self.goal.shape[1]
        difference = self.rate / samples * (self.ntk - self.limit)[:, :, :samples]
        limit = self.rate / samples * self.limit[:, :samples]
        f, first, found = self.f[:, 0], np.zeros_like(self.f[:, 0]), []
        for step in range(int(self.steps[-1]) + 1):
            if step in self.steps:
                found.append(first)
            residual = self.goal - f[:, :samples]
            source = np.einsum("spn,sn->sp", difference, residual)
            first = first + source - first[:, :samples] @ limit.T
            f = f + residual @ limit.T
        return np.stack(found, axis=1)


def networks_of(store: xr.Dataset, limiting: xr.Dataset, width: int) -> Networks:
    """Networks of an "ensemble" store with kernels recorded at step 0."""
    samples = int(store["is_train"].values.sum())
    f = np.asarray(store["f"].isel(output=0).values, np.float64)
    goal = np.asarray(store["goal"].isel(output=0).values, np.float64)[:, :samples]
    kernels = recorded_kernels(store, width).isel(kernel_step=0, output=0, output_prime=0)
    ntk = np.asarray(kernels.transpose("seed", "sample", "sample_prime").values, np.float64)
    limit = np.asarray(limiting["ntk"].values, np.float64)
    steps, times = store["step"].values, store["time"].values
    return Networks(f, goal, ntk, limit, steps, float(times[-1] / steps[-1]))


def descent(
    initial: Values, goal: Values, ntk: Values, rate: float, steps: NDArray[np.int64]
) -> Values:
    """Functions (seed, step, point) after steps of kernel gradient descent on least squares.

    The kernel is one of all functions, (point, point), or one of each, (seed, point, point).
    """
    samples = goal.shape[1]
    kernel = rate / samples * ntk[..., :samples]
    f, found = initial, []
    for step in range(int(steps[-1]) + 1):
        if step in steps:
            found.append(f)
        residual = goal - f[:, :samples]
        f = f + np.matmul(kernel, residual[..., None])[..., 0]
    return np.stack(found, axis=1)
