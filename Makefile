# make figures   regenerate every table and figure into figures/
# make studies   what the paper leaves out: misalignment and labels, then the claims again
# make site      the executed notebooks, results and docs as pages to browse, in build/site
# make env       set up .venv alone: all others do so first
# make test      style, types, unit tests, widgets, faults and clusters, notebooks
# make unit      the unit tests alone
# make lint      style, types, and who may import whom, alone
# make bench     how fast, against named baselines; see tests/benchmarks/README.md
# make torture   kills and broken files; see tests/README.md
# make lock      pin the dependencies anew after a change in pyproject.toml
# make clean     remove the environment and all that was built; rendered sets and runs stay
#
# All but `clean` set up .venv first, once.  Needed: Python 3.11, make, git.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/ready

.PHONY: env figures studies site test unit lint bench torture lock clean

env: $(READY)

figures: $(READY)
	$(BIN)/ssn3d figures

studies: $(READY)
	$(BIN)/ssn3d figures 08 11

site: $(READY)
	$(BIN)/python docs/build.py build/site
	@echo build/site/index.html

test: $(READY)
	@start=$$(date +%s) && $(MAKE) --no-print-directory lint \
	&& echo "== unit tests" && $(MAKE) --no-print-directory unit \
	&& echo "== widgets in a browser" && $(BIN)/python -m pytest tests/browser \
	&& echo "== faults, clusters, repeatability" && $(BIN)/python -m pytest tests/processes \
	&& echo "== notebooks, at smoke scale" && $(BIN)/python -m pytest tests/notebooks \
	&& echo "== all is well after $$(( $$(date +%s) - start )) seconds"

unit: $(READY)
	$(BIN)/python -m pytest tests $(addprefix --ignore tests/,browser notebooks processes)

lint: $(READY)
	@echo "== style, types, imports"
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache

bench: $(READY)
	@for script in tests/benchmarks/bench_*.py; do \
		$(BIN)/python -m tests.benchmarks.$$(basename $$script .py) || exit 1; done

torture: $(READY)
	@start=$$(date +%s) && for script in kill faults fuzz; do \
		$(BIN)/python -m tests.torture.$$script || exit 1; done \
	&& echo "== unbroken after $$(( $$(date +%s) - start )) seconds"

# The lock names every file's digest; uv, which installs it, is the first thing taken from it.
# Compiled at once: wherever Python may not write, every process would compile torch anew, 5 seconds.
$(READY): requirements.lock pyproject.toml
	@echo "== setting up .venv (about 5 GB, once)"
	$(PYTHON) -m venv .venv
	sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > .venv/uv.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	-$(BIN)/python -m compileall -q -j 0 .venv/lib > .venv/compiled.log 2>&1
	touch $(READY)

lock: $(READY)
	$(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-annotate \
		--python-version 3.11 --extra notebooks --extra test --extra site --extra timm --extra imagenet \
		-o requirements.lock pyproject.toml
	sed -n 's/^\([^ ]*==[^ ]*\) .*/\1/p' requirements.lock > constraints.txt

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
