# Two commands do everything: `make run` opens the coach, `make test` runs all tests.
.DEFAULT_GOAL := help
PY := .venv/bin/python
export PATH := $(CURDIR)/.parts/bin:$(PATH)
STAMP := .venv/.ready

.PHONY: help setup run parts stack stack-stop test check format lock bench clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## make .venv with everything locked (instant when nothing changed)

$(STAMP): pyproject.toml requirements/dev.txt scripts/setup
	@scripts/setup
	@touch $(STAMP)

run: setup ## open the coach on this machine
	@.venv/bin/eloquence serve --open

parts: setup ## install servers and tools that rooms and the tests of deploy/ need, into .parts
	@scripts/parts

stack: setup ## run every service of deploy/compose.yaml here, without Docker (STACK_WORKERS=2 …)
	@scripts/parts livekit-server
	@scripts/stack start

stack-stop: ## stop them again, in the opposite order
	@scripts/stack stop

test: setup ## all tests
	@$(PY) -m pytest

check: setup ## format, lint, types, import contracts, generated files, tests
	@scripts/check $(if $(filter no,$(TESTS)),--no-tests)

format: setup ## rewrite files to the project's format
	@.venv/bin/ruff format . && .venv/bin/ruff check --fix .

lock: setup ## resolve the dependencies again and write the locks
	@scripts/lock

bench: setup ## run the benchmarks and print their figures
	@$(PY) -m benchmarks

clean: ## remove what setup and the tools made
	@rm -rf .venv .uv .parts .mypy_cache .ruff_cache .pytest_cache .import_linter_cache node_modules
