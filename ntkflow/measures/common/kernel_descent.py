"""Gradient descent of the limiting NTK on least squares, step by step (JGH Section 5)."""

from collections.abc import Sequence

import numpy as np

from ntkflow.aliases import AnyArray, Float
from ntkflow.kernels.dynamics import Components


def kernel_descent(
    components: Components,
    initial: Float[AnyArray, "s p k"],
    goal: Float[AnyArray, "s n k"],
    rate: float,
    steps: int,
) -> Float[np.ndarray, "s p k"]:
    """f of s functions at all p points after some steps from `initial` towards goals at n points.

    A step multiplies the residual of component i by 1 - rate lambda_i, which may be negative, so
    that networks can be compared at any stable learning rate, below 2 / lambda_1.
    """
    samples, basis = goal.shape[1], np.asarray(components.eigenfunctions)
    factors = 1 - rate * np.asarray(components.eigenvalues)
    if not np.abs(factors).max() <= 1:
        raise ValueError(
            f"learning_rate: found {rate:g}, expected at most 2/lambda_1 = "
            f"{2 * rate / (1 - factors.min()):.3g}, so that kernel gradient descent is stable"
        )
    known = basis[:samples].T / samples @ (goal - initial[:, :samples])
    return np.asarray(initial + basis @ ((1 - factors**steps)[:, None] * known))


def kernel_path(
    components: Components,
    initial: Float[AnyArray, "s p k"],
    goal: Float[AnyArray, "s n k"],
    rate: float,
    marks: Sequence[int],
) -> Float[np.ndarray, "s t p k"]:
    """`kernel_descent` after each number of steps in `marks`."""
    paths = [kernel_descent(components, initial, goal, rate, steps) for steps in marks]
    return np.stack(paths, axis=1)


def along(
    moved: Float[AnyArray, "s t p k"], limit: Float[AnyArray, "#s t p #k"]
) -> Float[np.ndarray, " s"]:
    """Movement of each function f_t - f_0 along that of its limit, over all t: 1 if they agree."""
    limit = np.broadcast_to(limit, moved.shape)
    over = tuple(range(1, moved.ndim))
    return np.asarray(np.sum(moved * limit, axis=over) / np.sum(limit**2, axis=over))
