"""Limits n -> infinity of ratios to a theory, by a fit with the next order in 1/n."""

from collections.abc import Mapping, Sequence

import numpy as np

from ntkflow.analysis.jackknife import Estimate, batches, jackknife


def ratio(sample: np.ndarray) -> float:
    """Mean of the first column of a sample (unit, 2) over the mean of the second."""
    first, second = sample.mean(axis=0)
    return float(first / second)


def limit_of_ratio(by_width: Mapping[int, np.ndarray]) -> Estimate:
    """c of the least-squares fit ratio(sample) = c + b / n, from samples (unit, 2) by width."""
    widths = np.array(sorted(by_width), np.float64)
    weights = np.linalg.pinv(np.stack([np.ones_like(widths), 1 / widths], axis=1))[0]

    def intercept(samples: Sequence[np.ndarray]) -> float:
        return float(weights @ [ratio(sample) for sample in samples])

    return jackknife(intercept, [batches(by_width[int(n)]) for n in widths])
