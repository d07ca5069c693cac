"""The table of claims as a page of HTML: works from a file, without a network or a script."""

import pandas as pd

from ntkflow.pages.rendering import by_experiment, render, verdict_counts

__all__ = ["page"]


def page(table: pd.DataFrame) -> str:
    """The table as a page of HTML, whose links are relative to the folder of results."""
    claims = by_experiment(table)
    return render("claims.html.jinja", claims=claims, counts=verdict_counts(claims))
