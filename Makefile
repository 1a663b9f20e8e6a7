# make demo         the whole way once, on a simulated patient; results in demo/
# make test         style, types and all tests, those of the Slicer module included
# make test-slicer SLICER=path/to/Slicer   the module's self-test and screenshots in a real Slicer
# make bench        speed, memory and accuracy, beside the programs people use (needs 3 GB of disk)
# make figures      the pictures of the documentation
# make docs         the documentation as a site, in build/site
# Each sets up its own environment in .venv the first time; nothing else on the machine is touched.

PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: help demo test test-slicer bench figures docs

help:
	@sed -n 's/^# \{0,1\}//p;/^$$/q' Makefile

demo: $(VENV)/.ready-to-run
	$(BIN)/python Testing/demo.py

# Each layer in processes of its own: the engine without Slicer, then Slicer's scene, the background process, the panel.
LAYERS := engine slicer background panel

# Strict: a warning is an error (mkdocs.yml), but not one that --quiet hides. The variable silences an advertisement.
SITE = NO_MKDOCS_2_WARNING=1 OPENBLAS_NUM_THREADS=1 $(BIN)/mkdocs build

test: $(VENV)/.ready-to-test
	Testing/standin/system_libraries.sh
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(SITE)
	@for layer in $(LAYERS); do echo "== Testing/$$layer"; \
	  $(BIN)/python -m pytest -n $(JOBS) --dist loadfile Testing/$$layer || exit 1; done

test-slicer:
	@test -n "$(SLICER)" || { echo "Name a Slicer: make test-slicer SLICER=path/to/Slicer"; exit 1; }
	$(PYTHON) Testing/real_slicer/run.py "$(SLICER)"

# Other programs to race: make bench KMAP=CHECKOUT DYNAMICPET=PYTHON PETPAL=PYTHON DICOM2NIFTI=PYTHON, any of them.
# CHECKOUT is one of KMAP-C, PYTHON an interpreter that has the program (Testing/benchmarks/README.md).
# SLICER=path/to/Slicer measures the panel's pauses in a real Slicer as well.
option = $(if $($(1)),--$(2) "$($(1))")

bench: $(VENV)/.ready-to-test
	$(BIN)/python Testing/benchmarks/bench.py $(call option,KMAP,kmap) $(call option,DYNAMICPET,dynamicpet) $(call option,PETPAL,petpal) $(call option,DICOM2NIFTI,dicom2nifti) $(call option,SLICER,slicer)

docs: $(VENV)/.ready-to-test
	$(SITE)
	@echo "The site is in build/site; open build/site/index.html."

figures: $(VENV)/.ready-to-test
	Testing/standin/system_libraries.sh
	$(BIN)/python Testing/figures.py
	$(BIN)/python Testing/figures_validation.py
	$(BIN)/python Testing/figures_maps.py
	$(BIN)/python Testing/figures_training.py
	$(BIN)/python Testing/icons.py
	$(BIN)/python Testing/figures_slicer.py

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 10) <= v <= (3, 13) else \
	  "Python 3.10 to 3.13 is needed, this is %d.%d. Name another: make PYTHON=python3.12 ..." % v)'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "No environment could be made. On Debian and Ubuntu: apt install python3-venv"; exit 1; }

# The engine is installed in place; the versions come from requirements-dev.txt.
$(VENV)/.ready-to-run: requirements-dev.txt pyproject.toml | $(BIN)/python
	@echo "Setting up $(VENV) (once) ..."
	@$(PIP) --constraint requirements-dev.txt setuptools
	@$(PIP) --constraint requirements-dev.txt --no-build-isolation --editable '.[figures,fast]'
	@touch $@

$(VENV)/.ready-to-test: requirements-dev.txt pyproject.toml | $(BIN)/python
	@echo "Setting up $(VENV) for the tests (once) ..."
	@$(PIP) --requirement requirements-dev.txt
	@$(PIP) --no-build-isolation --no-deps --editable .
	@touch $@ $(VENV)/.ready-to-run
