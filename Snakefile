# From a configuration to the measurements and figures of the neural tangent kernel.
from snakemake.utils import min_version

min_version("9.0")


# The study; `--configfile` lays another file over it. Found beside this file from any --directory.
configfile: f"{workflow.basedir}/config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/limiting.smk"
include: "workflow/rules/finite_width.smk"
include: "workflow/rules/statistics.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/claims.smk"


rule all:
    default_target: True
    input:
        PRODUCTS,
        FIGURES,
        TABLES,


rule figures:
    input:
        FIGURES,


rule claims:
    input:
        TABLES,
