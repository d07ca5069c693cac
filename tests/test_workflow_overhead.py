"""The benchmark of planning, at its smallest."""

import pytest

from benchmarks.workflow_overhead import main


@pytest.mark.slow
def test_plans_are_timed(capsys):
    main(["--jobs", "40", "--repeats", "1"])
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("plan of    40 jobs ")
    assert float(line.split()[-2]) > 0
