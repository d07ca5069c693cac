r"""Kernel principal components of the limiting NTK (JGH Section 5).

With G = Theta(X, X) on the N training points, the eigenpairs (lambda_i, v_i) of G / N and
f^(i)(X) = sqrt(N) v_i, so that ||f^(i)||_pin = 1. They are non-centred: no mean is removed.
"""

import numpy as np
import scipy.linalg
import xarray as xr
from numpy.typing import NDArray

from ntkflow.analysis.blocks import symmetric_part
from ntkflow.analysis.eigenpairs import fix_sign
from ntkflow.stores.schema import conform

__all__ = ["component_target", "decompose_kernel", "eigenfunction", "leading_eigenvalues"]


def decompose_kernel(limiting: xr.Dataset) -> xr.Dataset:
    r"""Eigenvalues and eigenfunctions of the limiting NTK, in descending order.

    Off the training points the eigenfunctions are extended by the Nystroem formula
    f^(i)(x) = (1 / (N lambda_i)) sum_j Theta(x, x_j) f^(i)(x_j). It divides by lambda_i, so
    components with lambda_i <= N eps lambda_1 (eps of the stored precision) are zero to rounding
    and are NaN there. The sign is fixed: the entry of largest magnitude on the training points,
    the first of several, is positive.

    Parameters
    ----------
    limiting
        A "limiting" store: ``ntk`` (sample, sample_prime) and ``is_train`` (sample).

    Returns
    -------
    xr.Dataset
        A "spectrum" store: ``eigenvalue`` (component), ``eigenfunction`` (sample, component), one
        component a training point, numbered from 1.

    Raises
    ------
    ValueError
        If there is no training point, or the kernel on them is not finite or not symmetric.
    """
    is_train = limiting["is_train"].to_numpy()
    against_training = limiting["ntk"].isel(sample_prime=is_train).to_numpy()
    samples = against_training.shape[1]
    eigenvalues, vectors = scipy.linalg.eigh(symmetric_part(against_training[is_train]) / samples)
    eigenvalues, vectors = eigenvalues[::-1], fix_sign(vectors[:, ::-1])

    on_training = np.sqrt(samples) * vectors
    rounding = samples * np.finfo(against_training.dtype).eps
    divisor = np.where(eigenvalues > rounding * eigenvalues[0], samples * eigenvalues, np.nan)
    functions = np.empty(against_training.shape)
    functions[is_train] = on_training
    functions[~is_train] = against_training[~is_train] @ on_training / divisor
    return conform(
        xr.Dataset(
            {
                "eigenvalue": ("component", eigenvalues),
                "eigenfunction": (("sample", "component"), functions),
            },
            coords={
                **limiting["ntk"].isel(sample_prime=0).coords,
                "component": np.arange(1, samples + 1),
            },
        ),
        "spectrum",
    )


def leading_eigenvalues(kernel: NDArray[np.floating], count: int) -> NDArray[np.float64]:
    """The `count` largest eigenvalues of Theta(X, X) / N, descending, for a kernel (N, N).

    Raises
    ------
    ValueError
        If the kernel is empty, not finite or not symmetric.
    """
    samples = len(kernel)
    leading = [samples - count, samples - 1]
    scaled = symmetric_part(kernel) / samples
    return scipy.linalg.eigvalsh(scaled, subset_by_index=leading)[::-1]


def eigenfunction(spectrum: xr.Dataset, component: int) -> xr.DataArray:
    """The eigenfunction (sample) of one component, numbered from 1 as in JGH.

    Raises
    ------
    ValueError
        If the spectrum has no such component.
    """
    count = spectrum.sizes["component"]
    if not 1 <= component <= count:
        raise ValueError(
            f"component {component} of a kernel on {count} training points; "
            f"components are numbered from 1 to {count}"
        )
    return spectrum["eigenfunction"].sel(component=component)


def component_target(spectrum: xr.Dataset, component: int, amplitude: float) -> xr.DataArray:
    """The displacement `amplitude` x f^(component) (sample) that JGH Figure 3 adds to f_0.

    NaN off the training points where the eigenfunction is not defined (see `decompose_kernel`).

    Raises
    ------
    ValueError
        If the spectrum has no such component.
    """
    return amplitude * eigenfunction(spectrum, component).drop_vars("component")
