"""Training method: the cost, the optimiser and the batch size.

Optimisers are those of optax, by name. Gradient descent is the default, and the only one that the
theory covers. For each of them the time of a record is learning rate x steps. With momentum m,
networks train about 1 / (1 - m) times as far in that time; with Adam, it does not correspond to the
time of the kernel's dynamics.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import optax
from jax.typing import DTypeLike

from ntkflow.networks import costs
from ntkflow.networks.costs import LEAST_SQUARES, Cost

Optimizer = Callable[[float], optax.GradientTransformation]
"""Function from the learning rate to an optax transformation."""

OPTIMIZERS: Mapping[str, Callable[..., optax.GradientTransformation]] = {
    "gradient_descent": optax.sgd,
    "momentum": partial(optax.sgd, momentum=0.9),
    "adam": optax.adam,
}


def named_optimizer(name: str, **options: Any) -> Optimizer:
    """Optimiser of a name, with options of optax; equal arguments give the same object."""
    if name not in OPTIMIZERS:
        raise ValueError(f"optimizer {name!r} is not known; choose one of {sorted(OPTIMIZERS)}")
    return _optimizer(name, *sorted(options.items()))


@cache  # of positional arguments: keywords in another order would be others
def _optimizer(name: str, *options: tuple[str, Any]) -> Optimizer:
    return partial(OPTIMIZERS[name], **dict(options))


GRADIENT_DESCENT = named_optimizer("gradient_descent")


@dataclass(frozen=True)
class Method:
    """Cost, optimiser and batch size; the default is the gradient descent that JGH analyse."""

    cost: Cost = LEAST_SQUARES
    optimizer: Optimizer = GRADIENT_DESCENT
    batch: int | None = None
    """Training points per step; None for all of them. Each epoch draws a new random order of the
    points, and leaves out the last ones if they are fewer than a batch."""

    @classmethod
    def from_plain(
        cls, cost: str, optimizer: Mapping[str, Any], batch_size: int | None = None, **_: Any
    ) -> "Method":
        """Method from the key `training` of a configuration."""
        return cls(costs.cost(cost), named_optimizer(**optimizer), batch_size)

    @property
    def is_gradient_descent(self) -> bool:
        """True if each step follows the full gradient, so that the cost should fall."""
        return self.batch is None and self.optimizer is GRADIENT_DESCENT

    def check(self, samples: int, outputs: int, dtype: DTypeLike) -> None:
        """Raise ValueError if the cost is invalid or a batch exceeds the `samples` points."""
        costs.check_cost(self.cost, outputs, dtype)
        if self.batch is not None and not 0 < self.batch <= samples:
            raise ValueError(
                f"batch: found {self.batch}, expected 1 to {samples}, the number of training points"
            )
