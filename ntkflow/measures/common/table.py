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
    """One row per number: measured and expected value, and the verdict of `evidence.verdict`.

    Parameters
    ----------
    claims
        Claim of each experiment, by its name.
    """
    rows = []
    for experiment, claim in claims.items():
        whole = overall([verdict(quantity) for quantity in claim.quantities])
        for quantity in claim.quantities:
            rows.append(
                {
                    "experiment": experiment,
                    "paper": claim.paper,
                    "statement": claim.statement,
                    "claim_verdict": whole,
                    **asdict(quantity),
                    "verdict": verdict(quantity),
                    "figure": f"figures/{experiment}.png",
                    "store": f"statistics/{experiment}.zarr",
                }
            )
    return pd.DataFrame(rows).rename(columns={"name": "quantity"})


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows for JSON: numbers with all digits, and null for numbers that are not finite."""
    return [
        {
            key: None if value in (math.inf, -math.inf) or value != value else value
            for key, value in row.items()
        }
        for row in table.to_dict("records")
    ]
