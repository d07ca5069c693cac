"""Templates of pages, formats of numbers and verdicts, and the page of the table of claims.

Pages work from a file, without network, and show the same without scripts.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from ntkflow.measures.common.evidence import AGREES, DISAGREES, UNDECIDED

MARKS = {AGREES: "✓", DISAGREES: "✗", UNDECIDED: "?"}
OF_SEVERAL = {AGREES: "agree", DISAGREES: "disagree", UNDECIDED: "are undecided"}

Row = Mapping[str, Any]


def render(template: str, **values: Any) -> str:
    """Render a template; values are escaped."""
    environment = Environment(
        loader=PackageLoader("ntkflow.pages", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"number": number, "interval": _interval, "expected": _expected}
    environment.filters["needed"] = _needed
    environment.filters |= {"duration": duration, "memory": memory}
    return environment.get_template(template).render(marks=MARKS, of_several=OF_SEVERAL, **values)


def claims_page(table: pd.DataFrame) -> str:
    """Table of claims in HTML, with links relative to the folder of results."""
    claims = by_experiment(table)
    return render("claims.html.jinja", claims=claims, counts=verdict_counts(claims))


def by_experiment(table: pd.DataFrame) -> dict[str, list[Row]]:
    """Rows of the table of claims by experiment, in the order of the table."""
    if table.empty:
        return {}
    return {
        str(name): rows.to_dict("records") for name, rows in table.groupby("experiment", sort=False)
    }


def verdict_counts(claims: Mapping[str, list[Row]]) -> dict[str, int]:
    """Number of claims with each verdict."""
    found = [rows[0]["claim_verdict"] for rows in claims.values()]
    return {name: found.count(name) for name in MARKS}


def number(value: float) -> str:
    """Format a number with three significant digits and a true minus sign."""
    if not np.isfinite(value):
        return "–"
    power = abs(value) < 1e-3 or abs(value) >= 1e5
    return (f"{value:.1e}" if power and value else f"{value:.3g}").replace("-", "−")


def _interval(row: Mapping[str, float]) -> str:
    """Interval as text; empty if there is no sampling error."""
    low, high = row["low"], row["high"]
    if low == high:
        return ""
    return f"{number(low)} to {number(high)}" if np.isfinite([low, high]).any() else "–"


def _expected(row: Row) -> str:
    """Expected value and margin as text; a bound includes the margin."""
    value, margin = row["expected"], row["margin"]
    match row["relation"]:
        case "at most":
            return f"≤ {number(value + margin)}"
        case "at least":
            return f"≥ {number(value - margin)}"
        case _:
            return f"{number(value)} ± {number(margin)}"


def _needed(row: Row) -> str:
    """About how many seeds would decide an undecided number; empty if it is decided."""
    needed = row["seeds_needed"]
    if needed is None or not np.isfinite(needed):
        return ""
    return f", {row['seeds']:.0f} seeds of about {needed:,.0f}"


def duration(seconds: float) -> str:
    """Format a duration: 0.8 s, 45 s, 12 min 5 s, 2 h 5 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def memory(mebibytes: float) -> str:
    """Format memory in MiB or GiB; a dash if a job was too short to measure."""
    if not np.isfinite(mebibytes):
        return "–"
    return f"{mebibytes:.0f} MiB" if mebibytes < 1024 else f"{mebibytes / 1024:.1f} GiB"
