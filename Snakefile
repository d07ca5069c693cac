# Entry from this folder: snakemake --cores all. The workflow in workflow/ is used as a module, as in a
# deployment by snakedeploy.


# The study; `--configfile` merges another file over it. The path does not depend on --directory.
configfile: f"{workflow.basedir}/config/config.yaml"


module ntkflow:
    snakefile:
        "workflow/Snakefile"
    config:
        config


use rule * from ntkflow


# Snakemake ignores the hooks of modules.
include: "workflow/rules/hooks.smk"
