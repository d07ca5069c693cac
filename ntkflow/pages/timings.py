"""Time of a run by rule."""

from collections.abc import Iterable, Mapping

import pandas as pd


def summarise(jobs: Mapping[str, Mapping[str, float]], products: Iterable[str]) -> pd.DataFrame:
    """One row per rule, longest first: jobs, total and longest seconds, memory, last end.

    `jobs` are the values of the benchmark files of Snakemake, by path without suffix, which is
    ``rule`` or ``rule/wildcards``: ``s``, ``max_rss`` (MiB; NaN if a job was too short to measure)
    and ``ended``, seconds since 1970. Benchmark files of other studies may remain, so a job counts
    only if one of the `products` in the folder of results has its wildcards.
    """
    # Wildcards of a product: a/b for kind/a/b.zarr.
    made_for = {product.partition("/")[2].rpartition(".")[0] for product in products} | {""}
    rows = [
        {"rule": path.partition("/")[0], **job}
        for path, job in jobs.items()
        if path.partition("/")[2] in made_for
    ]
    table = pd.DataFrame(rows, columns=["rule", "s", "max_rss", "ended"]).groupby("rule")
    measured = {"jobs": ("s", "size"), "total": ("s", "sum"), "longest": ("s", "max")}
    summary = table.agg(**measured, memory=("max_rss", "max"), ended=("ended", "max"))
    return summary.sort_values("total", ascending=False).reset_index()
