"""Accuracy of the NNGP kernel against published values (JGH Introduction; Lee et al. 2018).

Lee et al. (2018, Table 1) regress one-hot labels minus their mean on 1000 MNIST digits, whose
pixels have mean zero, without noise, and test on 10000: 0.9279 for ReLU with sigma_w^2 = 1.45,
sigma_b^2 = 0.28 and 0.9266 for tanh with 1.96 and 0.62, both with 20 hidden layers. Here that is
L = 21, weight_gain = sigma_w and beta = sigma_b, which enters the first layer as well.

The published value is of one training set. Its own error has two parts: the deviation of the
accuracy between training sets, which is measured here, and the binomial one of its test points.
Together they are about 0.004, the band in the panel. Here S disjoint training sets give a mean,
whose error is smaller by the root of S; test sets overlap, which correlates the accuracies by
little. The configuration takes MNIST's test split, which is not the one Lee et al. trained on.
"""

import numpy as np
import scipy.linalg
import xarray as xr

from ntkflow.analysis.jackknife import Estimate
from ntkflow.measures.common.evidence import Panel, Series, evidence
from ntkflow.measures.common.laws import bars, mean
from ntkflow.measures.common.sources import Sources

MARGIN = 0.01
REASON = "two to three deviations of the published value, 0.004 each"
JITTER = 1e-10
"""Relative to the mean of the diagonal, as small as Lee et al. begin with."""


def measure(sources: Sources, *, size: int, published: float, tested: int) -> xr.Dataset:
    """Mean accuracy over disjoint training sets of `size` points, against the published one."""
    train = sources.dataset["is_train"].values
    kernel = np.asarray(sources.limiting["nngp"].values[np.ix_(train, train)], np.float64)
    y = np.asarray(sources.dataset["y"].values, np.float64)[train]
    order = np.random.default_rng(sources.seed).permutation(len(y))
    sets = order[: len(y) // size * size].reshape(-1, size)
    found = np.array([accuracy(kernel, y, subset) for subset in sets])
    number = mean("test accuracy", found, "equals", published, MARGIN, REASON)
    own = np.sqrt(found.var(ddof=1) + published * (1 - published) / tested)
    places = np.arange(1, len(sets) + 1)
    series = [
        Series("published", places[[0, -1]], [published, published], look="limit"),
        Series(
            "standard error of the published value",
            places[[0, -1]],
            [published, published],
            [published - own, published - own],
            [published + own, published + own],
            look="band",
        ),
        bars("training sets", places, [_binomial(each, len(y) - size) for each in found]),
    ]
    return evidence([number], [Panel("", "training set", "test accuracy", series)])


def accuracy(kernel: np.ndarray, y: np.ndarray, subset: np.ndarray) -> float:
    """Accuracy at all other points of regression on a subset, with targets of mean zero."""
    known = kernel[np.ix_(subset, subset)]
    known += JITTER * np.trace(known) / len(known) * np.eye(len(known))
    factor = scipy.linalg.cho_factor(known, lower=True)
    centred = y[subset] - y[subset].mean()
    f = kernel[:, subset] @ scipy.linalg.cho_solve(factor, centred)
    right = f.argmax(axis=1) == y.argmax(axis=1)
    return float(np.delete(right, subset).mean())


def _binomial(share: float, points: int) -> Estimate:
    return Estimate(share, float(np.sqrt(share * (1 - share) / points)))
