# `make` lists the targets.
.DEFAULT_GOAL := help
.PHONY: help setup test test-live lint types docs matrix prove gate-dev gate-staging gate-production allure demo clean

PYTHON ?= python3
VENV   := .venv/bin
DEFECT ?=
DEFECTS ?=
TESTS ?=
FLAVOURS ?=
# Runs a command beside a Docker engine: the one that answers, else one that ends with the command.
DOCKER := $(VENV)/python -m fixtures.docker_engine

# Where Python may not keep what it compiles, every short run of pytest compiles its plugins again.
unexport PYTHONDONTWRITEBYTECODE

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what is missing: system packages, .venv, the project
	@PYTHON=$(PYTHON) .ci/setup

test: setup lint types docs ## lint, strict types, the guides, and the project's own tests
	$(DOCKER) $(VENV)/python -m pytest plugin/tests -n 4 --dist worksteal -q

test-live: setup ## what an API server of Kubernetes shows, in namespaces of its own, by KUBECONFIG=file
	@test -f "$(KUBECONFIG)" || { echo "KUBECONFIG names no file: the tests need a cluster in which they may make namespaces"; exit 2; }
	LIVE_KUBECONFIG=$(abspath $(KUBECONFIG)) $(VENV)/python -m pytest plugin/tests/probes/kubernetes/test_cluster.py -q -rs

lint: setup ## ruff
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .

types: setup ## mypy, strict
	$(VENV)/mypy
	$(VENV)/mypy fixtures suites benchmarks reports conftest.py docs/reference_pages.py docs/figures.py

docs: setup ## the guides and the reference as pages; every link and reference has to lead somewhere
	@$(VENV)/python -m sphinx -W --keep-going -q -b html docs build/docs
	@echo build/docs/index.html

gate-dev gate-staging gate-production: gate-%: setup ## build the reference system and decide on its entry [DEFECT=name] [TESTS="not benchmark"]
	@$(VENV)/python -m fixtures.prepare $* $(if $(DEFECT),--defect $(DEFECT))
	@$(DOCKER) $(VENV)/release-gates run $* -- --alluredir build/allure-results --clean-alluredir $(if $(TESTS),-k '$(TESTS)')

prove: setup ## plant each defect and see its gate go red [DEFECTS=first: one of each gate]
	@$(VENV)/python -m fixtures.prepare staging
	@$(DOCKER) $(VENV)/release-gates prove staging --jobs 4 $(if $(filter first,$(DEFECTS)),--first)

demo: setup ## run the second half of docs/demo.md, as it stands there
	@$(VENV)/python -m pytest plugin/tests/docs/engine_demo.py -q -s

allure: setup ## Allure's report of the last gate run, without what it would load from elsewhere
	@$(VENV)/python -m reports.allure build/allure-results build/allure
	@echo build/allure/index.html

matrix: setup ## build and test the reference engine in every flavour, sanitizers included [FLAVOURS="asan tsan"]
	@$(VENV)/python -m fixtures.trading_system.matrix $(FLAVOURS)

accuracy-%: setup ## measure a family's speed and accuracy, e.g. make accuracy-core [ACCURACY=quick]
	@test -f benchmarks/$*.py || { echo "no family '$*'; there are: $(basename $(notdir $(shell grep -l __main__ benchmarks/*.py)))"; exit 1; }
	@$(VENV)/python -m benchmarks.$* $(if $(filter quick,$(ACCURACY)),--quick)

clean: ## remove what was built, the ledger included
	rm -rf build .gates candidate.toml
