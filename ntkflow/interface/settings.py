"""Checks of arguments that are settings of networks, training and stores."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from pydantic import ValidationError

from ntkflow.configuration.kernels import KernelsConfig
from ntkflow.configuration.messages import lines
from ntkflow.interface.checks import INDEX, Check, Found, Listed, OneOf, refusal
from ntkflow.stores.places import StoreError, check_place, resolve_place


class Steps(Check):
    """Number of steps, or a list of steps; returned as an ascending list that begins with 0."""

    def __call__(self, name: str, value: Any) -> list[int]:
        listed = isinstance(value, list | tuple | range) or getattr(value, "ndim", 0) != 0
        return sorted({0, *(Listed(INDEX, 1)(name, value) if listed else [INDEX(name, value)])})


class Outputs(Check):
    """``all``, ``trace`` or the index of one output; `Network.check` tests that it exists."""

    def __call__(self, name: str, value: Any) -> Any:
        if isinstance(value, str):
            return OneOf(("all", "trace"))(name, value)
        return INDEX(name, value)


@dataclass(frozen=True)
class NamedFunction(Check):
    """Name, function or, if `mapping`, a mapping of ``name`` and parameters."""

    mapping: bool = True

    def __call__(self, name: str, value: Any) -> Any:
        mapped = self.mapping and _is_mapping(value)
        if mapped and isinstance(value.get("name"), str):
            return {key: _plain(entry) for key, entry in value.items()}
        if isinstance(value, str) or (callable(value) and not mapped):
            return value
        also = ", a mapping with `name` and parameters" if self.mapping else ""
        raise refusal(name, value, f"a name{also} or a function")


class Scheduler(Check):
    """Value of the configuration key `kernels.scheduler`; returned as plain values."""

    def __call__(self, name: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, str) and not _is_mapping(value):
            raise refusal(name, value, "a kind of scheduler, such as 'threads', or a mapping")
        plain = {k: _plain(v) for k, v in value.items()} if isinstance(value, Mapping) else value
        config = {"scheduler": plain}
        try:
            return KernelsConfig.model_validate(config).scheduler.model_dump()
        except ValidationError as error:
            raise ValueError(lines(error, config)[0]) from None


@dataclass(frozen=True)
class Place(Check):
    """Path at which a store of one kind may be written; returned absolute, with links resolved."""

    kind: str

    def __call__(self, name: str, value: Any) -> Path:
        if not isinstance(value, str | os.PathLike):
            raise refusal(name, value, "the path of a folder")
        try:
            path = resolve_place(value)
            check_place(path, self.kind)
        except StoreError as error:
            raise StoreError(f"{name}: {str(error).removeprefix('store: ')}") from None
        return path


RESERVED = {"store", "title", "payload", "sha256", "fingerprint", "dual_error", "coordinates"}


class Attributes(Check):
    """Mapping of names to values that JSON supports; NumPy values become Python values."""

    def __call__(self, name: str, value: Any) -> dict[str, Any]:
        if not _is_mapping(value):
            raise refusal(name, value, "a mapping from names to values")
        taken = sorted(RESERVED.intersection(value))
        if taken:
            found = Found(f"the name {taken[0]!r}")
            raise refusal(name, found, "another name; the store sets this one")
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
