"""Table of claims: one row per number."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from ntkflow.measures.common.evidence import Quantity, overall, verdict


@dataclass(frozen=True)
class Claim:
    """A statement of the paper, its place there, and the numbers that test it."""

    statement: str
    paper: str
    quantities: Sequence[Quantity]


def tabulate(claims: Mapping[str, Claim]) -> pd.DataFrame:
    """Numbers of the claim of each experiment: one row each, with the verdict of `verdict`."""
    rows = [
        {
            "experiment": experiment,
            "paper": claim.paper,
            "statement": claim.statement,
            "claim_verdict": overall([verdict(each) for each in claim.quantities]),
            **asdict(quantity),
            "verdict": verdict(quantity),
            "figure": f"figures/{experiment}.png",
            "store": f"statistics/{experiment}.zarr",
        }
        for experiment, claim in claims.items()
        for quantity in claim.quantities
    ]
    return pd.DataFrame(rows).rename(columns={"name": "quantity"})


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows for JSON: numbers with all digits, and null for numbers that are not finite."""
    missing = table.isin([math.inf, -math.inf]) | table.isna()
    return table.astype(object).mask(missing, None).to_dict("records")
