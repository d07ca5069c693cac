"""Progress of a run in a terminal: a bar, and each running job with the last line of its log."""

import logging
import os
import sys
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table
from rich.text import Text

from ntkflow.jobs.log import SHOWN

REPLACED = ("job_started", "job_finished", "progress")  # events of Snakemake
STDERR = 2  # file descriptor
ROWS = 12  # running jobs shown
TAIL = 2000  # bytes of a log in which its last line is looked for


class Job(NamedTuple):
    """A job that runs or waits in the queue of a cluster."""

    name: str
    log: Path | None
    started: float  # seconds since the epoch


class Display(logging.Handler):
    """Handler of Snakemake's events that keeps a bar below all that is printed on the terminal.

    While it is shown, standard error is a pipe, whose lines it prints above the bar. The rows of
    running jobs come from their log files, so that jobs of a cluster have them too.
    """

    def __init__(self, total: int) -> None:
        super().__init__()
        self.terminal = os.dup(STDERR)
        self.console = Console(file=os.fdopen(self.terminal, "w", encoding="utf-8"))
        self.jobs: dict[int, Job] = {}
        self.started = time.monotonic()
        self.bar = Progress(
            TextColumn("{task.completed:.0f} of {task.total:.0f} jobs"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[times]}", style="dim"),
            console=self.console,
        )
        self.task = self.bar.add_task("", total=total, times="")
        self.live = Live(
            get_renderable=self.picture,
            console=self.console,
            refresh_per_second=2,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def show(self, logger: logging.Logger) -> None:
        """Draw the bar below the messages of `logger`, and redraw it twice a second."""
        for handler in _on_stderr(logger):
            handler.addFilter(_without_progress)
        logger.addHandler(self)
        os.environ[SHOWN] = "1"
        self.live.start()
        pipe = _redirected(STDERR)
        self.printer = Thread(target=self._print_lines, args=(pipe,), daemon=True)
        self.printer.start()

    def hide(self, logger: logging.Logger) -> None:
        """Take the bar away; what is printed goes to the terminal as before."""
        logger.removeHandler(self)
        for handler in _on_stderr(logger):
            handler.removeFilter(_without_progress)
        os.environ.pop(SHOWN, None)
        os.dup2(self.terminal, STDERR)
        self.printer.join(timeout=1)  # an orphaned process may still hold the pipe
        self.live.stop()

    def emit(self, record: logging.LogRecord) -> None:
        """Follow one event of Snakemake."""
        fields: dict[str, Any] = vars(record)
        match fields.get("event"):
            case "job_info":
                values = (f"{key}={value}" for key, value in fields["wildcards"].items())
                log = Path(fields["log"][0]) if fields["log"] else None
                name = " ".join([fields["rule_name"], *values])
                self.jobs[fields["jobid"]] = Job(name, log, time.time())
            case "job_finished":
                self.jobs.pop(fields["job_id"], None)
            case "job_error":
                self.jobs.pop(fields["jobid"], None)
            case "progress":
                self.bar.update(self.task, completed=fields["done"], total=fields["total"])

    def picture(self) -> Group:
        """The bar above the running jobs."""
        task, elapsed = self.bar.tasks[0], time.monotonic() - self.started
        self.bar.update(self.task, times=times(elapsed, task.completed, task.total or 0))
        rows = Table.grid(padding=(0, 2))
        rows.add_column(justify="right", style="dim", no_wrap=True)
        rows.add_column(no_wrap=True, overflow="ellipsis")
        rows.add_column(no_wrap=True, overflow="ellipsis", style="dim")
        jobs = list(self.jobs.values())
        for job in jobs[:ROWS]:
            rows.add_row(clock(time.time() - job.started), Text(job.name), Text(last_line(job)))
        more = len(jobs) - ROWS
        return Group(self.bar, rows, *([Text(f"and {more} more jobs")] if more > 0 else []))

    def _print_lines(self, pipe: int) -> None:
        with os.fdopen(pipe, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                self.console.print(Text.from_ansi(line.rstrip("\n")), soft_wrap=True)


def wanted(logger: logging.Logger, quiet: Collection[Any]) -> bool:
    """Return True if progress is wanted and messages go to a terminal by standard error."""
    unwanted = {"all", "progress"} & {str(each) for each in quiet} or os.environ.get(
        "TERM"
    ) == "dumb"
    return not unwanted and sys.stderr.isatty() and len(_on_stderr(logger)) == 1


def _on_stderr(logger: logging.Logger) -> list[logging.Handler]:
    return [each for each in logger.handlers if getattr(each, "stream", None) is sys.stderr]


def last_line(job: Job) -> str:
    """Last line that a job has written to its log since it started; empty if there is none."""
    if job.log is None:
        return ""
    with suppress(OSError), job.log.open("rb") as file:
        state = os.fstat(file.fileno())
        if state.st_mtime >= job.started - 1:  # clocks of file systems are coarse
            file.seek(max(0, state.st_size - TAIL))
            lines = file.read().decode(errors="replace").split("\n")
            return next((line.strip() for line in reversed(lines) if line.strip()), "")
    return ""


def times(elapsed: float, done: float, total: float) -> str:
    """Time since the start and, once jobs have finished, the time left at their pace (seconds)."""
    left = f", about {clock(elapsed * (total - done) / done)} left" if done else ""
    return f"{clock(elapsed)}{left}"


def clock(seconds: float) -> str:
    """Minutes and seconds, or hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _without_progress(record: logging.LogRecord) -> bool:
    """Drop the messages that the bar replaces."""
    event = getattr(record, "event", None)
    return event not in REPLACED and record.msg != "Select jobs to execute..."


def _redirected(descriptor: int) -> int:
    """Make a file descriptor the end of a pipe, also for processes started later; the other end."""
    reading, writing = os.pipe()
    os.dup2(writing, descriptor)
    os.close(writing)
    return reading
