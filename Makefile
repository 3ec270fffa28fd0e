# `make demo` and `make test` need only Python >= 3.11 (with venv) and make.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.ready

.PHONY: setup demo test lint unit bench bench-files bench-heap bench-policy bench-split soak screenshots clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "heaptui needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Try: make PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "setting up $(VENV) (once)" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[node,heap,mcp,re2,dev]'
	@$(BIN)/python -m heaptui.heap.analysis.warm
	@touch $@

demo: setup
	@$(BIN)/heaptui demo

test: lint unit

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: setup
	@# what fails beside other tests on a busy machine is tried once more, alone
	$(BIN)/pytest -n 2 || $(BIN)/pytest --last-failed --last-failed-no-failures none

bench: setup
	$(BIN)/python -m tests.bench

bench-policy: setup
	$(BIN)/python -m tests.bench --policy

bench-split: setup
	$(BIN)/python -m tests.bench --split

bench-files: setup
	$(BIN)/python -m tests.bench --files

bench-heap: setup
	$(BIN)/python -m tests.bench --heap

soak: setup
	$(BIN)/python -m tests.bench --soak
	$(BIN)/heaptui soak --minutes 30 --rate 48

screenshots: setup
	$(BIN)/python screenshots/make.py

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
