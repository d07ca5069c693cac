"""Captions of figures, for the report and for the report of Snakemake."""

from ntkflow.measures.common.experiment import Experiment

EVIDENCE = (
    "Bars are 95 % intervals. Lines and points that belong to one width have its colour. Black "
    "dashed lines are the limit in theory, thick grey ones an expected slope or value."
)


def caption(experiment: Experiment | type[Experiment], statement: str = "") -> dict[str, str]:
    """Title, text and alternative text of a figure; the last is empty for the default figure.

    `statement` replaces that of the experiment, if it is given.
    """
    source = f"{experiment.paper} of {experiment.source}. " if experiment.paper else ""
    return {
        "title": experiment.title or (statement or experiment.statement).rstrip("."),
        "text": experiment.caption or f"{source}{EVIDENCE}",
        "alt": experiment.alt,
    }
