# What a run does at its start and end: it starts a server that forks its jobs, shows its progress, and
# says where the results are.
import atexit
import logging
import os

from snakemake.script import PythonScript

from ntkflow.jobs import forks

PAGES = ["results/report.html", "results/claims.html"]
LOGGER = logging.getLogger("snakemake.logging")
SHOWN = []
SERVERS = []


def end_run():
    """Take the bar away and end the server, also at an exit without a hook, which would leave the
    cursor hidden."""
    while SHOWN:
        SHOWN.pop().hide(LOGGER)
    while SERVERS:
        SERVERS.pop().stop()


atexit.register(end_run)


def fork_jobs(jobs):
    """Run scripts in processes forked from one that has imported their libraries, which Snakemake has
    no hook for."""
    place = os.environ.get(forks.PLACE)
    if not place and (server := forks.server_for(jobs)):
        SERVERS.append(server)
        place = server.place
    if place and place != "off":
        PythonScript.execute_script = forks.script_runner(place, PythonScript.execute_script)


onstart:
    # Each job that starts would have all waiting jobs evaluated once per second to the end of the run,
    # a tenth of a study's time, for a limit on rates that one machine does not need.
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None
        fork_jobs(sum(1 for _ in workflow.dag.needrun_jobs()))
    from ntkflow.jobs.display import Display, wanted

    if wanted(LOGGER, workflow.output_settings.quiet or ()):
        SHOWN.append(Display(len(workflow.dag)))
        SHOWN[0].show(LOGGER)


onerror:
    end_run()


onsuccess:
    end_run()
    written = {str(file) for job in workflow.dag.jobs for file in job.output}
    for page in PAGES:
        if page in written:
            LOGGER.info(f"Open {os.path.abspath(page)}")
