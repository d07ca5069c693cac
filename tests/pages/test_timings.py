"""Times of jobs, added up by rule."""

import math

import pytest

from ntkflow.pages.rendering import duration, memory
from ntkflow.pages.timings import summarise

PRODUCTS = ["ensembles/a/width-8.zarr", "ensembles/a/width-16.zarr", "limiting/points/tanh.zarr"]


def test_one_row_a_rule_the_longest_first():
    jobs = {
        "compute/points/tanh": {"s": 5.0, "max_rss": 100.0},
        "train/a/width-8": {"s": 2.0, "max_rss": 10.0},
        "train/a/width-16": {"s": 4.0, "max_rss": math.nan},
        "record": {"s": 1.0, "max_rss": 1.0},
    }
    assert summarise(jobs, PRODUCTS).to_dict("records") == [
        {"rule": "train", "jobs": 2, "total": 6.0, "longest": 4.0, "memory": 10.0},
        {"rule": "compute", "jobs": 1, "total": 5.0, "longest": 5.0, "memory": 100.0},
        {"rule": "record", "jobs": 1, "total": 1.0, "longest": 1.0, "memory": 1.0},
    ]


def test_jobs_of_another_study_do_not_count():
    jobs = {"train/a/width-32": {"s": 2.0, "max_rss": 10.0}, "plot/b": {"s": 2.0, "max_rss": 1.0}}
    assert summarise(jobs, PRODUCTS).empty


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.7, "1 min 0 s"), (3725, "1 h 2 min")],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("mebibytes", "text"), [(512.4, "512 MiB"), (1536, "1.5 GiB"), (math.nan, "–")]
)
def test_memory(mebibytes, text):
    assert memory(mebibytes) == text
