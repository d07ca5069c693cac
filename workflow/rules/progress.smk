# What a run does at its start and end: it shows its progress, and says where the results are.
import atexit
import logging
import os

PAGES = ["results/report.html", "results/claims.html"]
LOGGER = logging.getLogger("snakemake.logging")
SHOWN = []


def hide_progress():
    """Take the bar away, also at an exit without a hook, which would leave the cursor hidden."""
    while SHOWN:
        SHOWN.pop().hide(LOGGER)


atexit.register(hide_progress)


onstart:
    # Each job that starts would have all waiting jobs evaluated once per second to the end of the run,
    # a tenth of a study's time, for a limit on rates that one machine does not need.
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None
    from ntkflow.jobs.display import Display, wanted

    if wanted(LOGGER, workflow.output_settings.quiet or ()):
        SHOWN.append(Display(len(workflow.dag)))
        SHOWN[0].show(LOGGER)


onerror:
    hide_progress()


onsuccess:
    hide_progress()
    written = {str(file) for job in workflow.dag.jobs for file in job.output}
    for page in PAGES:
        if page in written:
            LOGGER.info(f"Open {os.path.abspath(page)}")
