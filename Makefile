# `make help` lists the targets. PIP_ARGS goes to every pip install, for instance
#     make quickstart PIP_ARGS="--extra-index-url URL"

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
PIP_ARGS ?=

BIN := .venv/bin
# Compiling every module of every package takes longer than all the rest; those used are compiled then.
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile \
	--constraint requirements.lock $(PIP_ARGS) torch==2.13.0

# That of the challenge takes two hours: make bench BENCH=benchmarks/bench_challenge.py
BENCH ?= $(filter-out benchmarks/bench_challenge.py,$(wildcard benchmarks/bench_*.py))

# Some machines forbid Python to keep what it compiles; each start would then compile all of it again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help quickstart test check soak lint format bench clean
.DELETE_ON_ERROR:

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

quickstart: .venv/.core ## install the core into .venv, then train a small network and use it
	$(BIN)/thumbnet quickstart

test: .venv/.dev ## lint, and beside it every test but the soak tests
	@$(MAKE) --no-print-directory --jobs=2 lint check

check: .venv/.dev
	$(BIN)/python -m pytest -q --numprocesses auto --dist worksteal

soak: .venv/.dev ## the tests that take long
	$(BIN)/python -m pytest -q -m soak

lint: .venv/.dev ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/.dev ## mend style in place
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/.dev ## run the benchmarks on the archive that THUMBNET_DATA names
	@set -e; for file in $(BENCH); do echo "== $$file"; $(BIN)/python "$$file"; done
	@echo "left out: $(filter-out $(BENCH),$(wildcard benchmarks/bench_*.py))"

clean: ## remove .venv, builds and caches; runs and data stay
	rm -rf .venv build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find $(wildcard src tests benchmarks) -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps make a second run quick: pip runs again only where one of these files is newer.
.venv/.core: pyproject.toml requirements.lock | .venv/bin/python
	$(INSTALL) -e .
	@touch $@

.venv/.dev: pyproject.toml requirements.lock | .venv/bin/python
	$(INSTALL) -e '.[dev]'
	@touch $@ .venv/.core

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "thumbnet needs Python 3.11 or newer; '$(PYTHON)' is not." \
			"Name one: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo "'$(PYTHON) -m venv' failed; on Debian and Ubuntu it needs:" \
			"apt-get install python3-venv" >&2; exit 1; }
