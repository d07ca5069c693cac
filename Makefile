# Targets of ntkflow; CI calls only these. GNU make 3.81 (macOS) is sufficient.
#
#   make TARGET CORES=4        use four cores for a workflow (default: all)
#   make TARGET CONFIG=my.yaml merge a configuration over the study; several: CONFIG="a.yaml b.yaml"
#   make TARGET ARGS="..."     pass further arguments to the command of the target
#   make PYTHON=/path TARGET   choose the Python for .venv

CORES ?= all
CONFIG :=
VENV := .venv
BIN := $(VENV)/bin
LOCKED := $(VENV)/.locked-requirements
READY := $(VENV)/.ready
PYTHON_CANDIDATES := $(if $(PYTHON),$(PYTHON),python3.13 python3.12 python3.11 python3)
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input

# Arguments of snakemake, with one --configfile flag. Snakemake reads only the last of several flags, so
# files of CONFIG and ARGS join those of $(1). The flag precedes others, which end its list.
given = $(patsubst --configfiles%,--configfile%,$(ARGS))
others = $(filter-out --configfile=%,$(given))
files = $(strip $(1) $(CONFIG) $(patsubst --configfile=%,%,$(filter --configfile=%,$(given))))
flag = $(if $(files),--configfile $(files))
options = $(if $(filter --configfile,$(others)),,$(flag)) --cores $(CORES)
arguments = $(strip $(options) $(2) $(patsubst --configfile,--configfile $(files),$(others)))

.PHONY: help environment figures claims smoke paper verify compare crate reference test lint audit \
	bench benchworkflow benchkernels benchempirical benchtraining benchcoverage benchestimators \
	benchgradients benchlandmarks benchcurves benchgrowth benchscale benchaccelerators mutations \
	lock newest oldest schema public gallery diagrams docs report clean
.DELETE_ON_ERROR:

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-17s %s\n", $$1, $$2}' Makefile
	@sed -n '/^#   make /s/^#   //p' Makefile

figures: $(READY) ## run the study of config/config.yaml into results/
	$(BIN)/snakemake $(arguments)

claims: $(READY) ## compute only the table of claims, results/claims.html
	$(BIN)/snakemake $(call arguments,,claims)

report: $(READY) ## write the run as one page, results/report.html
	$(BIN)/snakemake $(call arguments,,report)

smoke: $(READY) ## run the same workflow on tiny networks into results/smoke/results/
	$(BIN)/snakemake $(call arguments,config/smoke.yaml,--directory results/smoke)

paper: $(READY) ## run the paper's experiments at their own size into results/paper/results/
	$(BIN)/snakemake $(call arguments,config/paper.yaml,--directory results/paper)

verify: $(READY) ## compare results/ with the published reference; ARGS names another folder
	$(BIN)/python -m ntkflow.verification $(ARGS)

compare: $(READY) ## write two runs side by side, build/compare.html; ARGS="FOLDER FOLDER"
	$(BIN)/python -m ntkflow.verification.runs $(ARGS)

crate: $(READY) ## package results/ and the code as build/run.crate.zip, to deposit; ARGS=--help
	$(BIN)/python -m ntkflow.verification.crate $(ARGS)

reference: $(READY) ## publish results/ as references/default.json, or ARGS="FOLDER --write FILE"
	$(BIN)/python -m ntkflow.verification $(or $(ARGS),results --write references/default.json)

test: $(READY) ## run the tests; ARGS=--slow adds the slow tests
	$(BIN)/python -m pytest --numprocesses=auto --dist=loadfile --no-loadscope-reorder $(ARGS)

lint: $(READY) ## check style, formatting, types and imports of Python, and style of Snakemake
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

audit: $(READY) ## list known vulnerabilities of the locked requirements; needs the network
	$(BIN)/python .ci/audit.py $(ARGS)

bench: $(READY) ## run the study in a temporary folder and print where its time goes
	$(BIN)/python benchmarks/rule_times.py $(ARGS)

benchworkflow: $(READY) ## time planning
	$(BIN)/python benchmarks/workflow_overhead.py $(ARGS)

benchkernels: $(READY) ## time limiting kernels; ARGS="--make-peer DIR" adds neural-tangents
	$(BIN)/python benchmarks/limiting_kernels.py $(ARGS)

benchempirical: $(READY) ## time the empirical NTK; ARGS="--peer PYTHON" adds neural-tangents
	$(BIN)/python benchmarks/empirical_ntk.py $(ARGS)

benchtraining: $(READY) ## time training; ARGS="--torch PYTHON" adds PyTorch
	$(BIN)/python benchmarks/training.py $(ARGS)

benchcoverage: $(READY) ## measure how often the intervals of claims cover
	$(BIN)/python -m benchmarks.coverage $(ARGS)

benchestimators: $(READY) ## compare the estimators for scikit-learn with other methods
	$(BIN)/python benchmarks/estimators.py $(ARGS)

benchgradients: $(READY) ## time limiting kernels with their gradients
	$(BIN)/python benchmarks/gradients.py $(ARGS)

benchlandmarks: $(READY) ## time regression with landmarks; ARGS=--digits beside the dense solution
	$(BIN)/python -m benchmarks.landmarks $(ARGS)

benchcurves: $(READY) ## draw learning curves up to a million points beside their theory
	$(BIN)/python -m benchmarks.landmark_curves $(ARGS)

benchgrowth: $(READY) ## draw the cost per kernel entry against the number of points, to a million
	$(BIN)/python -m benchmarks.growth $(ARGS)

benchscale: $(READY) ## predict the cost of 10^9 points from rates measured here, in a few minutes
	$(BIN)/python -m benchmarks.scale $(ARGS)

benchaccelerators: $(READY) ## time the package on a GPU; ARGS=FOLDER gets rows and tables
	$(BIN)/python benchmarks/accelerators.py $(ARGS)

mutations: $(READY) ## find the smallest errors of the theory that each claim of results/ detects
	$(BIN)/python -m ntkflow.verification.mutations $(ARGS)

lock: $(READY) ## write requirements.lock, and its versions into environment.yml; ARGS=--upgrade
	$(BIN)/uv pip compile --universal --generate-hashes --fork-strategy fewest \
		--python-version 3.11 --extra workflow --group dev --custom-compile-command "make lock" \
		--output-file requirements.lock --quiet $(ARGS) pyproject.toml
	$(BIN)/python .ci/pins.py

newest: $(READY) ## run fast tests with the newest releases and the newest Python; needs the network
	$(BIN)/python .ci/releases.py $(ARGS)

oldest: $(READY) ## run fast tests with the oldest releases that pyproject.toml allows
	$(BIN)/python .ci/releases.py --oldest $(ARGS)

schema: $(READY) ## write the schema, docs/configuration.md and docs/stores.md from the code
	$(BIN)/python -m ntkflow.configuration > workflow/schemas/config.schema.yaml
	$(BIN)/python -m ntkflow.configuration.tables > docs/configuration.md
	$(BIN)/python -m ntkflow.pages.stores > docs/stores.md

public: $(READY) ## write tests/public.txt, the public interface, from the code
	$(BIN)/python -m tests.public > tests/public.txt

gallery: $(READY) ## copy the figures of docs/gallery.md from results/, after make figures
	$(BIN)/python docs/gallery.py

diagrams: $(READY) ## draw the diagrams of the pages for the site; needs the network
	$(BIN)/python -m docs.diagrams

# A notebook of the site opens results of the quick start, whose study is the YAML of its page.
docs: $(READY) ## build the documentation site, build/site/index.html
	@mkdir -p build/quick_start
	@sed -n '/^```yaml$$/,/^```$$/{//!p;}' docs/tutorials/quick_start.md > build/quick_start/study.yaml
	$(BIN)/snakemake --cores $(CORES) --directory build/quick_start \
		--configfile build/quick_start/study.yaml -- results/statistics/my_circle.zarr/zarr.json
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet --conf-dir docs \
		--doctree-dir build/pages $(ARGS) . build/site

clean: ## remove all results and caches; the environment stays
	rm -rf results build .snakemake .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache

environment: $(READY) ## create .venv with the locked requirements and this package

# Each stamp is written last, so that an interrupted set-up starts again.
# Everything installed is checked against the lock. setuptools is installed first, because one
# requirement (connection-pool, of Snakemake) exists only as source. Without build isolation, pip
# builds it with the installed setuptools instead of downloading one that is not locked.
$(LOCKED): requirements.lock
	@python=; for candidate in $(PYTHON_CANDIDATES); do \
		if "$$candidate" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' \
			2>/dev/null; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo "make: none of '$(PYTHON_CANDIDATES)' is a Python of version 3.11 or later that" \
			"can make virtual environments."; \
		echo "Install one (Debian, Ubuntu: apt install python3-venv; macOS: brew install" \
			"python@3.13) or name it: make PYTHON=/path/to/python3.13 ..."; \
		exit 1; \
	fi >&2; \
	echo "Creating $(VENV) from $$python and installing requirements.lock," \
		"once, a minute or two"; \
	"$$python" -m venv --clear $(VENV)
	@sed -n '/^setuptools==/,/^    # /p' requirements.lock > $(VENV)/setuptools.lock
	@$(PIP) install --quiet --require-hashes --requirement $(VENV)/setuptools.lock
	$(PIP) install --require-hashes --no-build-isolation --use-pep517 \
		--requirement requirements.lock
	@touch $@

$(READY): $(LOCKED) pyproject.toml
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
