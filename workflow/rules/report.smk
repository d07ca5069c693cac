# A run as one page. It tells timings, so two runs differ in it, and it is in no record of products.


rule render_report:
    input:
        figures=[file for file in FIGURES if not file.endswith(".pdf")],
        statistics=[store(f"statistics/{name}") for name in study.selected],
        claims=[file for file in TABLES if file.endswith(".json")],
        configuration=rules.record_provenance.output.configuration,
        provenance=rules.record_provenance.output.provenance,
        code=package_sources("render_report.py"),
    output:
        report="results/report.html",
    log:
        "results/logs/render_report.log",
    benchmark:
        "results/benchmarks/render_report.tsv"
    conda:
        "../../environment.yml"
    params:
        captions={name: caption(name) for name in study.selected},
    script:
        "../scripts/render_report.py"
