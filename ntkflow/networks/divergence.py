"""Training that leaves the stable range of learning rates is noticed, and told what is stable."""

import numpy as np

from ntkflow.aliases import Float, OutputGram

__all__ = ["DivergenceError", "diverged", "require_finite", "stable_rates"]

GROWTH = 1.0
"""Growth of the cost, over its initial value, that counts as divergence; a narrow network's may
rise a little."""


class DivergenceError(ValueError):
    """Gradient descent left the stable range of learning rates."""


def require_finite(f: np.ndarray, costs: Float[np.ndarray, " s"], cost: str) -> None:
    """Refuse networks whose functions, or costs, at initialisation are no numbers: ValueError."""
    if np.isfinite(costs).all():
        return
    if np.isfinite(f).all():
        raise ValueError(
            f"cost {cost!r} is not finite at initialisation, where f is; expected a function that "
            "is finite for all f and the given targets"
        )
    raise ValueError(
        "the networks' functions are not finite at initialisation; scale the inputs or "
        "weight_gain down, or choose an activation that grows less"
    )


def diverged(
    worst: Float[np.ndarray, " s"], first: Float[np.ndarray, " s"], growing: bool
) -> np.ndarray:
    """Indices of the networks whose cost was not finite or, if it ought to fall, has grown."""
    room = np.maximum(GROWTH * np.abs(first), np.finfo(worst.dtype).eps) if growing else np.inf
    return np.flatnonzero(~(worst - first <= room) | ~np.isfinite(worst))


def stable_rates(ntk: OutputGram, curvature: float | None) -> str:
    """Which learning rates are stable for a network with this NTK on the training points."""
    kernel = np.asarray(ntk, dtype=float)
    if not np.isfinite(kernel).all():
        return "Its Theta(0) is not finite: scale the inputs or weight_gain down"
    if curvature is None:
        return "Set a smaller learning_rate"
    size = kernel.shape[0] * kernel.shape[2]
    matrix = kernel.transpose(0, 2, 1, 3).reshape(size, size) / len(kernel)
    largest = np.linalg.eigvalsh(matrix)[-1]
    bend = "lambda_1" if curvature == 1 else f"({curvature:g} lambda_1)"
    return (
        f"It is stable below 2/{bend} = {2 / (curvature * largest):.3g} (lambda_1 = "
        f"{largest:.3g}, the largest eigenvalue of Theta(0)/N on {len(ntk)} training points); set "
        f"learning_rate to {1 / (curvature * largest):.2g} or less"
    )
