"""Functions that a configuration names as "module:function"."""

import os
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any


def imported_function(name: str, what: str) -> Callable[..., Any]:
    """Import the function that "module:function" names; ValueError about `what` if impossible."""
    module, _, attribute = name.partition(":")
    try:
        function = getattr(import_module(module), attribute)
    except Exception as error:  # the module may raise anything while it is imported
        raise ValueError(
            f"{what} {name!r}: {first_line(error)}; expected 'module:function', the module on "
            "PYTHONPATH"
        ) from None
    if not callable(function):
        raise ValueError(f"{what} {name!r}: found a {type(function).__name__}, expected a function")
    return function


def own_file(name: str) -> list[str]:
    """Relative path of the module of "module:function"; none for the name of something built in.

    The module is not imported: planning must not wait for JAX.
    """
    module, colon, _ = name.partition(":")
    spec = find_spec(module) if colon else None
    return [os.path.relpath(spec.origin)] if spec and spec.has_location and spec.origin else []


def first_line(error: Exception) -> str:
    """Type of an error and the first line of its message."""
    return f"{type(error).__name__}: {error}".splitlines()[0]
