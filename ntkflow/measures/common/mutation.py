"""Errors put into a theory on purpose, to find out whether a claim detects them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ntkflow.measures.common.sources import Sources

FACTORS = (1.01, 1.02, 1.05, 1.1, 1.2, 1.5, 2.0)
"""Sizes of errors of scale."""

LARGER, SMALLER = "kernel larger", "kernel smaller"


def _unchanged(sources: Sources) -> Sources | None:
    return None


@dataclass(frozen=True, eq=False)
class Mutation:
    """An error of a kind and a size.

    `sources` returns the sources with the error, None if it concerns none of them. `patches` maps
    names in the modules of a measure to functions from what they stand for to what replaces it.
    A measure can have a module `mutations` with a list MUTATIONS of its own.
    """

    kind: str
    size: str
    sources: Callable[[Sources], Sources | None] = _unchanged
    patches: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)


def scales(name: str, scaled: Callable[[Any, float], Any]) -> list[Mutation]:
    """Replace what `name` stands for by `scaled` of it and each factor of the kernel."""

    def by(factor: float) -> Mapping[str, Callable[[Any], Any]]:
        return {name: lambda right: scaled(right, factor)}

    larger = [Mutation(LARGER, f"x {f:g}", patches=by(f)) for f in FACTORS]
    return larger + [Mutation(SMALLER, f"/ {f:g}", patches=by(1 / f)) for f in FACTORS]
