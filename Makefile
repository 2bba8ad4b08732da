# Everything a person or a machine does here. A fresh machine needs make and
# Python 3.11 or newer; `make demo` and `make test` fetch the rest into .venv.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check --no-input

# Touched when the packages are there, so that later calls install nothing.
RUNNABLE := $(VENV)/.runnable
DEVELOPABLE := $(VENV)/.developable

# Where a gap in the tests would cost money or work.
PURE_MONEY := foxbatch/account.py,foxbatch/breaker.py,foxbatch/budget.py,foxbatch/prices.py
PURE_PACE := foxbatch/durations.py,foxbatch/experience.py,foxbatch/forecast.py,foxbatch/pace.py
WHOLLY_TESTED := foxbatch/events.py,foxbatch/ledger.py,foxbatch/ledger_index.py,foxbatch/lock.py,foxbatch/lifecycle.py,foxbatch/state.py,foxbatch/matrix/*,$(PURE_MONEY),$(PURE_PACE)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo install test slow-half other-half check static cov fmt fmt-check lint types layers \
	deadcode wheel lock clean

help: ## Show what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: $(RUNNABLE) ## Run manifests/quickstart.yaml on the embedded sandbox, and show it
	@$(BIN)/foxbatch run manifests/quickstart.yaml
	@$(BIN)/foxbatch report manifests/quickstart.yaml

install: $(DEVELOPABLE) ## Make .venv with foxbatch (editable) and the development tools

# Two halves at once, as one test often waits. The second is all that is not the first,
# so no test is left out. Whoever says what to run gets that alone.
SLOW_HALF := tests/acceptance tests/browser tests/crashes tests/property tests/simulation tests/test_docs.py
PYTEST := $(BIN)/python -m coverage run --parallel-mode -m pytest

test: $(DEVELOPABLE) ## Run the tests, and measure which branches they take
	@$(BIN)/python -m coverage erase
ifeq ($(strip $(PYTEST_ARGS)),)
	@$(MAKE) --no-print-directory --keep-going -j2 slow-half other-half
else
	@$(PYTEST) $(PYTEST_ARGS)
endif
	@$(BIN)/python -m coverage combine --quiet

slow-half: $(DEVELOPABLE)
	@$(PYTEST) $(SLOW_HALF)

other-half: $(DEVELOPABLE)
	@$(PYTEST) $(addprefix --ignore=,$(SLOW_HALF))

check: static cov ## Do all that follows; what is green here is green in CI

static: fmt-check lint types layers deadcode

cov: test ## Run the tests and hold their branch coverage to its bound
	@$(BIN)/python -m coverage report
	@$(BIN)/python -m coverage report --include='$(WHOLLY_TESTED)' --fail-under=100

fmt: $(DEVELOPABLE) ## Format the code, and repair what the linter can
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

fmt-check: $(DEVELOPABLE)
	@$(BIN)/ruff format --check .

lint: $(DEVELOPABLE) ## Lint the code
	@$(BIN)/ruff check .

types: $(DEVELOPABLE) ## Check the types, strictly
	@$(BIN)/mypy

layers: $(DEVELOPABLE) ## Check that modules import only what is below them
	@$(BIN)/lint-imports --no-logo

deadcode: $(DEVELOPABLE) ## Look for code that nothing uses
	@$(BIN)/vulture

wheel: $(DEVELOPABLE) ## Build the wheel and the source archive into dist/
	@$(BIN)/python -m build --outdir dist

lock: ## Pin the newest version of every package in constraints.txt
	@echo "Resolving the newest versions"
	@"$(PYTHON)" -m venv --clear $(VENV)-lock
	@$(VENV)-lock/bin/python -m pip --quiet --quiet install --upgrade pip
	@$(VENV)-lock/bin/python -m pip --quiet --quiet install -e '.[all]' --group dev
	@{ grep '^#' constraints.txt; $(VENV)-lock/bin/python -m pip --quiet --quiet \
		freeze --all --exclude-editable --exclude setuptools; } > $(VENV)-lock/new
	@mv $(VENV)-lock/new constraints.txt
	@rm -rf $(VENV)-lock

clean: ## Remove everything that was made here, except runs/ (it may have cost money)
	@rm -rf $(VENV) dist .coverage htmlcov .hypothesis .import_linter_cache \
		.mypy_cache .pytest_cache .ruff_cache
	@find foxbatch tests -name __pycache__ -prune -exec rm -rf {} +

# ---- The environment

$(BIN)/python:
	@command -v "$(PYTHON)" >/dev/null || { \
		echo "There is no $(PYTHON) here. Name a Python 3.11 or newer:" \
			"make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "foxbatch needs Python 3.11 or newer, and $(PYTHON) is" \
			"$$("$(PYTHON)" -V 2>&1). Name another one:" \
			"make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu:" \
			"apt-get install python3-venv" >&2; exit 1; }
	@echo "Making $(VENV)"
	@rm -f $(RUNNABLE) $(DEVELOPABLE)
	@"$(PYTHON)" -m venv $(VENV)

$(RUNNABLE): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing foxbatch into $(VENV) (a minute, the first time)"
	@$(PIP) install -c constraints.txt -e '.[sandbox]'
	@touch $@

# pip knows dependency groups since 25.1, and a new environment may hold an older one.
$(DEVELOPABLE): pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing foxbatch and its development tools into $(VENV)"
	@$(PIP) install -c constraints.txt --upgrade pip
	@$(PIP) install -c constraints.txt -e '.[all]' --group dev
	@touch $(RUNNABLE) $@
