"""What a training minimises, and how."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jax.typing import DTypeLike

from ntkflow.networks import costs, optimizers
from ntkflow.networks.costs import LEAST_SQUARES, Cost
from ntkflow.networks.optimizers import GRADIENT_DESCENT, Optimizer

__all__ = ["Method"]


@dataclass(frozen=True)
class Method:
    """What is minimised, and how; the default is what JGH analyse.

    Attributes
    ----------
    optimizer
        Learning rate -> optax transformation.
    batch
        Training points of a step, all by default. Each epoch takes them from a new random order,
        and leaves out what is less than a batch.
    """

    cost: Cost = LEAST_SQUARES
    optimizer: Optimizer = GRADIENT_DESCENT
    batch: int | None = None

    @classmethod
    def from_plain(
        cls,
        cost: str,
        optimizer: Mapping[str, Any],
        batch_size: int | None = None,
        **_: Any,
    ) -> "Method":
        """From the `training` of a configuration."""
        return cls(costs.cost(cost), optimizers.optimizer(**optimizer), batch_size)

    @property
    def is_gradient_descent(self) -> bool:
        """Whether the full gradient is followed, so that the cost ought to fall in each step."""
        return self.batch is None and self.optimizer is GRADIENT_DESCENT

    def check(self, samples: int, outputs: int, dtype: DTypeLike) -> None:
        """Raise ValueError for an invalid cost, or a batch of more points than there are."""
        costs.check_cost(self.cost, outputs, dtype)
        if self.batch is not None and not 0 < self.batch <= samples:
            raise ValueError(
                f"batch: found {self.batch}, expected 1 to {samples}, the training points"
            )
