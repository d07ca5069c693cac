"""Types and base classes that the models of the configuration share."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


class Fault(ValueError):
    """Error of a value that contradicts others; `key` is its path from the model that raises it."""

    def __init__(self, key: str, complaint: str) -> None:
        super().__init__(complaint)
        self.key = key


class NoMapping(ValueError):
    """Error of a value in place of a mapping; its message says what was expected."""


def _refuse_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"found {value}, expected a number, not a boolean")
    return value


# True is an integer in Python. Other conversions stay, since YAML reads 1e-3 as a string.
NotBoolean = BeforeValidator(_refuse_boolean)

Count = Annotated[int, Field(gt=0), NotBoolean]
Natural = Annotated[int, Field(ge=0), NotBoolean]
Finite = Annotated[float, Field(allow_inf_nan=False), NotBoolean]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False), NotBoolean]
PositiveFinite = Annotated[float, Field(gt=0, allow_inf_nan=False), NotBoolean]


def shorthand(key: str, written: Any) -> BeforeValidator:
    """Accept a string in place of a mapping with this key only; `written` is the type in a file."""
    return BeforeValidator(
        lambda value: {key: value} if isinstance(value, str) else value,
        json_schema_input_type=written,
    )


class Strict(BaseModel):
    """Base class: immutable, and unknown keys are errors."""

    # Infinite defaults would be null in the JSON schema.
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="constants")

    @model_validator(mode="before")
    @classmethod
    def _mapping(cls, value: Any) -> Any:
        """Describe a mapping by its keys; pydantic names the class."""
        if isinstance(value, Mapping | cls):
            return value
        required = [f"{name}: ..." for name, key in cls.model_fields.items() if key.is_required()]
        such = f"{{{', '.join(required)}}}"
        if not required:
            such = " or ".join(f"{{{name}: ...}}" for name in [*cls.model_fields][:2])
        raise NoMapping(f"expected a mapping such as {such}")
