"""Points from a Python function."""

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Annotated, Any

import numpy as np
from numpy.random import SeedSequence, default_rng
from pydantic import AfterValidator, Field, JsonValue, model_validator

from ntkflow.datasets.kinds import Points, Real, Sampled
from ntkflow.functions import first_line, imported_function, own_file
from ntkflow.keys import Count, Fault, Natural


def _importable(name: str) -> str:
    imported_function(name, "function")
    return name


class Function(Sampled):
    """Points that a Python function returns; its module is on PYTHONPATH.

    It is called with `samples`, `rng` (a NumPy generator) and `arguments`, all by name, and returns
    x (samples, features), or x and y (samples, outputs).
    """

    inputs: Annotated[str, Field(pattern=r"^[\w.]+:\w+$"), AfterValidator(_importable)]
    features: Count = Field(description="number of columns of x")
    outputs: Natural = Field(0, description="number of columns of y; 0 if it returns x alone")
    arguments: dict[str, JsonValue] = Field({}, description="further arguments of the function")

    @model_validator(mode="after")
    def _callable(self) -> "Function":
        try:
            signature(self.function).bind(samples=1, rng=None, **self.arguments)
        except (TypeError, ValueError) as error:  # the latter if it has no signature
            raise Fault(
                "arguments",
                f"found {[*self.arguments]}, with which {self.inputs} cannot be called ({error}); "
                "expected all arguments but samples and rng, which it is given",
            ) from None
        return self

    @property
    def function(self) -> Callable[..., Any]:
        return imported_function(self.inputs, "function")

    @property
    def y_columns(self) -> int:
        return self.outputs

    @property
    def options(self) -> Mapping[str, Any]:
        return self.arguments

    @property
    def files(self) -> list[str]:
        return own_file(self.inputs)

    def place(self, role: str) -> str:
        return f"{role} points from the function {self.inputs}"

    def draw(self, seed: SeedSequence, skip: int) -> Points:
        try:
            made = self.function(samples=self.samples, rng=default_rng(seed), **self.arguments)
        except Exception as error:  # whatever the function raises
            raise Fault("inputs", f"{self.inputs} raised {first_line(error)}") from error
        pair = isinstance(made, tuple) and len(made) == 2
        if pair != bool(self.outputs):
            returned, expected = ("(x, y)", "x alone") if pair else ("x alone", "(x, y)")
            found = f"returned {returned}, but outputs is {self.outputs}"
            raise Fault("inputs", f"{self.inputs} {found}; expected {expected}, or set outputs")
        x, y = made if pair else (made, None)
        values = self._checked(y, self.outputs, "y") if pair else None
        return Points(self._checked(x, self.features, "x"), y=values)

    def _checked(self, made: Any, columns: int, what: str) -> Real:
        try:
            array = np.asarray(made)
        except ValueError as error:  # ragged lists
            raise Fault("inputs", f"{self.inputs} returned {what}: {error}") from error
        if what == "y" and array.ndim == 1:
            array = array[:, None]
        if array.dtype.kind not in "biuf" or array.shape != (self.samples, columns):
            raise Fault(
                "inputs",
                f"{self.inputs} returned {what} of shape {array.shape} and dtype {array.dtype}, "
                f"expected real numbers of shape {(self.samples, columns)}",
            )
        if not np.isfinite(array).all():
            raise Fault("inputs", f"{self.inputs} returned {what} with NaN or infinity")
        return array.astype(np.float64)
