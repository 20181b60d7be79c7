# One door: everything that CI does is a target here. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PORT ?= 7860
# Small models are slower, by far, with two spinning OpenMP pools on two cores.
export OMP_NUM_THREADS ?= 1
export GRADIO_ANALYTICS_ENABLED := False
# mypy says "Success" also over nothing: fewer checked files than this is a failure.
MYPY_FILES := 300
# Processes that share the tests; 0 runs them in one.
WORKERS ?= 2
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder --durations=10

# What runs a second time with the records of its workspaces on PostgreSQL.
ON_POSTGRES := $(filter-out tests/curation/test_clicks.py,$(wildcard tests/curation/test_*.py)) tests/ui

.PHONY: help setup demo test test-slow chaos lint fix bench pictures gpu clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY) ## make .venv with everything that demo and tests need

$(READY): pyproject.toml constraints.txt
	@echo "Installing into $(VENV), once: some minutes, and up to 6 GB with a PyTorch for CUDA."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[demo,similarity,train,test]"
	$(BIN)/python -m pip check
	@touch $@

demo: setup ## serve the app with sample photographs, and print its address
	$(BIN)/whyseg demo --port $(PORT)

test: setup ## the tests that belong to every change, in WORKERS=2 processes
	$(PYTEST) -m "not slow and not gpu"

test-slow: setup ## what needs longer: kills, many processes, PostgreSQL, a clean install, training
	$(PYTEST) -m "slow and not gpu" --timeout 1200
	$(PYTEST) -m "not slow and not gpu" --postgres $(ON_POSTGRES)

chaos: setup ## real faults on real processes, some 12 minutes; writes what was lost into docs/reliability.md
	$(BIN)/python -m tests.chaos

lint: setup ## format, ruff, mypy --strict
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy | tee $(VENV)/mypy.txt
	@n=$$(sed -nE 's/^Success: no issues found in ([0-9]+) source files$$/\1/p' $(VENV)/mypy.txt); \
	if [ "$${n:-0}" -lt $(MYPY_FILES) ]; then echo "mypy checked $${n:-no} files, expected at least $(MYPY_FILES)"; exit 1; fi

fix: setup ## format, and repair what ruff can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup ## measure everything beside its baseline; writes benchmarks/results and docs/performance.md
	$(BIN)/python -m benchmarks.all

pictures: setup ## take the pictures of the documents again
	WHYSEG_SCREENSHOTS=$(CURDIR)/docs/images $(BIN)/python -m pytest tests/e2e/test_story.py tests/e2e/test_tutorial.py

gpu: setup ## on a machine with a GPU: the world's comparison, and what a step of each preset costs at real size
	rm -rf build/world_gpu
	$(BIN)/python -m benchmarks.world_gpu; code=$$?; $(BIN)/python -m benchmarks.gpu_train && exit $$code

clean: ## remove what was built, not your workspaces
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
