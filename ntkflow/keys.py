"""Base of the models that describe keys of a configuration, and types of their values."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

__all__ = [
    "Count",
    "Fault",
    "Finite",
    "Natural",
    "NotBoolean",
    "PositiveFinite",
    "Strict",
    "shorthand",
]


class Fault(ValueError):
    """A value that does not agree with others; `key` is its path from the model that refuses."""

    def __init__(self, key: str, complaint: str) -> None:
        super().__init__(complaint)
        self.key = key


def _refuse_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"found {value}, expected a number, not a boolean")
    return value


# Python counts with True. Other conversions stay: YAML reads 1e-3, without a point, as a string.
NotBoolean = BeforeValidator(_refuse_boolean)

Count = Annotated[int, Field(gt=0), NotBoolean]
Natural = Annotated[int, Field(ge=0), NotBoolean]
Finite = Annotated[float, Field(allow_inf_nan=False), NotBoolean]
PositiveFinite = Annotated[float, Field(gt=0, allow_inf_nan=False), NotBoolean]


def shorthand(key: str, written: Any) -> BeforeValidator:
    """A string stands for a mapping of this key alone; `written` is all that a file may hold."""
    return BeforeValidator(
        lambda value: {key: value} if isinstance(value, str) else value,
        json_schema_input_type=written,
    )


class Strict(BaseModel):
    """No unknown keys; immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True)
