"""Numbers, indices and settings as captions print them."""

from collections.abc import Mapping
from typing import Any


def listed(value: Any) -> str:
    """A number, a list, or a mapping without its empty values."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {listed(v)}" for key, v in value.items() if v is not None)
    if isinstance(value, list | tuple):
        return ", ".join(map(listed, value))
    if isinstance(value, float):
        return "∞" if value == float("inf") else f"{value:.6g}".replace("-", "−")
    return str(value)


def lowered(number: int) -> str:
    """A subscript."""
    return str(number).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def raised(number: int) -> str:
    """A superscript."""
    return str(number).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
