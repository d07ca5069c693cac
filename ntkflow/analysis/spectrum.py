r"""Kernel principal components of the limiting NTK (JGH Section 5).

With G = Theta(X, X) on the N training points, they are the eigenpairs (lambda_i, v_i) of G / N,
with f^(i)(X) = sqrt(N) v_i so that ||f^(i)||_pin = 1. No mean is subtracted.
"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ntkflow.analysis.blocks import symmetric_part
from ntkflow.stores.schema import conform


def decompose_kernel(limiting: xr.Dataset) -> xr.Dataset:
    r"""Eigenvalues and eigenfunctions of the limiting NTK, in descending order.

    At other points the eigenfunctions are extended by the Nystroem formula
    f^(i)(x) = (1 / (N lambda_i)) sum_j Theta(x, x_j) f^(i)(x_j). Because it divides by lambda_i,
    they are NaN there for components with lambda_i <= N eps lambda_1 (eps of the stored precision),
    which are zero to rounding error. The entry of largest magnitude on the training points is
    positive, which fixes the sign. From a "limiting" store follows a "spectrum" store with one
    component per training point, numbered from 1.
    """
    import scipy.linalg  # 0.1 s, which `component_target` does not need

    is_train = limiting["is_train"].to_numpy()
    cross_kernel = limiting["ntk"].isel(sample_prime=is_train).to_numpy()
    samples = cross_kernel.shape[1]
    eigenvalues, vectors = scipy.linalg.eigh(symmetric_part(cross_kernel[is_train]) / samples)
    eigenvalues, vectors = eigenvalues[::-1], fix_sign(vectors[:, ::-1])

    on_training = np.sqrt(samples) * vectors
    rounding = samples * np.finfo(cross_kernel.dtype).eps
    divisor = np.where(eigenvalues > rounding * eigenvalues[0], samples * eigenvalues, np.nan)
    functions = np.empty(cross_kernel.shape)
    functions[is_train] = on_training
    functions[~is_train] = cross_kernel[~is_train] @ on_training / divisor
    variables = {
        "eigenvalue": ("component", eigenvalues),
        "eigenfunction": (("sample", "component"), functions),
    }
    points = limiting["ntk"].isel(sample_prime=0).coords
    coords = {**points, "component": np.arange(1, samples + 1)}
    return conform(xr.Dataset(variables, coords), "spectrum")


def leading_eigenvalues(kernel: NDArray[np.floating], count: int) -> NDArray[np.float64]:
    """Largest eigenvalues (count,) of Theta(X, X) / N, descending, for a kernel (N, N)."""
    import scipy.linalg

    samples = len(kernel)
    leading = [samples - count, samples - 1]
    scaled = symmetric_part(kernel) / samples
    return scipy.linalg.eigvalsh(scaled, subset_by_index=leading)[::-1]


def eigenfunction(spectrum: xr.Dataset, component: int) -> xr.DataArray:
    """Eigenfunction (sample) of one component, numbered from 1 as in JGH."""
    count = spectrum.sizes["component"]
    if not 1 <= component <= count:
        raise ValueError(
            f"component: found {component}, expected 1 to {count}, the number of training points"
        )
    return spectrum["eigenfunction"].sel(component=component)


def component_target(spectrum: xr.Dataset, component: int, amplitude: float) -> xr.DataArray:
    """Displacement `amplitude` x f^(component) (sample) that JGH Figure 3 adds to f_0.

    It is NaN at points where `decompose_kernel` does not define the eigenfunction.
    """
    return amplitude * eigenfunction(spectrum, component).drop_vars("component")


def fix_sign(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns of (N, k) with the sign that makes their entry of largest magnitude positive.

    Of entries whose magnitudes are equal to rounding error, the first decides.
    """
    magnitudes = np.abs(vectors)
    largest = np.argmax(magnitudes >= (1 - 1e-8) * magnitudes.max(axis=0), axis=0)
    return vectors * np.sign(np.take_along_axis(vectors, largest[None], axis=0))
