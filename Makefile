# make run    install what a run needs, then turn the shipped reference into a dataset and a report
# make test   install what the tests need, then run them
# The environment is .venv; a second `make` installs nothing unless pyproject.toml or constraints.txt changed.
# Another Python: make PYTHON=/path/to/python3.12 …

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
RECIPE := recipes/graph_sql.yaml

.PHONY: run test fmt lint soak bench clean

run: $(VENV)/.base
	$(BIN)/distill run $(RECIPE)

test: $(VENV)/.dev
	$(BIN)/python -m pytest

fmt: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

soak: $(VENV)/.dev
	$(BIN)/python -m pytest -m soak

bench: $(VENV)/.dev
	$(BIN)/python tests/benchmarks/startup.py
	$(BIN)/python tests/benchmarks/million.py
	$(BIN)/python tests/benchmarks/graph_sql.py

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@for python in $(or $(PYTHON),python3 python3.13 python3.12 python3.11); do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		"$$python" -m venv $(VENV) && exit 0; \
		rm -rf $(VENV); \
		echo "error: $$python cannot make an environment; on Debian and Ubuntu: apt install python3-venv" >&2; \
		exit 1; \
	done; \
	echo "error: Python 3.11 or newer is needed$(if $(PYTHON), and $(PYTHON) is not); name one: make PYTHON=/path/to/python3.12" >&2; \
	exit 1

$(VENV)/.base: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(INSTALL) --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(INSTALL) --editable '.[dev]'
	@touch $@ $(VENV)/.base
