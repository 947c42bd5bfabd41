# Everything runs in .venv; the first target that needs it makes it.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

# Images of containers often set it; every worker process would then compile the harness and its app anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test check bench contracts-proof mutants sample clean docs gate-study leases load maps outcomes setup

demo: $(VENV)/.demo
	$(BIN)/pytest --jobharness scenarios/*.toml

# WITHOUT="tests/explore tests/compare": folders to leave out. Half of the time is waiting, so JOBS files go side by side.
# (5: with --last-failed, nothing had failed.)
JOBS ?= 3
test: $(VENV)/.dev
	$(BIN)/pytest tests --ignore=tests/benchmarks $(foreach folder,$(WITHOUT),--ignore=$(folder)) \
	  --numprocesses $(JOBS) --dist loadfile --timeout 900 $(ARGS) || [ $$? -eq 5 ]

# The fast tier: lint, types, layers and unit tests, with a fifth of the examples that `make test` tries.
check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest tests/unit tests/house -q --numprocesses auto --maxprocesses 4 --hypothesis-profile quick

bench: $(VENV)/.dev
	$(BIN)/pytest tests/benchmarks -q -s --benchmark-columns=median,iqr,rounds

# The run that the README shows: the demo's pair, of which the one that breaks is kept, with its logs cut short, and the summary of both.
SAMPLE := reports/sample
sample: $(VENV)/.demo
	rm -rf build/sample $(SAMPLE)
	mkdir -p build/sample $(SAMPLE)/logs
	COLUMNS=120 $(BIN)/pytest --jobharness scenarios/worker_killed.toml scenarios/worker_killed_hardened.toml \
	  --jobharness-reports build/sample > build/sample/output.txt || { cat build/sample/output.txt; exit 1; }
	sed -n -e '/^scenario  /,/^Reports/{/^Reports/!p}' -e '/^Before and after/,/^measured/{/^measured/!p}' build/sample/output.txt > $(SAMPLE)/summary.txt
	cd build/sample/*-worker-killed-????/ && cp *.json plan.jsonl history.parquet $(CURDIR)/$(SAMPLE) && \
	  for log in logs/*.log; do tail -n 40 $$log | sed 's|$(CURDIR)/||g' > $(CURDIR)/$(SAMPLE)/$$log; done
	find $(SAMPLE)/logs -empty -type f -delete
	$(BIN)/jobharness report $(SAMPLE)
	$(BIN)/python docs/generate.py

# A worker killed mid-job on every pair, or on those of PAIRS="celery on redis": docs/outcomes.md. Takes minutes a pair.
outcomes: $(VENV)/.dev
	$(BIN)/python docs/outcomes.py $(if $(PAIRS),"$(PAIRS)")

# The crash map of every pair, or of those of PAIRS="celery on redis": docs/maps.md. Takes about a minute a pair.
maps: $(VENV)/.dev
	$(BIN)/python docs/maps.py $(if $(PAIRS),"$(PAIRS)")

# The lease proof of every pair, or of those of PAIRS="celery on redis": docs/leases.md. Takes about a minute a pair.
leases: $(VENV)/.dev
	$(BIN)/python docs/leases.py $(if $(PAIRS),"$(PAIRS)")

# A thousand violations planted for each contract, and every contract against its oracle on a thousand histories: docs/contracts.md.
# Takes half an hour.
contracts-proof: $(VENV)/.dev
	$(BIN)/python -m tests.proof 1000
	ORACLE_EXAMPLES=1000 $(BIN)/pytest tests/unit/contracts/test_oracles.py -q

# How many small changes to the contracts the tests notice: of so many mutants, chosen by lot (all of them: some hours).
SAMPLE_OF_MUTANTS ?= 700
SEED_OF_MUTANTS ?= 3
mutants: $(VENV)/.dev
	$(BIN)/pip install --quiet 'mutmut>=3.8'
	$(BIN)/python -m tests.mutants $(SAMPLE_OF_MUTANTS) $(SEED_OF_MUTANTS)

# Is the gate honest? Records runs of one version and of a slower one, and writes what the gate said: docs/gate-study.md. Half an hour or
# more; what was recorded is kept, and added to.
ROUNDS ?= 120
gate-study: $(VENV)/.dev
	STUDY_FIRST=-15 $(BIN)/python -m tests.study.record build/study/pool.jsonl $(ROUNDS)
	$(BIN)/python -m tests.study.judge build/study/pool.jsonl docs/gate-study.md

# Ten minutes of load with everything that the checkout's scenario has: docs/staging.md.
load: $(VENV)/.dev
	rm -rf build/load
	$(BIN)/jobharness load scenarios/staging/checkout.toml --workers 4 --reports build/load
	$(BIN)/python docs/load.py build/load/*-checkout-*

# What the documentation takes from the code.
docs: $(VENV)/.demo
	$(BIN)/python docs/generate.py

setup: $(VENV)/.dev

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "jobharness needs Python 3.11 or newer; $(PYTHON) is older. Try: make demo PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)

# uv installs in seconds what takes pip minutes; pip does it where uv cannot be had, or does not know of the index that pip was told of,
# and says what is wrong where neither can. Like pip, uv is to trust the machine's certificates.
$(VENV)/.uv: | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip uv || $(BIN)/python -m pip install --quiet --upgrade pip
	@touch $@

INSTALL = install() { \
	  UV_SYSTEM_CERTS=true $(BIN)/uv pip install --quiet --python $(BIN)/python "$$@" 2> /dev/null || $(BIN)/python -m pip install --quiet "$$@"; }; install

$(VENV)/.demo: pyproject.toml | $(VENV)/.uv
	@$(INSTALL) --editable '.[demo]'
	@touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.demo
	@$(INSTALL) --group dev
	@touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .benchmarks
