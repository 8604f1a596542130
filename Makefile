# Everything is set up in .venv, from the versions in .ci/lock.txt. Needs python3 (3.11 or newer, with venv) and make.
PYTHON ?= python3
BIN := .venv/bin
LOCK := .ci/lock.txt
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
INSTALL := $(PIP) install --constraint $(LOCK) --build-constraint $(LOCK)

# Budgets in minutes: what outlives its own hangs, is stopped and fails. They are at least twice what two quiet cores take, where all
# of it takes under half an hour: a machine that is slow for a while is no failure.
BUDGET_RUNTIME := 4
BUDGET_TOOLS := 4
BUDGET_LINT := 2
BUDGET_SUITE := 28
BUDGET_CONTRACT := 8
BUDGET_SERVED := 11
BUDGET_NOTEBOOKS := 6
BUDGET_CHROMIUM := 3
BUDGET_BROWSER := 8
BUDGET_WHEEL := 4
TIMEOUT := $(shell command -v timeout || command -v gtimeout)
# At a terminal Ctrl-C must reach the tests, elsewhere whatever they started is stopped too; `exec`, or only the shell would be.
within = $(if $(TIMEOUT),$(TIMEOUT) $(if $(CI),,--foreground) --kill-after=10 $(1)m) sh -ec

BUNDLED := .ci/bundle.py $(wildcard qalypto_research/charts/javascript/package*.json qalypto_research/charts/javascript/source/*)
PYTEST := $(BIN)/python -m pytest
# A system without a zone database would take every TZ for UTC.
ifeq ($(wildcard /usr/share/zoneinfo),)
test suite contract served: export TZDIR = $(shell $(BIN)/python -c "import tzdata; print(tzdata.__path__[0])")/zoneinfo
endif

.PHONY: help demo test lint suite contract served notebooks browser wheel bench soak lock sample format clean
.NOTPARALLEL:

help:
	@echo "make demo       set up and show the package at work on its sample"
	@echo "make test       set up and run every check below, as the CI does"
	@echo "make lint       ruff, mypy, import-linter"
	@echo "make suite      the tests, in random order, with coverage"
	@echo "make contract   the frame contract again, in other time zones"
	@echo "make served     the frame contract again, over HTTPS from a stand-in"
	@echo "make notebooks  execute the notebooks"
	@echo "make browser    drive the live charts in JupyterLab, in a real browser"
	@echo "make wheel      build, install in a fresh environment, run the demo there"
	@echo "make bench      the benchmarks (not part of make test)"
	@echo "make soak       minutes of load: memory must stay flat (not part of make test)"
	@echo "make format     ruff's formatter and safe fixes"
	@echo "make sample     generate data_samples anew"
	@echo "make lock       renew the pinned versions"
	@echo "make clean      remove .venv and what the tools left"

demo: .venv/runtime
	@$(BIN)/qalypto demo

test: lint suite contract served notebooks browser wheel
	@echo "All passed."

lint: .venv/test
	$(call within,$(BUDGET_LINT)) '$(BIN)/ruff check .; $(BIN)/ruff format --check .; $(BIN)/mypy; exec $(BIN)/lint-imports'

# Two processes, one a core, as `run 1` and `run 2`; what the second says is shown when both are done. With --share each takes the
# modules that the other has not begun with.
two = share=$$(mktemp -d); run() { $(1); }; run 2 >$$share.log 2>&1 & second=$$!; run 1 || failed=1; \
	wait $$second || failed=1; cat $$share.log; rm -r $$share $$share.log; test -z "$$failed"

# What is covered is asked of both processes together.
suite: .venv/test
	rm -f .coverage*
	TZ=UTC $(call within,$(BUDGET_SUITE)) '$(call two,COVERAGE_FILE=.coverage.$$1 $(PYTEST) -m "not notebook and not browser and not wheel" --cov --cov-report= --cov-fail-under=0 --share=$$share)'
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

# Locale and hash seed must not matter either, so they differ here.
contract: .venv/test
	$(call within,$(BUDGET_CONTRACT)) '$(call two,case $$1 in (1) export TZ=Asia/Tokyo LC_ALL=C;; (2) export TZ=America/New_York;; esac; PYTHONHASHSEED=$$1 $(PYTEST) -m contract)'

# Each archive behind a stand-in of the service, in a process of its own.
served: .venv/test
	TZ=UTC $(call within,$(BUDGET_SERVED)) '$(call two,$(PYTEST) -m "contract and not embedded" --served --share=$$share)'

notebooks: .venv/test
	$(call within,$(BUDGET_NOTEBOOKS)) 'exec $(PYTEST) -m notebook'

browser: .venv/browser
	$(call within,$(BUDGET_BROWSER)) '$(call two,$(PYTEST) -m browser --share=$$share)'

wheel: .venv/test
	$(call within,$(BUDGET_WHEEL)) 'exec $(PYTEST) -m wheel'

bench: .venv/browser
	@$(INSTALL) --group bench
	$(PYTEST) tests/benchmarks -p no:randomly --timeout=0 --capture=no

soak: .venv/browser
	@$(INSTALL) --group bench
	$(PYTEST) tests/benchmarks/soak.py tests/benchmarks/soak_page.py -p no:randomly --timeout=0 --capture=no

format: .venv/test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

sample: .venv/test
	$(BIN)/qalypto generate data_samples --sample

lock: .venv/test
	$(PIP) install --group lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --group dev --upgrade \
		--no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make lock" \
		--output-file $(LOCK) pyproject.toml

# The stamps are renewed when the dependencies or their pins change; an install also bundles the browser's part of the charts.
.venv/runtime: pyproject.toml $(LOCK) $(BUNDLED)
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed, this is ' + sys.version.split()[0])"
	@echo "Setting up .venv: a minute or two, once."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(call within,$(BUDGET_RUNTIME)) '$(PIP) install --constraint $(LOCK) --upgrade pip; exec $(INSTALL) --editable .'
	@touch $@

.venv/test: .venv/runtime
	@echo "Adding the tools for tests."
	@$(call within,$(BUDGET_TOOLS)) 'exec $(INSTALL) --group test --group lint'
	@touch $@

.venv/browser: .venv/test .ci/browser
	@$(call within,$(BUDGET_CHROMIUM)) 'exec sh .ci/browser $(BIN)/python' || echo "No Chromium in time."
	@touch $@

clean:
	rm -rf .venv qalypto_research/charts/bundle .bench .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage* dist build
	find qalypto_research tests -name __pycache__ -type d -prune -exec rm -rf {} +
