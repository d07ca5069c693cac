"""Leading eigenvalues of the NTK against published values (JGH Section 6).

JGH state the first three eigenvalues of Theta(X, X) / N for 512 digits of MNIST and one network of
width 10000. They state neither its depth nor how pixels are scaled. Here each is compared with

- the limiting NTK, in the mean over disjoint batches, for several depths;
- networks at initialisation, over the limiting NTK on the same batch, which is 1 up to the order
  n^(-1/2) of one network.

A published value is of one batch and one network. The panel shows its distance in single batches,
so that the spread over batches can be seen next to it.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import jax
import numpy as np
import xarray as xr

from ntkflow.aliases import Array, Inputs, Key
from ntkflow.analysis.spectrum import leading_eigenvalues
from ntkflow.kernels.limiting import limiting_kernels
from ntkflow.measures.common.evidence import Panel, Quantity, Series, evidence
from ntkflow.measures.common.laws import mean
from ntkflow.measures.common.sources import Sources
from ntkflow.networks.mlp import Architecture, empirical_ntk, init, seed_keys

PRECISION = "float32"
"""Precision of the networks; limiting kernels are in float64."""

MARGIN = 0.1
REASON = "two deviations between batches, about five per cent each"
FINITE = 0.1
FINITE_REASON = "ten times n^(-1/2) at the paper's width"


def measure(
    sources: Sources, *, size: int, published: Sequence[float], depths: Sequence[int], seeds: int
) -> xr.Dataset:
    """Eigenvalues over the published ones, and those of networks over those of the limit."""
    x = np.asarray(sources.dataset["x"].values[: sources.samples], np.float64)
    order = np.random.default_rng(sources.seed).permutation(len(x))
    batches = x[order[: len(x) // size * size].reshape(-1, size)]
    width, count = max(sources.architectures), len(published)
    given = sources.architectures[width]
    keys = seed_keys(sources.seed, width, seeds)
    quantities, panels = [], []
    for depth in depths:
        limit = vars(replace(sources.limit, depth=depth))
        spectra = np.array(
            [
                leading_eigenvalues(np.asarray(limiting_kernels(batch, batch, **limit).ntk), count)
                for batch in batches
            ]
        )
        sources.progress(f"L = {depth}: {len(batches)} batches")
        network = replace(given, hidden_widths=given.hidden_widths[:1] * (depth - 1))
        found = np.empty((seeds, count))
        for place in range(seeds):
            kernel = np.asarray(_kernel(keys[place], batches[place].astype(np.float32), network))
            found[place] = leading_eigenvalues(kernel.astype(np.float64), count)
            sources.progress(f"L = {depth}, n = {width}: network {place + 1} of {seeds}")
        quantities += _numbers(spectra, found, published, depth, width)
        panels.append(_panel(spectra / published, found / published, depth, width))
    return evidence(quantities, panels)


@partial(jax.jit, static_argnames="network")
def _kernel(key: Key[Array, ""], x: Inputs, network: Architecture) -> Array:
    """Empirical NTK (N, N) at initialisation."""
    theta = init(key, x.shape[1], network, x.dtype)
    return empirical_ntk(theta, x, x, network, outputs=0)[:, :, 0, 0]


def _numbers(
    spectra: np.ndarray, found: np.ndarray, published: Sequence[float], depth: int, width: int
) -> list[Quantity]:
    """Means over batches of eigenvalues (batch, i), and over networks (seed, i)."""
    ratios = found / spectra[: len(found)]
    numbers = []
    for place, value in enumerate(published):
        name = f"L = {depth}: λ_{place + 1}"
        numbers += [
            mean(
                f"{name} of the limiting NTK, over the published",
                *(spectra[:, place] / value, "equals", 1.0, MARGIN, REASON),
                log=True,
            ),
            mean(
                f"{name} of networks with n = {width}, over the limit",
                *(ratios[:, place], "equals", 1.0, FINITE, FINITE_REASON),
                log=True,
            ),
        ]
    return numbers


def _panel(spectra: np.ndarray, found: np.ndarray, depth: int, width: int) -> Panel:
    """Eigenvalues of single batches over the published ones, limiting and of networks."""
    places = np.arange(1, spectra.shape[1] + 1)
    ends = [places[0] - 0.3, places[-1] + 0.3]
    series = [Series("published", ends, [1.0, 1.0], look="limit")]
    for label, sample, shift, n in (
        ("limiting NTK, single batches", spectra, 0.0, 0),
        ("", found, 0.15, width),
    ):
        x = np.tile(places + shift, len(sample))
        series.append(Series(label, x, sample.ravel(), look="points", width=n))
    axes = "component $i$", r"$\lambda_i$ / published"
    return Panel(f"$L = {depth}$", *axes, series, y_scale="log")
