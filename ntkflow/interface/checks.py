"""Checks of the arguments of public functions, each in the annotation of its parameter.

    @checked
    def spectrum(kernel: SquareKernel, count: Count = 1) -> ...

`checked` passes every argument through the check in its annotation before the function runs. A
check returns the value in the form that the function uses, such as a Python number for a NumPy
scalar, or raises ValueError: `argument: found ..., expected ...`. pydantic, which checks
configurations, would accept strings and booleans as numbers, and does not support arrays.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from numbers import Real
from operator import index
from typing import Annotated, Any, ParamSpec, TypeVar, get_args, get_origin

import numpy as np
import xarray as xr

from ntkflow.configuration.messages import shortened

P = ParamSpec("P")
R = TypeVar("R")


class Check:
    """Check of one argument, which converts a valid value and raises ValueError otherwise."""

    def __call__(self, name: str, value: Any) -> Any:
        """Return the value in the form that the function uses; `name` is the argument's name."""
        raise NotImplementedError


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Check every argument of a function by the check in its parameter's annotation.

    None is accepted if it is the default. A parameter without a check is a TypeError when the
    function is defined.
    """
    signature = inspect.signature(function, eval_str=True)
    checks = {name: check_of(parameter) for name, parameter in signature.parameters.items()}

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        for name, value in bound.arguments.items():
            if value is not None or signature.parameters[name].default is not None:
                bound.arguments[name] = checks[name](name, value)
        return function(*bound.args, **bound.kwargs)

    return call


def check_of(parameter: inspect.Parameter) -> Check:
    """Check in a parameter's annotation, `Annotated[..., check]` or its union with None."""
    annotation = parameter.annotation
    for part in (annotation, *get_args(annotation)):
        if get_origin(part) is Annotated:
            for check in part.__metadata__:
                if isinstance(check, Check):
                    return check
    raise TypeError(f"{parameter.name}: found no check in the annotation, expected one")


def refusal(name: str, found: object, expected: str) -> ValueError:
    """ValueError for an invalid argument; `found` is a text or the value itself."""
    text = found if isinstance(found, Found) else brief(found)
    return ValueError(f"{name}: found {text}, expected {expected}")


class Found(str):
    """Description of a value, to be printed as it is."""


def brief(value: object) -> str:
    """Description of a value on one line, in at most about 60 characters."""
    if isinstance(value, np.ndarray | xr.DataArray) and value.ndim:
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    try:
        return " ".join(shortened(value).split())
    except Exception:  # the value's __repr__ may raise anything
        return f"a {type(value).__name__}"


def _is_no_number(value: object) -> bool:
    """Return True for a boolean, a masked value or a time: they would convert to a number."""
    times = getattr(getattr(value, "dtype", None), "kind", "") in tuple("mM")
    return isinstance(value, bool | np.bool_ | np.ma.MaskedArray) or times


@dataclass(frozen=True)
class Whole(Check):
    """Integer of Python, NumPy or JAX from `low` to `high`."""

    low: int
    high: int

    def __call__(self, name: str, value: Any) -> int:
        try:
            number = None if _is_no_number(value) else index(value)
        except TypeError:
            number = None
        if number is None or not self.low <= number <= self.high:
            raise refusal(name, value, f"a whole number from {self.low} to {self.high}")
        return number


COUNT = Whole(1, 2**31 - 1)
INDEX = Whole(0, 2**31 - 1)


@dataclass(frozen=True)
class Number(Check):
    """Finite real number: at least `low`, greater than `above`, at most `high`."""

    low: float = -np.inf
    above: float = -np.inf
    high: float = np.inf

    def __call__(self, name: str, value: Any) -> float:
        number = _float(value)
        if np.isfinite(number) and self.low <= number <= self.high and number > self.above:
            return number
        bounds = [("at least", self.low), ("greater than", self.above), ("at most", self.high)]
        limits = " and ".join(f"{words} {bound:g}" for words, bound in bounds if np.isfinite(bound))
        raise refusal(name, value, f"a number {limits}" if limits else "a finite number")


def _float(value: Any) -> float:
    """Value as a float; NaN if it is not a real number."""
    if getattr(value, "shape", None) == () and hasattr(value, "item") and not _is_no_number(value):
        value = value.item()  # NumPy and JAX scalars
    if _is_no_number(value) or not isinstance(value, Real):
        return np.nan
    try:
        return float(value)
    except OverflowError:
        return np.inf


@dataclass(frozen=True)
class OneOf(Check):
    """One of a few strings."""

    names: tuple[str, ...]

    def __call__(self, name: str, value: Any) -> str:
        if not isinstance(value, str) or value not in self.names:
            raise refusal(name, value, " or ".join(map(repr, self.names)))
        # A plain string, also for a member of an enumeration.
        return self.names[self.names.index(value)]


@dataclass(frozen=True)
class Listed(Check):
    """Sequence of at least `shortest` values that pass the check `each`; returned as a tuple."""

    each: Check
    shortest: int = 0

    def __call__(self, name: str, value: Any) -> tuple[Any, ...]:
        array = getattr(value, "ndim", None) == 1 and not _is_no_number(value)
        value = np.asarray(value) if array else value
        if not array and not isinstance(value, list | tuple | range):
            raise refusal(name, value, "a list")
        if len(value) < self.shortest:
            raise refusal(name, value, f"a list of {self.shortest} entries or more")
        return tuple(self.each(f"{name}[{i}]", entry) for i, entry in enumerate(value))


@dataclass(frozen=True)
class Instance(Check):
    """Instance of a class."""

    kind: type
    expected: str

    def __call__(self, name: str, value: Any) -> Any:
        if not isinstance(value, self.kind):
            raise refusal(name, value, self.expected)
        return value


class Flag(Check):
    """True or False of Python or NumPy."""

    def __call__(self, name: str, value: Any) -> bool:
        if not isinstance(value, bool | np.bool_):
            raise refusal(name, value, "True or False")
        return bool(value)


class Callback(Check):
    """Function of one line of text."""

    def __call__(self, name: str, value: Any) -> Callable[[str], None]:
        if not callable(value):
            raise refusal(name, value, "a function of one line of text, such as print")
        return value
