"""Checks of arguments that are settings of networks, training and stores."""

import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from pydantic import ValidationError

from ntkflow.configuration.kernels import KernelsConfig
from ntkflow.configuration.messages import lines
from ntkflow.interface.checks import INDEX, listed, number, one_of, refusal
from ntkflow.stores.building import check_folder
from ntkflow.stores.places import StoreError, check_place, resolve_place


def steps(name: str, value: Any) -> list[int]:
    """Number of steps, or a list of steps; returned as an ascending list that begins with 0."""
    several = isinstance(value, list | tuple | range) or getattr(value, "ndim", 0) != 0
    return sorted({0, *(listed(name, value, INDEX, 1) if several else [INDEX(name, value)])})


def times(name: str, value: Any) -> Any:
    """Time, or a list of times; each is 0 or more, and may be infinite."""
    if isinstance(value, list | tuple | range) or getattr(value, "ndim", 0) != 0:
        return list(listed(name, value, _time, 1))
    return _time(name, value)


def _time(name: str, value: Any) -> float:
    if isinstance(value, float | np.floating) and value == np.inf:
        return np.inf
    try:
        return number(name, value, low=0)
    except ValueError:
        raise refusal(name, value, "a number at least 0, or infinity") from None


def ridges(name: str, value: Any) -> tuple[float, ...]:
    """One ridge, or a list of several; each is 0 or more."""
    each = partial(number, low=0)
    several = isinstance(value, list | tuple | range) or getattr(value, "ndim", 0) != 0
    return listed(name, value, each, 1) if several else (each(name, value),)


def outputs(name: str, value: Any) -> Any:
    """``all``, ``trace`` or the index of one output; `Network.check` tests that it exists."""
    if isinstance(value, str):
        return one_of(name, value, ("all", "trace"))
    return INDEX(name, value)


def named_function(name: str, value: Any, mapping: bool = True) -> Any:
    """Name, function or, if `mapping`, a mapping of ``name`` and parameters."""
    mapped = mapping and _is_mapping(value)
    if mapped and isinstance(value.get("name"), str):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, str) or (callable(value) and not mapped):
        return value
    also = ", a mapping with `name` and parameters" if mapping else ""
    raise refusal(name, value, f"a name{also} or a function")


def scheduler(name: str, value: Any) -> dict[str, Any]:
    """Value of the configuration key `kernels.scheduler`; returned as plain values."""
    if not isinstance(value, str) and not _is_mapping(value):
        raise refusal(name, value, "a kind of scheduler, such as 'threads', or a mapping")
    plain = {k: _plain(v) for k, v in value.items()} if isinstance(value, Mapping) else value
    config = {"scheduler": plain}
    try:
        return KernelsConfig.model_validate(config).scheduler.model_dump()
    except ValidationError as error:
        raise ValueError(lines(error, config)[0]) from None


def place(name: str, value: Any, kind: str) -> Path:
    """Absolute path, links resolved, at which a store of a kind may be written."""
    return _path(name, value, partial(check_place, kind=kind))


def folder(name: str, value: Any) -> Path:
    """Absolute path, links resolved, of a folder that is new or that this package made."""
    return _path(name, value, check_folder)


def _path(name: str, value: Any, check: Callable[[Path], None]) -> Path:
    if not isinstance(value, str | os.PathLike):
        raise refusal(name, value, "the path of a folder")
    try:
        path = resolve_place(value)
        check(path)
    except StoreError as error:
        raise StoreError(f"{name}: {str(error).removeprefix('store: ')}") from None
    return path


RESERVED = {"store", "title", "payload", "sha256", "fingerprint", "dual_error", "coordinates"}


def attributes(name: str, value: Any) -> dict[str, Any]:
    """Mapping of names to values that JSON supports; NumPy values become Python values."""
    if not _is_mapping(value):
        raise refusal(name, value, "a mapping from names to values")
    if taken := sorted(RESERVED.intersection(value)):
        raise ValueError(
            f"{name}: found the name {taken[0]!r}, expected another name; the store sets this one"
        )
    try:
        text = json.dumps({**value}, default=_plain, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise refusal(name, value, f"values that JSON supports ({error})") from None
    return dict(json.loads(text))


def _is_mapping(value: Any) -> bool:
    """Return True if a value is a mapping whose keys are strings."""
    return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)


def _plain(value: Any) -> Any:
    """Convert NumPy and JAX arrays and scalars to Python values; return other values unchanged."""
    return value.tolist() if isinstance(value, np.generic | np.ndarray | jax.Array) else value
