"""Points from a function of yours."""

import os
from collections.abc import Mapping
from importlib import import_module
from inspect import signature
from typing import Annotated, Any

import numpy as np
from numpy.random import SeedSequence, default_rng
from pydantic import Field, JsonValue, model_validator

from ntkflow.datasets.kinds import Points, Real, Sampled
from ntkflow.keys import Count, Fault, Natural

Named = Annotated[str, Field(pattern=r"^[\w.]+:\w+$")]


class Function(Sampled):
    """Points that a function of yours returns; its module is on PYTHONPATH.

    It is called with `samples`, `rng` (a NumPy generator) and `arguments`, all by name, and returns
    x (samples, features), or x and y (samples, outputs).
    """

    inputs: Named
    features: Count = Field(description="number of columns of x")
    outputs: Natural = Field(0, description="number of columns of y; 0 if it returns x alone")
    arguments: dict[str, JsonValue] = Field({}, description="further arguments of the function")

    @model_validator(mode="after")
    def _callable(self) -> "Function":
        module, _, name = self.inputs.partition(":")
        try:
            function = getattr(import_module(module), name)
        except Exception as error:  # whatever the module raises while it is imported
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise Fault(
                "inputs",
                f"{self.inputs} cannot be imported ({reason}); expected 'module:function', the "
                "module on PYTHONPATH",
            ) from None
        if not callable(function):
            raise Fault("inputs", f"{self.inputs} is a {type(function).__name__}, not a function")
        try:
            signature(function).bind(samples=1, rng=None, **self.arguments)
        except (TypeError, ValueError) as error:  # the latter if it has no signature
            raise Fault(
                "arguments",
                f"found {[*self.arguments]}, with which {self.inputs} cannot be called ({error}); "
                "expected all arguments but samples and rng, which it is given",
            ) from None
        return self

    @property
    def y_columns(self) -> int:
        return self.outputs

    @property
    def options(self) -> Mapping[str, Any]:
        return self.arguments

    @property
    def files(self) -> list[str]:
        file = getattr(import_module(self.inputs.partition(":")[0]), "__file__", None)
        return [os.path.relpath(file)] if file else []

    def place(self, role: str) -> str:
        return f"{role} points from the function {self.inputs}"

    def draw(self, seed: SeedSequence, skip: int) -> Points:
        module, _, name = self.inputs.partition(":")
        function = getattr(import_module(module), name)
        try:
            made = function(samples=self.samples, rng=default_rng(seed), **self.arguments)
        except Exception as error:  # whatever the function raises
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise Fault("inputs", f"{self.inputs} raised {reason}") from error
        pair = isinstance(made, tuple) and len(made) == 2
        if pair != bool(self.outputs):
            returned, expected = ("(x, y)", "x alone") if pair else ("x alone", "(x, y)")
            raise Fault(
                "inputs",
                f"{self.inputs} returned {returned}, but outputs is {self.outputs}; expected "
                f"{expected}, or set outputs",
            )
        x, y = made if pair else (made, None)
        return Points(
            self._checked(x, self.features, "x"),
            y=self._checked(y, self.outputs, "y") if pair else None,
        )

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
