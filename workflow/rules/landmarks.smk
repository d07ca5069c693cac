# Regressions with landmarks. Several jobs share the sums over the points (`kernels.jobs`); then one job
# computes sums that are missing, and solves.
rule compute_landmark_share:
    input:
        dataset=stores("dataset"),
        code=code("compute_landmark_share"),
        functions=network_code,
    output:
        done=temp(touch(LANDMARK_SHARE)),
    log:
        "results/logs/compute_landmark_share/{experiment}/count-{number}/{share}.log",
    benchmark:
        "results/benchmarks/compute_landmark_share/{experiment}/count-{number}/{share}.tsv"
    wildcard_constraints:
        share="[0-9]+",
    conda:
        "../../environment.yml"
    threads: landmark_threads
    resources:
        **asked(landmark_request),
        gpu=GPUS,
        # Not a parameter: another number of jobs changes no result.
        shares=landmark_jobs,
    params:
        device=study.device,
        fits=fits_of,
        store=lambda wildcards: store("landmarks/{experiment}/count-{number}").format(**wildcards),
    script:
        "../scripts/compute_landmark_share.py"


rule fit_landmarks:
    input:
        dataset=stores("dataset"),
        shares=landmark_shares,
        code=code("fit_landmarks"),
        functions=network_code,
    output:
        fits=store("landmarks/{experiment}/count-{number}"),
    log:
        "results/logs/fit_landmarks/{experiment}/count-{number}.log",
    benchmark:
        "results/benchmarks/fit_landmarks/{experiment}/count-{number}.tsv"
    conda:
        "../../environment.yml"
    threads: landmark_threads
    resources:
        **asked(landmark_request),
        gpu=GPUS,
    params:
        device=study.device,
        fits=fits_of,
    script:
        "../scripts/fit_landmarks.py"
