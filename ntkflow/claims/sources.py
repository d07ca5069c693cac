"""What a claim is measured from."""

from collections.abc import Mapping
from dataclasses import dataclass

import xarray as xr

from ntkflow.analysis.spectrum import decompose_kernel
from ntkflow.kernels.dynamics import Components
from ntkflow.kernels.tiles import Network
from ntkflow.networks.mlp import Architecture

__all__ = ["Sources", "limiting_components"]


@dataclass(frozen=True)
class Sources:
    """What a claim is measured from.

    Attributes
    ----------
    dataset, kernels
        The "dataset" store and the "limiting" store of its points.
    ensembles
        "ensemble" stores by width, where the claim is about trained networks.
    architectures
        The network at each width of the experiment.
    limit
        The network in the limit n -> infinity: activation, depth, beta, weight_gain.
    seed
        Root of every random key.
    """

    dataset: xr.Dataset
    kernels: xr.Dataset
    ensembles: Mapping[int, xr.Dataset]
    architectures: Mapping[int, Architecture]
    limit: Network
    seed: int


def limiting_components(sources: Sources) -> Components:
    """Kernel principal components of the limiting NTK, without those that are zero to rounding."""
    spectrum = decompose_kernel(sources.kernels).dropna("component")
    return Components(spectrum["eigenvalue"].values, spectrum["eigenfunction"].values)
