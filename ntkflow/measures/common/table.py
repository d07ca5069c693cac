"""Table of claims: one row per number."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from ntkflow.measures.common.evidence import overall


def tabulate(claims: Iterable[tuple[Mapping[str, str], pd.DataFrame]]) -> pd.DataFrame:
    """One row per number of each claim, given by the labels of its experiment and its numbers.

    The numbers are rows of `ntkflow.measures.common.evidence.judge`.
    """
    tables = [
        numbers.assign(
            **{name: labels[name] for name in ("experiment", "paper", "statement")},
            claim_verdict=overall(numbers["verdict"].tolist()),
            figure=f"figures/{labels['experiment']}.png",
            store=f"statistics/{labels['experiment']}.zarr",
        )
        for labels, numbers in claims
    ]
    if not tables:
        return pd.DataFrame()
    first = ["experiment", "paper", "statement", "claim_verdict"]
    table = pd.concat(tables, ignore_index=True)
    return table[[*first, *(name for name in table if name not in first)]]


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows for JSON: numbers with all digits, and null for numbers that are not finite."""
    missing = table.isin([math.inf, -math.inf]) | table.isna()
    return table.astype(object).mask(missing, None).to_dict("records")
