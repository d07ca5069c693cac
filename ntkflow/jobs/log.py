"""Log and errors of a job."""

import errno
import logging
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from ntkflow.extras import require
from ntkflow.jobs.provenance import job_name

EXTRAS = ("diffrax", "matplotlib", "orbax", "pooch", "rich", "rocrate", "sklearn")
"""Libraries that this package imports and only the extra `workflow` installs."""

SHOWN = "NTKFLOW_PROGRESS_SHOWN"
"""Environment variable, set if the run shows the last line of each log; jobs print none then."""

LOG = logging.getLogger("ntkflow")
progress: Callable[[str], None] = LOG.info  # one line, to the terminal and the log


def run(main: Callable[[Any], None], smk: Any) -> None:
    """Call the `main` of a script and log it; print an error on one line of the terminal.

    Each job needs the whole extra `workflow`, so that a study without it ends at its first job.
    The log file contains the traceback, and the process exits with status 1. On a full disk the
    log may be incomplete, but the terminal shows the line.
    """
    job = job_name(smk)
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setFormatter(logging.Formatter(f"{job}: %(message)s"))
    terminal.addFilter(_SparseProgress())
    if SHOWN in os.environ:
        terminal.setLevel(logging.WARNING)
    try:
        file: logging.Handler = _LogFile(str(smk.log[0]), mode="w", encoding="utf-8")
    except OSError as error:
        sys.exit(f"{job}: {smk.log[0]}: the log cannot be written ({error.strerror})")
    logging.basicConfig(
        level=logging.INFO, format="%(message)s", handlers=[terminal, file], force=True
    )
    for library in ("jax", "absl", "fontTools"):  # Orbax logs to the second
        logging.getLogger(library).setLevel(logging.WARNING)
    try:
        require("workflow", *EXTRAS)
        main(smk)
    except Exception as error:
        file.emit(logging.LogRecord("", logging.ERROR, "", 0, job, None, sys.exc_info()))
        LOG.error("%s", _explained(error, smk))
        sys.exit(1)


class _LogFile(logging.FileHandler):
    """Log file that drops lines when the disk is full."""

    def handleError(self, record: logging.LogRecord) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


def _explained(error: Exception, smk: Any) -> str:
    """Message with a remedy if the disk or the memory is full; else the message of the error."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        place = error.filename or ", ".join(map(str, smk.output))
        return f"{place}: no space left on the disk ({error.strerror}); free some and run again"
    first = str(error).partition("\n")[0]
    if isinstance(error, MemoryError) or first.startswith("RESOURCE_EXHAUSTED"):
        return (
            f"out of memory ({first}); run fewer jobs at a time (--cores 1), or lower the samples "
            "of the data set, the widths, kernels.memory or training_memory"
        )
    return str(error)


class _SparseProgress(logging.Filter):
    """Pass one line of progress every few seconds, and all warnings and errors."""

    interval = 5.0  # seconds

    def __init__(self) -> None:
        super().__init__()
        self.last = time.monotonic()

    def filter(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        if record.levelno == logging.INFO and now - self.last < self.interval:
            return False
        self.last = now
        return True
