"""What every key of the configuration shares."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat

__all__ = ["Finite", "PositiveFinite", "Strict"]

Finite = Annotated[float, Field(allow_inf_nan=False)]
PositiveFinite = Annotated[PositiveFloat, Field(allow_inf_nan=False)]


class Strict(BaseModel):
    """No unknown keys; immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True)
