"""The table of claims as a page of HTML: works from a file, without a network or a script."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader

from ntkflow.claims.evidence import FAILS, HOLDS, UNDECIDED

__all__ = ["page"]

MARKS = {HOLDS: "✓", FAILS: "✗", UNDECIDED: "?"}


def page(table: pd.DataFrame) -> str:
    """The table as a page of HTML, whose links are relative to the folder of results."""
    environment = Environment(
        loader=PackageLoader("ntkflow.pages", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "interval": _interval, "expected": _expected}
    claims = [
        (rows.iloc[0].to_dict(), rows.to_dict("records"))
        for _, rows in table.groupby("experiment", sort=False)
    ]
    found = [first["claim_verdict"] for first, _ in claims]
    counts = {name: found.count(name) for name in MARKS}
    return environment.get_template("claims.html.jinja").render(
        claims=claims, counts=counts, marks=MARKS
    )


def _number(value: float) -> str:
    """Three significant digits, with a true minus sign."""
    if not np.isfinite(value):
        return "–"
    power = abs(value) < 1e-3 or abs(value) >= 1e5
    return (f"{value:.1e}" if power and value else f"{value:.3g}").replace("-", "−")


def _interval(row: Mapping[str, float]) -> str:
    """The 95 % interval; nothing where there is no sampling error."""
    return "" if row["low"] == row["high"] else f"{_number(row['low'])} to {_number(row['high'])}"


def _expected(row: Mapping[str, float]) -> str:
    """What agrees: a value with its margin, or the bound with the margin in it."""
    value, margin = row["expected"], row["tolerance"]
    match row["relation"]:
        case "at most":
            return f"≤ {_number(value + margin)}"
        case "at least":
            return f"≥ {_number(value - margin)}"
        case _:
            return f"{_number(value)} ± {_number(margin)}"
