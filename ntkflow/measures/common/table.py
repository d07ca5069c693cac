"""Table of claims: one row per number."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from ntkflow.measures.common.evidence import Quantity, overall, verdict


def tabulate(claims: Iterable[tuple[Mapping[str, str], Sequence[Quantity]]]) -> pd.DataFrame:
    """One row per number of each claim, given by the labels of its experiment and its numbers."""
    rows = [
        {
            **{name: labels[name] for name in ("experiment", "paper", "statement")},
            "claim_verdict": overall([verdict(each) for each in quantities]),
            **asdict(quantity),
            "verdict": verdict(quantity),
            "figure": f"figures/{labels['experiment']}.png",
            "store": f"statistics/{labels['experiment']}.zarr",
        }
        for labels, quantities in claims
        for quantity in quantities
    ]
    return pd.DataFrame(rows).rename(columns={"name": "quantity"})


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows for JSON: numbers with all digits, and null for numbers that are not finite."""
    missing = table.isin([math.inf, -math.inf]) | table.isna()
    return table.astype(object).mask(missing, None).to_dict("records")
