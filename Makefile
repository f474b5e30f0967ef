# The commands of this project; `make help` lists them. Everything is installed into this checkout.
PYTHON ?= python3
UV_VERSION := 0.13.9
UV := .tools/bin/uv
BIN := .venv/bin
ARGS ?=
# Tests often wait, for servers and processes: files of them run beside each other.
TOGETHER ?= -n 2 --dist loadfile --durations=25

# Hundreds of interpreters start in the tests; none need compile again what another one did.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test lint fix record bench docs ui clean

help: ## List the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: .venv/.synced ui ## Start everything, train and release a model, show it live; ARGS="-p corrupt=0.4" for bad data
	@$(BIN)/python examples/train-digits/demo.py $(ARGS)

test: .venv/.synced ui ## Run all tests
	@$(BIN)/pytest $(TOGETHER) $(ARGS)

lint: .venv/.synced ## Check style, types and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

fix: .venv/.synced ## Mend what the formatter and linter can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: .venv/.synced ## Measure the overhead against hand-written Temporal workflows
	@$(BIN)/python benchmarks/overhead.py $(ARGS)

docs: .venv/.synced ui ## Run every command and snippet of the pages
	@$(BIN)/pytest tests/workshop

ui: .venv/.synced ## Build the web page into api/static
	@$(BIN)/python ui/build.py

clean: ## Remove everything made here, `.segue` (the state of `segue dev`) too
	rm -rf .venv .tools .segue build dist api/static ui/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/.synced: uv.lock pyproject.toml segue/pyproject.toml | $(UV)
	@UV_PYTHON_DOWNLOADS=never $(UV) sync --quiet --frozen --all-packages --python $(PYTHON)
	@touch $@

$(UV):
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --target .tools uv==$(UV_VERSION)
