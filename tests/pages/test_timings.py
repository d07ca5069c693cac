"""Times of jobs, added up by rule."""

import math

import pytest

from ntkflow.pages.rendering import duration, memory
from ntkflow.pages.timings import summarise

PRODUCTS = ["ensembles/a/width-8.zarr", "ensembles/a/width-16.zarr", "limiting/points/tanh.zarr"]


def job(seconds, memory, ended=0.0):
    return {"s": seconds, "max_rss": memory, "ended": ended}


def test_one_row_a_rule_the_longest_first():
    jobs = {
        "compute/points/tanh": job(5.0, 100.0),
        "train/a/width-8": job(2.0, 10.0, ended=9.0),
        "train/a/width-16": job(4.0, math.nan, ended=7.0),
        "record": job(1.0, 1.0),
    }
    table = summarise(jobs, PRODUCTS)
    assert table.values.tolist() == [
        ["train", 2, 6.0, 4.0, 10.0, 9.0],
        ["compute", 1, 5.0, 5.0, 100.0, 0.0],
        ["record", 1, 1.0, 1.0, 1.0, 0.0],
    ]
    assert table.columns.tolist() == ["rule", "jobs", "total", "longest", "memory", "ended"]


def test_jobs_of_another_study_do_not_count():
    assert summarise({"train/a/width-32": job(2.0, 1.0), "plot/b": job(2.0, 1.0)}, PRODUCTS).empty


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
