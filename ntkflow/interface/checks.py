"""Checks of the arguments of public functions, each in the annotation of its parameter.

    @checked
    def spectrum(kernel: SquareKernel, count: Count = 1) -> ...

`checked` passes every argument through the check in its annotation before the function runs. A
check is a function of the argument's name and value. It returns the value in the form that the
function uses, such as a Python number for a NumPy scalar, or raises ValueError: `argument: found
..., expected ...`. Further parameters are bound by `functools.partial`. pydantic, which checks
configurations, would accept strings and booleans as numbers, and does not support arrays.
"""

import inspect
from collections.abc import Callable
from functools import partial, wraps
from numbers import Real
from operator import index
from typing import Annotated, Any, ParamSpec, TypeAlias, TypeVar, get_args, get_origin

import numpy as np
import xarray as xr

from ntkflow.configuration.messages import shortened

P = ParamSpec("P")
R = TypeVar("R")

Check: TypeAlias = Callable[[str, Any], Any]


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Check every argument of a function by the check in its parameter's annotation.

    None is accepted if it is the default. A parameter without a check is a TypeError when the
    function is defined, unless it is the `self` of a method.
    """
    signature = inspect.signature(function, eval_str=True)
    parameters = {name: p for name, p in signature.parameters.items() if name != "self"}
    checks = {name: check_of(parameter) for name, parameter in parameters.items()}

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        for name, parameter in parameters.items():
            value = bound.arguments[name]
            if value is not None or parameter.default is not None:
                bound.arguments[name] = checks[name](name, value)
        return function(*bound.args, **bound.kwargs)

    return call


def check_of(parameter: inspect.Parameter) -> Check:
    """Check in a parameter's annotation, `Annotated[..., check]` or its union with None."""
    for part in (parameter.annotation, *get_args(parameter.annotation)):
        if get_origin(part) is Annotated:
            check: Check = part.__metadata__[0]
            return check
    raise TypeError(f"{parameter.name}: found no check in the annotation, expected one")


def refusal(name: str, value: object, expected: str) -> ValueError:
    """ValueError for an argument with an invalid value."""
    return ValueError(f"{name}: found {_brief(value)}, expected {expected}")


def _brief(value: object) -> str:
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


def whole(name: str, value: Any, low: int, high: int) -> int:
    """Integer of Python, NumPy or JAX from `low` to `high`."""
    try:
        number = None if _is_no_number(value) else index(value)
    except TypeError:
        number = None
    if number is None or not low <= number <= high:
        raise refusal(name, value, f"a whole number from {low} to {high}")
    return number


COUNT = partial(whole, low=1, high=2**31 - 1)
INDEX = partial(whole, low=0, high=2**31 - 1)


def number(
    name: str, value: Any, low: float = -np.inf, above: float = -np.inf, high: float = np.inf
) -> float:
    """Finite real number: at least `low`, greater than `above`, at most `high`."""
    found = _float(value)
    if np.isfinite(found) and low <= found <= high and found > above:
        return found
    bounds = [("at least", low), ("greater than", above), ("at most", high)]
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


def one_of(name: str, value: Any, names: tuple[str, ...]) -> str:
    """One of a few strings; a plain string, also for a member of an enumeration."""
    if not isinstance(value, str) or value not in names:
        raise refusal(name, value, " or ".join(map(repr, names)))
    return names[names.index(value)]


def listed(name: str, value: Any, each: Check, shortest: int = 0) -> tuple[Any, ...]:
    """Sequence of at least `shortest` values that pass the check `each`; returned as a tuple."""
    array = getattr(value, "ndim", None) == 1 and not _is_no_number(value)
    value = np.asarray(value) if array else value
    if not array and not isinstance(value, list | tuple | range):
        raise refusal(name, value, "a list")
    if len(value) < shortest:
        raise refusal(name, value, f"a list of {shortest} entries or more")
    return tuple(each(f"{name}[{i}]", entry) for i, entry in enumerate(value))


def instance(name: str, value: Any, kind: Any, expected: str) -> Any:
    """Instance of a class, or of one of several."""
    if not isinstance(value, kind):
        raise refusal(name, value, expected)
    return value
