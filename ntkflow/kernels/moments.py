"""Moments of f and of the empirical NTK of ReLU networks at one input, exact at any widths.

At initialisation, over all weights and biases, z = f(x) and Theta = Theta(x, x) have two outputs
i != j each. Given a layer, the units of the next are independent and Gaussian, and a ReLU is on
with probability 1/2 independently of the size of its input, so that the moments below satisfy a
recursion over layers (derived here; tests compare them with Monte Carlo).
"""

from collections.abc import Sequence
from typing import NamedTuple


class Moments(NamedTuple):
    """Expectations over networks at one input; i and j are different outputs."""

    z_squared: float  # E z_i^2, the NNGP kernel
    z_fourth: float  # E z_i^4
    z_pair: float  # E z_i^2 z_j^2
    ntk: float  # E Theta_ii, the limiting NTK at any width
    ntk_squared: float  # E Theta_ii^2
    ntk_pair: float  # E Theta_ii Theta_jj
    ntk_across: float  # E Theta_ij^2
    same: float  # E z_i^2 Theta_ii
    other: float  # E z_i^2 Theta_jj
    across: float  # E z_i z_j Theta_ij

    @property
    def excess_kurtosis(self) -> float:
        """E z_i^4 / (E z_i^2)^2 - 3, zero for a Gaussian."""
        return self.z_fourth / self.z_squared**2 - 3

    @property
    def square_covariance(self) -> float:
        """Cov(z_i^2, z_j^2) / (E z_i^2)^2, zero for independent outputs."""
        return self.z_pair / self.z_squared**2 - 1

    @property
    def ntk_variance(self) -> float:
        """Var Theta_ii / (E Theta_ii)^2."""
        return self.ntk_squared / self.ntk**2 - 1

    @property
    def block_ratio(self) -> float:
        """E Theta_ij^2 / (E Theta_ii)^2, zero in the limit."""
        return self.ntk_across / self.ntk**2


def relu_moments(
    squared_norm: float,
    hidden_widths: Sequence[int],
    *,
    features: int,
    beta: float = 0.0,
    weight_gain: float = 1.0,
) -> Moments:
    """Moments of a ReLU network in NTK parametrization at an input x, with |x|^2 = `squared_norm`.

    `features` is the number n_0 of coordinates of x, and `hidden_widths` are n_1 to n_{L-1}.
    """
    b = beta**2
    k = t = weight_gain**2 * squared_norm / features + b
    now = Moments(k, 3 * k**2, k**2, t, k**2, k**2, 0.0, k**2, k**2, 0.0)
    for n in hidden_widths:
        now = _next(now, n, weight_gain**2 / n, b)
    return now


def _next(m: Moments, n: int, a: float, b: float) -> Moments:
    """Moments one layer later: a = weight_gain^2 / n, b = beta^2."""

    def product(one_unit: float, two_units: float) -> float:
        """E of a product of two sums over units, from its value for one unit and for two."""
        return a**2 * (n * one_unit / 2 + n * (n - 1) * two_units / 4)

    kernel = b + a * n * m.z_squared / 2
    kernel_squared = b**2 + b * a * n * m.z_squared + product(m.z_fourth, m.z_pair)
    through = a * n * m.ntk / 2
    mixed = b * through + product(m.same, m.other)
    through_pair = product(m.ntk_squared, m.ntk_pair)
    through_across = product(m.ntk_squared, m.ntk_across)
    crossed = product(m.same, m.across)
    pair = kernel_squared + 2 * mixed + through_pair
    return Moments(
        z_squared=kernel,
        z_fourth=3 * kernel_squared,
        z_pair=kernel_squared,
        ntk=kernel + through,
        ntk_squared=pair + 2 * through_across,
        ntk_pair=pair,
        ntk_across=through_across,
        same=kernel_squared + mixed + 2 * crossed,
        other=kernel_squared + mixed,
        across=crossed,
    )
