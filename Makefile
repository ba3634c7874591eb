# The commands of the README are `make demo`, `make test` and `make test-all`. Each needs only Python
# 3.11+, venv and make. Both install the package as a user does; a changed source is installed again.
# To work on it: `make dev` links the sources instead, and .venv/bin/pytest tests/test_mdp.py then
# tests what the editor shows. The next `make test` installs again.
PYTHON ?= python3
ROOT := $(CURDIR)
BIN := $(ROOT)/.venv/bin
SOURCES := $(shell find bench agents analysis data -not -name '*.pyc' -not -name __pycache__)
# Byte code is made when a file is first imported: most of what is installed never is. Where images
# forbid that, every process would compile JAX anew: five seconds each.
export PYTHONDONTWRITEBYTECODE :=
PIP := $(BIN)/pip install --quiet --no-compile --disable-pip-version-check

# The versions that the tests ran with; the newest where those are not to be had.
LOCK := --constraint tests/versions.txt
ANEW := the versions of tests/versions.txt are not to be had here, so the newest are installed

.PHONY: demo test test-all dev minimum lock soak fuzz notebooks lint clean

demo: .venv/core  ## compare the search agents on the embedded tables; prints where the figures lie
	$(BIN)/rlnas compare

# From an empty folder, so that nothing is found that is not installed. The tests marked `long` train,
# kill and resume, or go through whole tables: few of the tests, half of their time.
test: CHOSEN := -m 'not long'
test: .venv/tested  ## ruff on the sources; types and tests of the installed package, less the long ones
test-all: .venv/tested  ## the long ones too: what .ci/run runs
test test-all:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	away=$$(mktemp -d) && trap 'rm -rf $$away' EXIT && cd $$away && \
	RLNAS_TEST_INSTALLED=1 $(BIN)/pytest $(ROOT)/tests -n auto --dist worksteal $(CHOSEN)

dev: .venv/dev  ## the sources themselves are what is installed
	$(PIP) --no-deps --no-build-isolation --editable .
	rm -f .venv/core .venv/tested

minimum:  ## the core with the lowest versions that pyproject.toml declares
	$(PYTHON) tests/minimum.py

lock: .venv/dev  ## write down the versions that are installed, for the next `make test`
	$(BIN)/python tests/lock.py

soak: .venv/tested  ## stop commands at random and compare what they come to; an hour, or ARGS="--minutes 5"
	$(BIN)/python tests/soak.py $(ARGS)

notebooks: .venv/tested  ## run them, at full size, and keep what they show: some 20 minutes
	$(BIN)/python tests/notebooks.py $(ONLY)

fuzz: .venv/tested  ## thousands of damaged, edited and hostile files; prints what came of each kind
	$(BIN)/python tests/soak_fuzz.py

lint: .venv/dev  ## mend what ruff can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache

# setuptools would install what an earlier build/ left there.
.venv/core: pyproject.toml setup.py $(SOURCES)
	$(PYTHON) -m venv .venv
	rm -rf build
	$(PIP) .
	touch $@

# torch is asked for alone first: pip then takes the pinned build and nothing looser later.
.venv/dev: pyproject.toml setup.py tests/versions.txt
	$(PYTHON) -m venv .venv
	rm -rf build
	$(PIP) torch==2.13.0
	$(PIP) $(LOCK) '.[dev]' || { echo '$(ANEW)' && $(PIP) '.[dev]'; }
	touch $@

.venv/tested: .venv/dev $(SOURCES)
	rm -rf build
	$(PIP) --no-deps --no-build-isolation --force-reinstall .
	touch $@ .venv/core
