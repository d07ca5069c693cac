"""Optimisers of optax by name. Gradient descent is the default, and the one that the theory is of.

The time of a record is learning rate x steps for each. With momentum m, networks are about
1 / (1 - m) times as far as this says; with Adam, time has no meaning in the kernel's dynamics.
"""

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import optax

__all__ = ["GRADIENT_DESCENT", "OPTIMIZERS", "Optimizer", "optimizer"]

Optimizer = Callable[[float], optax.GradientTransformation]
"""Learning rate -> transformation."""

OPTIMIZERS: Mapping[str, Callable[..., optax.GradientTransformation]] = {
    "gradient_descent": optax.sgd,
    "momentum": partial(optax.sgd, momentum=0.9),
    "adam": optax.adam,
}


def optimizer(name: str, **options: Any) -> Optimizer:
    """The optimiser of that name, with options of optax; the same object each time.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if name not in OPTIMIZERS:
        raise ValueError(f"optimizer {name!r} is not known; choose one of {sorted(OPTIMIZERS)}")
    return _optimizer(name, tuple(sorted(options.items())))


@cache
def _optimizer(name: str, options: tuple[tuple[str, Any], ...]) -> Optimizer:
    return partial(OPTIMIZERS[name], **dict(options))


GRADIENT_DESCENT = optimizer("gradient_descent")
