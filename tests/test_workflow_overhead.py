"""The benchmark of planning and starting, at its smallest."""

import pytest

from benchmarks.workflow_overhead import SCRIPTS, main


@pytest.mark.slow
def test_plans_and_starts_are_timed(capsys):
    main(["--jobs", "40", "--repeats", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("plan of    40 jobs ")
    assert len(lines) == 2 + len(SCRIPTS)
    assert all(float(line.split()[-2]) > 0 for line in lines)
