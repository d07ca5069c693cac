"""Kernel principal components of a limiting kernel, as arrays for solvers."""

import xarray as xr

from ntkflow.analysis.spectrum import decompose_kernel
from ntkflow.kernels.dynamics import Components


def limiting_components(limiting: xr.Dataset) -> Components:
    """Components of the limiting NTK whose eigenvalue is not zero to rounding error."""
    spectrum = decompose_kernel(limiting).dropna("component")
    return Components(spectrum["eigenvalue"].values, spectrum["eigenfunction"].values)
