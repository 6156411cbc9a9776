PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin

DATA ?= manifests/data/sample.toml
OUT ?= out/$(basename $(notdir $(DATA)))
WORKERS ?= $(shell nproc)

TRAIN ?= manifests/train/nano-adapt.toml
RUN ?= out/$(basename $(notdir $(TRAIN)))
DEVICE ?= cpu

EVAL ?= out/eval
REPO ?=
SETS ?= $(wildcard build/eval-data ../shared/eval-data)

.DEFAULT_GOAL := help
.PHONY: help install data tiny validate test lint types bench clean train eval publish

help: ## Show this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12
	@echo; echo "DATA=$(DATA) OUT=$(OUT) WORKERS=$(WORKERS) TRAIN=$(TRAIN) RUN=$(RUN) DEVICE=$(DEVICE)"

install: $(VENV)/.data ## Make .venv with what the data engine needs

data: $(VENV)/.data ## Fetch assets, build the shards of DATA in OUT, check them
	$(BIN)/layerloom build $(DATA) --out $(OUT) --workers $(WORKERS)
	$(BIN)/layerloom validate $(OUT) --workers $(WORKERS)

tiny: $(VENV)/.data ## The same in small, without a network: 64 samples at 128 px in out/tiny
	$(BIN)/python -m tests.assets build/tiny-assets
	$(BIN)/layerloom build manifests/data/tiny.toml --out out/tiny --workers $(WORKERS)
	$(BIN)/layerloom validate out/tiny --workers $(WORKERS)

validate: $(VENV)/.data ## Check OUT against everything that the format promises
	$(BIN)/layerloom validate $(OUT) --workers $(WORKERS)

test: $(VENV)/.dev ## Run the tests
	$(BIN)/python -m pytest

lint: $(VENV)/.dev ## Check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev ## Check types
	$(BIN)/mypy

bench: $(VENV)/.dev ## Measure stages, codec and whole builds; see benchmarks/README.md
	$(BIN)/python -m benchmarks.stages
	$(BIN)/python -m benchmarks.build

train: $(VENV)/.train ## Adapt the shipped base to layers on OUT (TRAIN=, RUN=), on the CPU or with DEVICE=cuda
	$(BIN)/layerloom train $(TRAIN) --data $(OUT) --out $(RUN) --device $(DEVICE)

eval: $(VENV)/.eval ## Score the offline methods and the shipped model on all test sets at hand; reports in EVAL
	$(BIN)/layerloom evaluate --out $(EVAL) $(foreach folder,$(SETS) $(dir $(OUT)),--data $(folder))

publish: $(VENV)/.publish ## Publish OUT as the data set REPO=organisation/name of the Hugging Face Hub
	@test -n "$(REPO)" || { echo 'publish: say where to, REPO=organisation/name' >&2; exit 1; }
	$(BIN)/layerloom publish $(OUT) $(REPO)

clean: ## Remove .venv and caches (not OUT, not downloaded assets)
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache *.egg-info

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11)' || { echo 'layerloom needs Python 3.11 or newer; set PYTHON=...' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { $(PYTHON) -m venv --clear --without-pip $(VENV) && $(BIN)/python scripts/get_pip.py; }

$(VENV)/.data: pyproject.toml | $(VENV)/bin/pip
	$(BIN)/pip install --quiet --editable .
	$(BIN)/python -c 'import pymatting' # compiles its kernels, once
	@touch $@

$(VENV)/.train: pyproject.toml $(VENV)/.data
	$(BIN)/pip install --quiet --editable '.[train]'
	@touch $@

$(VENV)/.eval: pyproject.toml $(VENV)/.data
	$(BIN)/pip install --quiet --editable '.[eval]'
	@touch $@

$(VENV)/.publish: pyproject.toml $(VENV)/.data
	$(BIN)/pip install --quiet --editable '.[publish]'
	@touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.data
	$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $@
