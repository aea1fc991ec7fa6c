# The commands of the project. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SUBMISSION ?= submissions/team_x
SAMPLE ?= build/sample
TESTS := --ignore=tests/hostile --numprocesses 2 --dist loadfile --no-loadscope-reorder
STUDY ?= build/jets-study
FRESH ?= build/fresh
ENTRIES ?= team_x covariance_met linear_pca
VARY ?=

.DEFAULT_GOAL := help
.PHONY: help setup score test test-whole test-torch test-trees test-slow test-baselines check format bench hostile browser
.PHONY: leaderboard schemas hackathon lock clean sample fuzz links firmware-accuracy baselines
.PHONY: docs-baselines pictures jets-study fresh-events discovery rounded-events

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 20

setup: $(READY)  ## create .venv and install the locked dependencies

$(READY): requirements.lock pyproject.toml tools/setup.sh
	@PYTHON="$(PYTHON)" VENV="$(VENV)" sh tools/setup.sh

score: $(READY)  ## score a submission on the embedded sample (SUBMISSION=submissions/team_x)
	@$(BIN)/harness score "$(SUBMISSION)"

test: $(READY)  ## run the tests
	$(BIN)/pytest -m "not slow and not browser and not whole" $(TESTS)

test-whole: $(READY)  ## run the tests that play scorings, syntheses and contests from end to end
	$(BIN)/pytest -m "whole and not slow" $(TESTS)

hackathon: $(READY)  ## play a whole hackathon on this machine (minutes)
	$(BIN)/python -m tests.hackathon

test-slow: $(READY)  ## run the slow tests (all coverage toys, 100 kills, ...)
	$(BIN)/pytest -m slow

test-torch: .venv-torch/.ready  ## export PyTorch models, in an environment of its own
	.venv-torch/bin/pytest -q tests/torch/check_export.py

.venv-torch/.ready: requirements.lock requirements-torch.lock pyproject.toml tools/setup_torch.sh
	@PYTHON="$(PYTHON)" VENV=.venv-torch sh tools/setup_torch.sh

test-trees: .venv-torch/.ready-trees  ## compare trees with XGBoost and conifer, in the same one
	.venv-torch/bin/pytest -q tests/references/check_trees.py

.venv-torch/.ready-trees: .venv-torch/.ready requirements-trees.lock
	.venv-torch/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
	  -r requirements-trees.lock
	@touch $@

hostile: $(READY)  ## run the corpus of attacks and print which ones got through
	$(BIN)/pytest -q -m "not slow" --numprocesses 2 --dist loadfile tests/hostile/test_faults.py \
	  tests/hostile/test_pull_requests.py tests/hostile/test_doctor.py
	$(BIN)/python -m tests.hostile.table

browser: $(READY)  ## test the pages in a real Chromium; screenshots go to artifacts/
	LEADERBOARD_SCREENSHOTS=artifacts/screenshots $(BIN)/pytest -q -m browser \
	  --numprocesses 2 --dist loadfile tests/app

test-baselines: $(READY)  ## score every baseline on the small test challenge, run the longer notebook
	$(BIN)/pytest -q -m slow tests/integration/test_baselines.py tests/integration/test_notebook.py \
	  --numprocesses 2

check: $(READY)  ## check lint, types, layers, workflows and doctests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/zizmor --offline --quiet .github/workflows
	$(BIN)/actionlint
	$(BIN)/pytest -q --doctest-modules harness leaderboard_app/views

fuzz: $(READY)  ## run the property tests ten times, each time with new examples
	@for n in 0 1 2 3 4 5 6 7 8 9; do \
	  $(BIN)/pytest -q tests/property --hypothesis-seed="$$(date +%N)" || exit 1; done

links: $(READY)  ## check every link of the documentation
	$(BIN)/python -m tools.links

format: $(READY)  ## format the code
	$(BIN)/ruff check --fix-only -q .
	$(BIN)/ruff format .

bench: $(READY)  ## run all benchmarks, write JSON to benchmarks/results; fail if a goal is missed
	@missed=""; for b in benchmarks/[a-z]*.py; do \
	  echo "== $$b"; \
	  $(BIN)/python $$b --json benchmarks/results/$$(basename $$b .py).json || missed="$$missed $$b"; \
	done; \
	if [ -n "$$missed" ]; then echo "missed a goal:$$missed"; exit 1; fi

firmware-accuracy: $(READY)  ## regenerate docs/firmware-accuracy.md (REPORTS=folder: measure first)
	$(if $(REPORTS),$(BIN)/python -m tools.firmware_measure csynth "$(REPORTS)")
	$(if $(REPORTS),$(BIN)/python -m tools.firmware_measure vendor "$(REPORTS)")
	@$(BIN)/python -m tools.firmware_accuracy

schemas: $(READY)  ## regenerate docs/schemas
	$(BIN)/python -m tools.schemas

leaderboard: $(READY)  ## open the leaderboard with the cards in results/
	$(BIN)/harness leaderboard --serve

baselines: $(READY)  ## train the baselines from scratch (TEAM=x for one, CHALLENGE=adc2021)
	$(BIN)/python -m tools.baselines train $(TEAM) --challenge $(or $(CHALLENGE),sample)

pictures: $(READY)  ## regenerate the pictures in docs/images (needs a Chromium)
	$(BIN)/python -m tools.pictures

docs-baselines: $(READY)  ## regenerate docs/baselines.md from the newest cards
	$(BIN)/python -m tools.baselines_page

jets-study: $(READY)  ## scan latent values and contamination of jets: half an hour; resumes (STUDY=build/jets-study)
	$(BIN)/python -m tools.jets_study run "$(STUDY)"
	@$(BIN)/python -m tools.jets_study report "$(STUDY)"

sample: $(READY)  ## regenerate the sample from its recipe: hours; resumes if interrupted (SAMPLE=build/sample)
	$(BIN)/python -m tools.sample_recipe simulate "$(SAMPLE)" --jobs 2
	$(BIN)/python -m tools.make_sample build "$(SAMPLE)" --out "$(SAMPLE)/sample.events"

fresh-events: $(READY)  ## simulate background that no entry saw: hours; resumes (FRESH=build/fresh)
	$(BIN)/python -m tools.discovery events "$(FRESH)" --jobs 2

# One entry a job: make -j2 discovery.
discovery: $(ENTRIES:%=discovery-%)  ## measure how many signal events entries need for 3 sigma (ENTRIES="a b"); resumes

rounded-events: $(READY)
	@$(BIN)/python -m tools.discovery round "$(FRESH)"

discovery-%: rounded-events
	OMP_NUM_THREADS=1 $(BIN)/python -m tools.discovery run "$(FRESH)" $* --vary $(VARY)

lock:  ## regenerate requirements.lock from pyproject.toml (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --all-extras \
	  --no-emit-index-url --no-emit-find-links --upgrade -q pyproject.toml -o requirements.lock

clean:  ## remove the environment and everything that the tools created
	rm -rf $(VENV) .venv-torch build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache
