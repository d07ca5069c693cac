"""Snakemake that asks Slurm for the states of its jobs every second, for tests.

Its plugin waits 10 s longer after each answer without news: on a node of two cores, where most jobs
take a few seconds, that is nine tenths of the time of a study. And an interrupted run cancels all
of its jobs: Snakemake's list of them is empty while it asks for their states, so that one in a few
interruptions would cancel nothing here. Nothing else differs.
"""

import signal

from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

RemoteExecutor.next_seconds_between_status_checks = property(
    lambda self: 1.0, lambda self, seconds: None
)


def cancel(executor: RemoteExecutor) -> None:
    """Wait for submissions and for the last answer, then cancel the jobs that are left."""
    executor.shutdown()
    executor.cancel_jobs(list(executor.active_jobs))


RemoteExecutor.cancel = cancel
# Shells start commands in the background with the signal ignored, and tests interrupt runs with it.
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
