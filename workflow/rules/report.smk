# Table of claims, record of the run, and report.
import json

from ntkflow.jobs.provenance import installed_packages

PRODUCTS = sorted({file for name in study.selected for file in products_of(name)})
FIGURES = [file for name in study.selected for file in figure_files(name)]
CLAIMED = [name for name, experiment in study.selected.items() if experiment.paper]
TABLES = multiext("results/claims", ".csv", ".json", ".html") if CLAIMED else []


rule tabulate_claims:
    input:
        statistics=[store(f"statistics/{name}") for name in CLAIMED],
        figures=[f"results/figures/{name}.png" for name in CLAIMED],
        code=code(
            "tabulate_claims",
            lambda _: sorted(
                f"ntkflow.measures.{study.experiments[name].measure}.measure" for name in CLAIMED
            ),
        ),
    output:
        csv="results/claims.csv",
        json="results/claims.json",
        html=report("results/claims.html", caption="../report/claims.rst", category="Claims"),
    log:
        "results/logs/tabulate_claims.log",
    benchmark:
        "results/benchmarks/tabulate_claims.tsv"
    conda:
        "../../environment.yml"
    params:
        labels=[labels_of(name) for name in CLAIMED],
        measures=[study.experiments[name].measure for name in CLAIMED],
    script:
        "../scripts/tabulate_claims.py"


rule record_provenance:
    input:
        products=[*PRODUCTS, *FIGURES, *TABLES],
        code=code("record_provenance"),
    output:
        configuration="results/configuration.yaml",
        provenance="results/provenance.json",
    log:
        "results/logs/record_provenance.log",
    benchmark:
        "results/benchmarks/record_provenance.tsv"
    conda:
        "../../environment.yml"
    params:
        # Text with sorted keys, so that equal configurations are equal parameters.
        configuration=json.dumps(recorded_configuration(), sort_keys=True),
        packages=installed_packages(),
    script:
        "../scripts/record_provenance.py"


# The page contains timings that differ between runs, so no record of products includes it.
rule render_report:
    input:
        figures=[file for file in FIGURES if not file.endswith(".pdf")],
        statistics=[store(f"statistics/{name}") for name in study.selected],
        claims=[file for file in TABLES if file.endswith(".json")],
        configuration=rules.record_provenance.output.configuration,
        provenance=rules.record_provenance.output.provenance,
        code=code("render_report"),
    output:
        report="results/report.html",
    log:
        "results/logs/render_report.log",
    benchmark:
        "results/benchmarks/render_report.tsv"
    conda:
        "../../environment.yml"
    params:
        captions={name: caption_of(name) for name in study.selected},
    script:
        "../scripts/render_report.py"
