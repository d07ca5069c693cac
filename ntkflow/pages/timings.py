"""Time of a run by rule."""

from collections.abc import Iterable, Mapping

import pandas as pd


def summarise(jobs: Mapping[str, Mapping[str, float]], products: Iterable[str]) -> pd.DataFrame:
    """One row per rule, longest first: jobs, total and longest seconds, memory, last end.

    Parameters
    ----------
    jobs
        Values of the benchmark files of Snakemake, by path without suffix, which is ``rule`` or
        ``rule/wildcards``: ``s``, ``max_rss`` (MiB; NaN if a job was too short to measure) and
        ``ended``, seconds since 1970.
    products
        Paths in the folder of results. Benchmark files of other studies may remain, so a job counts
        only if a product has its wildcards.
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
    """Wildcards of a product: a/b for kind/a/b.zarr."""
    return product.partition("/")[2].rpartition(".")[0]
