"""Numbers, indices, settings and labels as plain text."""

import re
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


SIGNS = {"Theta": "Θ", "Sigma": "Σ", "lambda": "λ", "theta": "θ", "gamma": "γ"}
SIGNS |= {"mu": "μ", "beta": "β", "sigma": "σ", "infty": "∞", "sqrt": "√"}


def spoken(label: str) -> str:
    """Label of Matplotlib as plain text, with its LaTeX commands as characters."""
    label = re.sub(r"\\tilde (\w)", "\\1\N{COMBINING TILDE}", label.replace(r"\|", "‖"))
    label = re.sub(r"\\([A-Za-z]+)", lambda found: SIGNS.get(found[1], found[1]), label)
    return " ".join(re.sub(r"[${}\\]", "", label).split())
