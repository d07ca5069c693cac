# The entry from this folder: snakemake --cores all. The workflow is in workflow/ and is used here as
# it is elsewhere, by snakedeploy: as a module.


# The study; `--configfile` lays another file over it. Found beside this file from any --directory.
configfile: f"{workflow.basedir}/config/config.yaml"


module ntkflow:
    snakefile:
        "workflow/Snakefile"
    config:
        config


use rule * from ntkflow
