"""Table of claims as a page of HTML that works from a file, without network or scripts."""

import pandas as pd

from ntkflow.pages.rendering import by_experiment, render, verdict_counts


def page(table: pd.DataFrame) -> str:
    """Table of claims in HTML, with links relative to the folder of results."""
    claims = by_experiment(table)
    return render("claims.html.jinja", claims=claims, counts=verdict_counts(claims))
