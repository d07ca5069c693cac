"""Differences between a run and its reference, one line each."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module

from ntkflow.measures.common.evidence import EVIDENCE
from ntkflow.stores.schema import SCHEMAS
from ntkflow.stores.tolerances import EXACT, TRAINED, Tolerance
from ntkflow.stores.variables import Schema
from ntkflow.verification.reference import Product
from ntkflow.verification.summary import Numbers, Summary, Text, distance

# Text of figures and pages, which may change without a difference in results.
WORDING = ("title", "x_label", "y_label", "label", "look", "statement", "paper")


@dataclass
class Report:
    """Paths of products by result of the comparison; `different` also has the differences."""

    identical: list[str] = field(default_factory=list)
    within: list[str] = field(default_factory=list)
    redrawn: list[str] = field(default_factory=list)
    different: dict[str, list[str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """True if all products of the reference are there, within tolerance."""
        return not (self.different or self.missing)

    def lines(self) -> list[str]:
        """Lines of the printed report; the last one has the counts."""
        listed = [f"{path}: {line}" for path, lines in self.different.items() for line in lines]
        listed += [f"{path}: missing" for path in self.missing]
        listed += [f"{path}: not in the reference" for path in self.extra]
        compared = len(self.identical) + len(self.within) + len(self.redrawn) + len(self.different)
        counts = (
            f"{len(self.identical)} with the same bytes, {len(self.within)} within tolerance, "
            f"{len(self.redrawn)} drawn with other bytes, {len(self.different)} different, "
            f"{len(self.missing)} missing, {len(self.extra)} not in the reference"
        )
        return [*listed, f"{compared + len(self.missing) + len(self.extra)} products: {counts}"]


def compare(
    digests: Mapping[str, str], reference: Mapping[str, Product], product: Callable[[str], Product]
) -> Report:
    """Compare each product of a run, by path, with that of the reference.

    `digests` of the run are as `Product.sha256`. `product` reads a product if digests differ.
    """
    report = Report(extra=sorted(set(digests) - set(reference)))
    for path, expected in sorted(reference.items()):
        if path not in digests:
            report.missing.append(path)
        elif digests[path] == expected.sha256:
            report.identical.append(path)
        elif expected.kind == "drawing":
            report.redrawn.append(path)
        elif lines := differences(product(path), expected):
            report.different[path] = lines
        else:
            report.within.append(path)
    return report


def differences(found: Product, reference: Product) -> list[str]:
    """Differences of two products beyond the tolerance of their kind."""
    lines = [
        f"{what} found {one!r}, reference {other!r}"
        for what in ("kind", "precision")
        if (one := getattr(found, what)) != (other := getattr(reference, what))
    ]
    for name in sorted({*found.arrays, *reference.arrays}):
        if name not in found.arrays:
            lines.append(f"{name}: missing")
        elif name not in reference.arrays:
            lines.append(f"{name}: not in the reference")
        else:
            line = _difference(name, found.arrays[name], reference.arrays[name], reference)
            lines += [f"{name}: {line}"] if line else []
    return lines


def tolerance(kind: str, name: str, precision: str, dtype: str) -> Tolerance:
    """Tolerance of an array in a product of this kind; integers and booleans must be equal."""
    if not dtype.startswith("float"):
        return EXACT
    if kind == "table":
        return TRAINED
    schema: Schema | None = {**SCHEMAS, EVIDENCE.kind: EVIDENCE}.get(kind)
    if schema is None:
        try:
            schema = import_module(f"ntkflow.measures.{kind}.measure").SCHEMA
        except (ModuleNotFoundError, AttributeError):
            return EXACT
    return schema.tolerance_of(name, precision)


def _difference(name: str, found: Summary, reference: Summary, of: Product) -> str:
    if found.shape != reference.shape:
        return f"shape found {tuple(found.shape)}, reference {tuple(reference.shape)}"
    if isinstance(found, Numbers) and isinstance(reference, Numbers):
        allowed = tolerance(of.kind, name, of.precision, reference.dtype)
        return _numbers(found, reference, allowed)
    if isinstance(found, Text) and isinstance(reference, Text):
        return "" if name in WORDING else _text(found, reference)
    return f"found {_sort(found)}, reference {_sort(reference)}"


def _numbers(found: Numbers, reference: Numbers, allowed: Tolerance) -> str:
    if found.dtype != reference.dtype:
        return f"dtype found {found.dtype}, reference {reference.dtype}"
    if found.not_finite != reference.not_finite:
        return "NaN or infinite in other places than in the reference"
    if reference.values:
        return _each(found.values, reference.values, allowed)
    if not reference.sums:  # an empty array
        return ""
    limit = allowed.relative * reference.rms + allowed.absolute
    apart = distance(found, reference)
    if apart <= limit:
        return ""
    return (
        f"apart by {apart:.2g}, allowed {limit:.2g}; "
        f"rms found {found.rms:.9g}, reference {reference.rms:.9g}; range found "
        f"{found.least:.9g} to {found.greatest:.9g}, "
        f"reference {reference.least:.9g} to {reference.greatest:.9g}"
    )


def _each(found: Sequence[float], reference: Sequence[float], allowed: Tolerance) -> str:
    """Describe the first element of a short array that differs by more than allowed.

    The tolerance is relative to the element or, since an interval may end near 0, to the root mean
    square of the array, at most 1.
    """
    usual = min(1.0, math.sqrt(sum(number * number for number in reference) / len(reference)))
    for place, (one, other) in enumerate(zip(found, reference, strict=True)):
        limit = allowed.relative * max(abs(other), usual) + allowed.absolute
        if abs(one - other) > limit:
            numbers = f"found {one:.9g}, reference {other:.9g}"
            return f"entry {place} {numbers}, allowed {limit:.2g} apart"
    return ""


def _text(found: Text, reference: Text) -> str:
    if found.sha256 == reference.sha256:
        return ""
    for place, (one, other) in enumerate(zip(found.each, reference.each, strict=False)):
        if one != other:
            return f"entry {place} found {one!r}, reference {other!r}"
    return "text found is not that of the reference"


def _sort(summary: Summary) -> str:
    return "text" if isinstance(summary, Text) else summary.dtype
