# The same commands for a person and for continuous integration; `make` alone lists them.
#
# Everything is installed in .venv with the versions pinned for its Python in requirements/. A stamp
# under .venv/.stamps remembers each set that is installed; it is stale as soon as setup.py or a
# constraints file is newer, so a second run installs nothing and starts at once.

PYTHON ?= python3
JOBS ?= 2
BIN := .venv/bin
STAMPS := .venv/.stamps
PINS := setup.py src/lane_seg/__init__.py $(wildcard requirements/constraints-*.txt)
PIP = $(BIN)/python -m pip
CONSTRAINTS = requirements/constraints-$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])').txt
# setuptools warns at length that an editable installation is one.
INSTALL = PYTHONWARNINGS=ignore $(PIP) install --quiet --constraint $(CONSTRAINTS)

# .venv has ROS of its own, as wheels: a sourced ROS installation must not shine through.
ifdef ROS_DISTRO
unexport AMENT_PREFIX_PATH COLCON_PREFIX_PATH LD_LIBRARY_PATH PYTHONPATH RMW_IMPLEMENTATION ROS_DISTRO
endif

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help setup demo test lint bench lock clean distclean

help:  ## list these targets
	@echo 'usage: make TARGET [PYTHON=python3.12]'
	@sed -n 's/^\([a-z]*\):.*  ## /  \1|/p' Makefile | awk -F'|' '{ printf "%-12s %s\n", $$1, $$2 }'

setup: $(STAMPS)/test $(STAMPS)/carla  ## install everything (runtime, ROS, training, CARLA, tools) in .venv

demo: $(STAMPS)/carla  ## drive through our stand-in for CARLA, or INPUT=scene, a video or a folder
	$(BIN)/lane-seg demo --output demo $(if $(INPUT),--input "$$INPUT")

# Many tests wait for other processes: two at a time take little more than half as long. A file's tests
# stay together, for they share servers.
test: $(STAMPS)/test  ## run all tests, JOBS files at a time; ARGS goes to pytest
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --durations=15 $(ARGS)

lint: $(STAMPS)/test  ## check style, types and spelling
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/codespell

bench: $(STAMPS)/runtime  ## time the pipeline, its stages and the engines on this machine
	$(BIN)/lane-seg benchmark
	$(BIN)/python benchmarks/pre_post.py
	$(BIN)/python benchmarks/engines.py

lock:  ## resolve the pinned versions anew for PYTHON
	$(PYTHON) requirements/lock.py

clean:  ## remove what the other targets made, except .venv
	rm -rf build install log dist demo lane_seg_ros.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find src carla_bridge launch tests benchmarks requirements -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

distclean: clean  ## clean, and remove .venv too
	rm -rf .venv

$(STAMPS)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' || { \
	  echo "lane_seg_ros needs Python 3.10, 3.11 or 3.12; found: $(PYTHON) = $$($(PYTHON) --version 2>&1)." >&2; \
	  echo 'Install one of them and name it: make PYTHON=python3.12 ...' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments: its venv or ensurepip module is missing." >&2; \
	  echo 'On Debian and Ubuntu: sudo apt install python3-venv' >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(INSTALL) --upgrade pip
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/runtime: $(STAMPS)/venv $(PINS)
	@echo 'Installing what a running node needs (about 250 MB to download, no PyTorch) ...'
	$(INSTALL) --editable '.[runtime,ros]'
	@touch $@

# PyTorch goes first and alone, so that nothing else chooses its build.
$(STAMPS)/torch: $(STAMPS)/venv $(PINS)
	@echo 'Installing PyTorch ...'
	$(INSTALL) torch==2.13.0
	@touch $@

$(STAMPS)/test: $(STAMPS)/runtime $(STAMPS)/torch
	@echo 'Installing what training and the tests need (with the CARLA client and, on x86-64, 150 MB of TensorRT-RTX) ...'
	$(INSTALL) --editable '.[runtime,ros,train,transformers,tensorrt-rtx,carla,test,dev]'
	@touch $@

$(STAMPS)/carla: $(STAMPS)/runtime
	@echo 'Installing the CARLA client ...'
	$(INSTALL) --editable '.[carla]'
	@touch $@
