"""Snakemake that asks Slurm for the states of its jobs every second, for tests.

Its plugin waits 10 s longer after each answer without news: on a node of two cores, where most jobs
take a few seconds, that is nine tenths of the time of a study. Nothing else differs.
"""

import signal

from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

RemoteExecutor.next_seconds_between_status_checks = property(
    lambda self: 1.0, lambda self, seconds: None
)
# Shells start commands in the background with the signal ignored, and tests interrupt runs with it.
signal.signal(signal.SIGINT, signal.default_int_handler)
main()
