import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from ntkflow.jobs.display import TAIL, Job, clock, last_line, times
from ntkflow.jobs.log import SHOWN

HIDDEN, VISIBLE = "\x1b[?25l", "\x1b[?25h"  # of the cursor
ROOT = Path(__file__).parents[2]

WORKFLOW = f"""
import os

rule page:
    input: "results/a", "results/b"
    output: "results/report.html"
    shell: "touch {{output}}"

rule compute:
    output: "results/{{name}}"
    log: "results/{{name}}.log"
    shell:
        "echo step 7 of 9 > {{log}}; "
        "echo line from {{wildcards.name}} in \\"'${{{{{SHOWN}-}}}}'\\" >&2; "
        "sleep 1.2; echo END; touch {{output}}"

include: "{ROOT}/workflow/rules/hooks.smk"
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "Snakefile").write_text(WORKFLOW)
    return tmp_path


def snakemake(*arguments):
    return [sys.executable, "-m", "snakemake", "--cores=1", "--quiet=rules", *arguments]


def environment():
    found = {key: value for key, value in os.environ.items() if key not in ("TERM", SHOWN)}
    return {**found, "PYTHONPATH": str(ROOT), "TERM": "xterm"}


def in_terminal(folder, *arguments):
    """Status of a run and what its terminal of 100 columns received."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    files = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    process = subprocess.Popen(snakemake(*arguments), cwd=folder, env=environment(), **files)
    os.close(theirs)
    received = b""
    while True:
        try:
            received += os.read(ours, 65536)
        except OSError:  # the terminal is closed
            break
    os.close(ours)
    return process.wait(), received.decode()


def test_terminal_shows_share_of_jobs_and_what_runs(folder):
    status, shown = in_terminal(folder)
    assert status == 0
    assert "1 of 3 jobs" in shown
    assert "left" in shown
    assert "compute name=a" in shown
    assert "step 7 of 9" in shown
    # Lines of jobs are whole, above the bar; what the bar shows is not printed as well.
    assert "line from a in '1'" in shown
    assert "line from b in '1'" in shown
    assert "steps (" not in shown
    assert "Finished jobid" not in shown
    assert f"Open {folder}/results/report.html" in shown
    assert shown.rindex(VISIBLE) > shown.rindex(HIDDEN)  # the cursor is visible again


@pytest.mark.slow
def test_terminal_after_a_failure(folder):
    (folder / "Snakefile").write_text(WORKFLOW.replace("echo END", "exit 3"))
    status, shown = in_terminal(folder)
    assert status == 1
    assert "line from a in '1'" in shown or "line from b in '1'" in shown  # the first that runs
    assert "a job execution failed" in shown
    assert "Open" not in shown
    assert shown.rindex(VISIBLE) > shown.rindex(HIDDEN)


@pytest.mark.slow
def test_plain_lines_without_a_terminal(folder):
    run = subprocess.run(
        snakemake(), cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    assert run.returncode == 0
    assert "1 of 3 steps (33%) done" in run.stderr
    check_plain(run.stderr, folder)


@pytest.mark.slow
def test_no_bar_if_progress_is_not_wanted(folder):
    status, shown = in_terminal(folder, "--quiet=progress")
    assert status == 0
    check_plain(shown, folder)


def check_plain(shown, folder):
    assert "line from a in ''" in shown  # jobs print their own lines
    assert f"Open {folder}/results/report.html" in shown
    assert HIDDEN not in shown
    assert "step 7 of 9" not in shown


def test_last_line_of_a_log(tmp_path):
    log = tmp_path / "log"
    assert last_line(Job("a", None, 0.0)) == last_line(Job("a", log, 0.0)) == ""
    log.write_text(f"first\n{'x' * TAIL}\nlast line\n\n")
    assert last_line(Job("a", log, 0.0)) == "last line"
    assert last_line(Job("a", log, log.stat().st_mtime + 60)) == ""  # of an earlier run


def test_times():
    assert clock(59.6) == "1:00"
    assert clock(3661) == "1:01:01"
    assert times(10, 0, 5) == "0:10"
    assert times(60, 20, 80) == "1:00, about 3:00 left"
