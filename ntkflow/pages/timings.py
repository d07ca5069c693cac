"""Where the time of a run went, rule by rule."""

from collections.abc import Iterable, Mapping

import pandas as pd

__all__ = ["summarise"]


def summarise(jobs: Mapping[str, Mapping[str, float]], products: Iterable[str]) -> pd.DataFrame:
    """One row a rule, the longest first: jobs, seconds of all and of one, memory, last end.

    Parameters
    ----------
    jobs
        Of Snakemake's benchmark files, by path without suffix, which is ``rule``, or ``rule/`` and
        what it was run for: ``s``, ``max_rss`` (MiB; NaN for a job too short to measure) and
        ``ended``, seconds since 1970.
    products
        Paths in the folder of results. Files may be left from other studies: a job counts if
        there is a product of what it was run for.
    """
    made_for = {_subject(product) for product in products} | {""}
    rows = [
        {"rule": path.partition("/")[0], **job}
        for path, job in jobs.items()
        if path.partition("/")[2] in made_for
    ]
    table = pd.DataFrame(rows, columns=["rule", "s", "max_rss", "ended"]).groupby("rule")
    summary = table.agg(
        jobs=("s", "size"),
        total=("s", "sum"),
        longest=("s", "max"),
        memory=("max_rss", "max"),
        ended=("ended", "max"),
    )
    return summary.sort_values("total", ascending=False).reset_index()


def _subject(product: str) -> str:
    """What a product is of: a/b of kind/a/b.zarr."""
    return product.partition("/")[2].rpartition(".")[0]
