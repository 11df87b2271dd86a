# Every target sets itself up: `.venv` is made when it is missing or when the dependencies changed.
# Needs python3 (3.11 or newer) with venv, and make; nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
# The pinned files are complete, so nothing is resolved again; errors alone are worth showing.
PIP_INSTALL := $(PY) -m pip install -qq --no-input --disable-pip-version-check --no-deps

# Stamps: what the service needs, and what tests, linters and benchmarks need on top.
RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev

CODE := $(wildcard bot tests bench)

# What is compiled is kept, whatever the shell says: else each process of the suite compiles all tests anew.
export PYTHONDONTWRITEBYTECODE :=

# A file's tests stay together, because they share what is dear to set up.
PARALLEL := -n auto --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help demo run test test-fast test-deep coverage lint bench bench-page bench-excerpts pictures real-input requirements clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: $(RUNTIME) ## The whole product without a GitHub account (ARGS="--once --json")
	@$(PY) -m bot demo $(ARGS)

# A random SECRET_KEY is added to .env where none is set: the set-up page needs one.
run: $(RUNTIME) ## The service on SQLite (ARGS="--port 9000")
	@$(PY) -m bot.setup.env_file
	@$(PY) -m bot serve $(ARGS)

test: $(DEV) ## The whole suite on SQLite and PostgreSQL (ARGS="-k name")
	@$(PY) -m pytest $(PARALLEL) $(ARGS)

coverage: $(DEV) ## The same, and which lines and branches it went through
	@$(PY) -m pytest $(PARALLEL) --cov $(ARGS)

test-fast: $(DEV) ## The suite on SQLite only
	@$(PY) -m pytest $(PARALLEL) -m "not postgres and not deep" $(ARGS)

test-deep: $(DEV) ## The long properties and crash runs
	@$(PY) -m pytest -m deep -o timeout=0 $(ARGS)

lint: $(DEV) ## Style, types, the floors of the design, migration drift
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check
	@$(PY) -m mypy $(CODE)
	@$(PY) -c "from importlinter.cli import lint_imports_command as lint; lint(['--no-logo'])"
	@$(PY) -m bot.store.drift

bench: $(DEV) ## The benchmarks: medians and ratios (ONLY=name, JSON=file, MINUTES=n)
	@$(PY) -m bench $(if $(ONLY),--only "$(ONLY)") $(if $(JSON),--json "$(JSON)") $(if $(MINUTES),--minutes "$(MINUTES)")

bench-page: $(DEV) ## Puts what `make bench` kept into docs/performance.md (JSON=file)
	$(if $(JSON),,$(error Say which file holds the figures: make bench-page JSON=file))
	@$(PY) -m bench.page "$(JSON)"

bench-excerpts: $(DEV) ## In how many logs the line that matters is found (DIR=folder)
	$(if $(DIR),,$(error Say which folder of marked logs to read: make bench-excerpts DIR=folder))
	@$(PY) -m bench.excerpts "$(DIR)"

pictures: $(DEV) ## The pictures of the pages in docs/images, taken anew (needs Chromium)
	@$(PY) -m tests.browser.pictures

real-input: $(DEV) ## Holds what the API answers against real webhook bodies (DIR=folder)
	$(if $(DIR),,$(error Say which folder of EVENT.ACTION.json files to read: make real-input DIR=folder))
	@$(PY) tests/real_input.py "$(DIR)"

PIP_COMPILE := CUSTOM_COMPILE_COMMAND="make requirements" $(PY) -m piptools compile --quiet --generate-hashes \
	--strip-extras --allow-unsafe --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options

requirements: $(DEV) ## Pin the dependencies anew (ARGS="--upgrade")
	@$(PIP_COMPILE) $(ARGS) --output-file requirements.txt pyproject.toml
	@$(PY) -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['dependency-groups']['dev'], sep='\n')" \
		| $(PIP_COMPILE) $(ARGS) --constraint requirements.txt --output-file requirements-dev.txt -

clean: ## Remove what the other targets made (never a database)
	rm -rf $(VENV) build dist htmlcov .coverage .coverage.* .hypothesis
	rm -rf .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUNTIME): pyproject.toml requirements.txt
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Runledger needs Python 3.11 or newer.')"
	@echo "Setting up $(VENV) …"
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@$(PIP_INSTALL) --require-hashes --requirement requirements.txt
	@$(PIP_INSTALL) --editable .
	@touch $@

$(DEV): $(RUNTIME) requirements-dev.txt
	@echo "Setting up the tools for tests …"
	@$(PIP_INSTALL) --require-hashes --requirement requirements-dev.txt
	@touch $@
