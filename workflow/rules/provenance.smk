# What a run leaves so that it can be repeated and compared.
import json


rule record_provenance:
    input:
        products=[*PRODUCTS, *FIGURES, *TABLES],
        code=package_sources("record_provenance.py"),
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
        # As text, in one order: what has the same keys and values is the same.
        configuration=json.dumps({**config, "run": list(study.selected)}, sort_keys=True),
        packages=runtime.installed_packages(),
    script:
        "../scripts/record_provenance.py"
