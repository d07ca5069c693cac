"""The table of claims: one row a number, from the stores of all experiments that make a claim."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd
import xarray as xr

from ntkflow.claims.evidence import Quantity, overall, verdict
from ntkflow.claims.exponents import from_statistics

__all__ = ["records", "tabulate"]

THEOREMS = {
    "width_scaling": (
        "Theorems 1 and 2, Section 5",
        "The NTK of wide networks is Theta_inf when training starts and while it lasts, and f "
        "follows its kernel gradient.",
    ),
    "kernel_drift": (
        "Theorem 2",
        "The NTK stays what it was while networks train on a cost that is not least squares.",
    ),
}
"""Paper and statement of measures that are older than the claims, whose exponents the theorems
state."""


def tabulate(statistics: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """One row a number: what was measured, what is expected, and the verdict of `evidence.verdict`.

    Parameters
    ----------
    statistics
        Stores of the kinds "claim", "width_scaling" and "kernel_drift", by experiment. Verdicts
        are computed here from the numbers, whatever a store says.
    """
    rows = []
    for experiment, store in statistics.items():
        paper, statement = _said(store)
        quantities = _quantities(store)
        whole = overall([verdict(quantity) for quantity in quantities])
        for quantity in quantities:
            rows.append(
                {
                    "experiment": experiment,
                    "paper": paper,
                    "statement": statement,
                    "claim_verdict": whole,
                    **asdict(quantity),
                    "verdict": verdict(quantity),
                    "figure": f"figures/{experiment}.png",
                    "store": f"statistics/{experiment}.zarr",
                }
            )
    return pd.DataFrame(rows).rename(columns={"name": "quantity"})


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON has them: numbers with all of their digits, null for what is not finite."""
    return [
        {
            key: None if value in (math.inf, -math.inf) or value != value else value
            for key, value in row.items()
        }
        for row in table.to_dict("records")
    ]


def _said(store: xr.Dataset) -> tuple[str, str]:
    if store.attrs["store"] == "claim":
        return store.attrs["paper"], store.attrs["statement"]
    return THEOREMS[store.attrs["store"]]


def _quantities(store: xr.Dataset) -> list[Quantity]:
    if store.attrs["store"] != "claim":
        return from_statistics(store)
    numbers = ("value", "low", "high", "expected", "tolerance", "resolution")
    parts = [store.isel(quantity=place).load() for place in range(store.sizes["quantity"])]
    return [
        Quantity(
            name=str(part["quantity"].item()),
            relation=part["relation"].item(),
            **{name: float(part[name]) for name in numbers},
        )
        for part in parts
    ]
