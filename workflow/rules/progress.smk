# What a run shows in a terminal while it works, and where it says that the results are.
import atexit
import logging

PAGES = ["results/report.html", "results/claims.html"]
LOGGER = logging.getLogger("snakemake.logging")
SHOWN = []


def hide_progress():
    """Take the bar away, also at an exit without a hook, which would leave the cursor hidden."""
    while SHOWN:
        SHOWN.pop().hide(LOGGER)


atexit.register(hide_progress)


onstart:
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
