# Everything a person does with the project; `make help` lists it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.setup
READY_DEV := $(VENV)/.setup-dev
DOCS_VENV := $(VENV)/docs
DOCS_READY := $(DOCS_VENV)/.setup

# What a person may set: make mirror CONF=mirror.conf AIRFLOW_PORT=9001
PYTHON ?=
CONF ?=
AIRFLOW_PORT ?= 8081
NGINX_PORT ?=
UPSTREAM_PORT ?= 8082
INSTALL ?=
OFFLINE ?= build/offline
WHEELS ?=
CASES ?=
REPEAT ?= 3
SCALE ?= 1
# A part of the benchmark, or a smaller one, is a trial: it does not replace what the documents are made from.
TRIAL := $(or $(CASES),$(filter-out 1,$(SCALE)))
RESULTS ?= $(if $(TRIAL),var/bench,bench)/results.json
DOCS ?= $(if $(TRIAL),var/bench/docs,docs)
BENCH_OUTPUT = --results '$(RESULTS)' --docs '$(DOCS)' \
	$(if $(TRIAL),,--readme README.md --figures docs/sizing.md)
CAMPAIGN ?=
SHARE ?= 1
SEED ?=

STACK = $(PY) -m local_stack
STACK_PORTS = --airflow-port '$(AIRFLOW_PORT)' --upstream-port '$(UPSTREAM_PORT)' \
	$(if $(NGINX_PORT),--nginx-port '$(NGINX_PORT)') $(if $(CONF),--conf '$(CONF)')

.PHONY: help
help:  ## list every target
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "  Variables: CONF=FILE (your mirror.conf), AIRFLOW_PORT=8081, NGINX_PORT=8080 (the site),"
	@echo "  UPSTREAM_PORT=8082 (the stand-in), INSTALL=NAME (what 'mirror' installs at the end), PYTHON=PROGRAM,"
	@echo "  OFFLINE=DIR (what 'offline' fills), WHEELS=DIR (what 'setup' installs from instead of an index)"

.PHONY: setup
setup: $(READY)  ## make .venv with every package pinned and hash-checked

.PHONY: offline
# Of the pins of requirements-dev.txt uv's alone, which 'setup' installs first.
offline: $(READY)  ## fill build/offline with all packages, for 'make setup WHEELS=DIR' on a machine without internet
	@mkdir -p '$(OFFLINE)/wheels'
	@for list in requirements.txt $(VENV)/uv.txt; do \
		$(PY) -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
			--dest '$(OFFLINE)/wheels' -r $$list; \
	done
	@{ echo "pypi-mirror's packages, for a machine without internet with"; \
	echo; \
	$(PY) -c 'import platform, sysconfig; print("   ", "Python", ".".join(platform.python_version_tuple()[:2]), "on", sysconfig.get_platform())'; \
	echo; \
	echo "Copy this directory and the checkout there. Then, in the checkout:"; \
	echo; \
	echo "    make setup WHEELS=/path/to/this/directory/wheels"; \
	echo; \
	echo "Each package is compared with its digest in requirements.txt, and no index is contacted."; \
	} > '$(OFFLINE)/README.md'
	@echo "$(OFFLINE): $$(ls '$(OFFLINE)/wheels' | wc -l) packages, $$(du -sh '$(OFFLINE)' | cut -f 1)"

.PHONY: mirror
mirror: $(READY)  ## mirror real packages with Airflow, then install one through nginx (CONF=FILE: yours)
	@$(STACK) mirror $(STACK_PORTS) $(if $(INSTALL),--install '$(INSTALL)')

.PHONY: up
up: $(READY)  ## start Airflow's UI and nginx and leave them running
	@$(STACK) up $(STACK_PORTS)

.PHONY: down
down: $(READY)  ## stop what 'up' started, and what a crash left behind
	@$(STACK) down

.PHONY: env
env:  ## write a private .env with random secrets, for docker-compose.yaml
	@deploy/make-env.sh

.PHONY: test
test: $(READY_DEV)  ## run the tests (TESTS='tests/pages -x': what pytest is to do instead of all)
ifdef TESTS
	$(PY) -m pytest $(TESTS)
else
	@echo "two halves side by side, since those under Airflow mostly wait"
	@$(MAKE) --jobs=2 --keep-going test-airflow test-others
endif

.PHONY: test-fast
test-fast: $(READY_DEV)  ## the tests to run before each commit, in about a minute
	$(PY) -m pytest --fast --quiet --numprocesses 2 --dist worksteal tests

.PHONY: test-airflow
# Three that wait in vain for one Airflow that hangs are enough.
test-airflow: $(READY_DEV)  ## the tests that run Airflow
	$(PY) -m pytest -m airflow --maxfail 3 | sed --unbuffered 's/^/airflow | /'

.PHONY: test-others
test-others: $(READY_DEV)  ## all other tests
	$(PY) -m pytest -m 'not airflow' --numprocesses 2 --dist loadfile | sed --unbuffered 's/^/others  | /'

.PHONY: screenshots
screenshots: $(READY_DEV)  ## pictures of the page in Airflow: docs/screenshots, all in build/screenshots (needs chromium, chromium-driver)
	$(PY) -m pytest tests/browser --screenshots

.PHONY: lint
lint: $(READY_DEV)  ## ruff, mypy, import rules and Airflow's own deprecations
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	PYTHONPATH=plugins $(VENV)/bin/lint-imports
	$(VENV)/bin/ruff check --select AIR dags plugins

.PHONY: bench
bench: $(READY_DEV)  ## measure against bandersnatch and curl (CASES=A,C REPEAT=3 SCALE=0.1 COMPARE=bench/results.json; needs nginx, curl)
	@$(PY) -m bench $(if $(CASES),--cases '$(CASES)') --repeat '$(REPEAT)' --scale '$(SCALE)' \
		$(if $(COMPARE),--compare '$(COMPARE)') $(BENCH_OUTPUT)

.PHONY: bench-docs
bench-docs: $(READY_DEV)  ## make the figures of docs/ and README again from bench/results.json
	@$(PY) -m bench --documents-only $(BENCH_OUTPUT)

.PHONY: docs
docs: $(DOCS_READY)  ## make a site of README and docs/ in build/site, and check its links
	@rm -rf build/pages build/site && mkdir -p build/pages
	@cp --parents README.md ARCHITECTURE.md CHANGELOG.md CONTRIBUTING.md include/mirror.conf build/pages
	@cp -R docs deploy build/pages
	@$(DOCS_VENV)/bin/zensical build --strict --clean
	@echo "build/site/index.html"

.PHONY: wheel
wheel: $(READY)  ## the engine and its command line as a wheel in dist/, for a machine without Airflow
	$(PY) -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	@rm -rf build/lib build/bdist.*
	@echo dist/*.whl

.PHONY: torture
torture: $(READY_DEV)  ## attack it: faults, crashes, a hostile upstream (CAMPAIGN=NAME SHARE=0.05 SEED=1; needs nginx)
	@$(PY) -m tests.torture --share '$(SHARE)' $(if $(CAMPAIGN),--campaign '$(CAMPAIGN)') $(if $(SEED),--seed '$(SEED)')

.PHONY: lock
lock: $(READY_DEV)  ## pin and hash every requirement again, from the .in files
	$(VENV)/bin/uv pip compile $(LOCK_OPTIONS) --python-version 3.11 --output-file requirements.txt requirements.in
	$(VENV)/bin/uv pip compile $(LOCK_OPTIONS) --python-version 3.11 --output-file requirements-dev.txt requirements-dev.in
	$(VENV)/bin/uv pip compile $(LOCK_OPTIONS) --python-version 3.11 --output-file requirements-docs.txt requirements-docs.in
	$(VENV)/bin/uv pip compile $(LOCK_OPTIONS) --output-file requirements-poetry.txt requirements-poetry.in
	$(VENV)/bin/uv pip compile $(LOCK_OPTIONS) --python-version 3.12 --output-file \
		bench/requirements-bandersnatch.txt bench/requirements-bandersnatch.in
	$(VENV)/bin/uv pip compile $(LOCK_OPTIONS) --python-version 3.11 --no-strip-extras --output-file requirements-celery.txt \
		$$(sed -n 's/^\([A-Za-z0-9_.-]*\)\(\[.*\]\)\{0,1\}==.*/--no-emit-package \1/p' requirements.txt) \
		requirements-celery.in
	$(VENV)/bin/uv pip compile $(LOCK_OPTIONS) --python-version 3.11 --no-strip-extras --output-file requirements-kubernetes.txt \
		$$(sed -n 's/^\([A-Za-z0-9_.-]*\)\(\[.*\]\)\{0,1\}==.*/--no-emit-package \1/p' requirements.txt requirements-celery.txt) \
		requirements-kubernetes.in
	for tool in celery profile; do $(VENV)/bin/uv pip compile $(LOCK_OPTIONS) --python-version 3.11 --output-file \
		bench/requirements-$$tool.txt bench/requirements-$$tool.in; done

LOCK_OPTIONS := --quiet --universal --generate-hashes --upgrade \
	--no-emit-index-url --no-annotate --no-header

.PHONY: clean
clean:  ## remove .venv, caches and ./var (the local mirror too); 'down' first
	@if [ -x $(PY) ]; then $(STACK) down; fi
	rm -rf $(VENV) var build dist .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The first of these that is 3.11 to 3.14 and can make an environment with pip in it.
PYTHONS = $(or $(PYTHON),python3.13 python3.12 python3.11 python3)
SUITS := sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))

PIP = $(PY) -m pip install --quiet --quiet --disable-pip-version-check
# uv does in ten seconds what takes pip a minute. Where it does not get at the packages, pip may: it reads pip.conf.
install = $(VENV)/bin/uv pip install --quiet --compile-bytecode --python $(PY) --require-hashes $(2) -r $(1) 2>/dev/null \
	|| $(PIP) --require-hashes $(2) -r $(1)

# What 'offline' filled on a machine with internet takes the place of every index.
ifneq ($(WHEELS),)
export PIP_NO_INDEX := 1
export PIP_FIND_LINKS := $(abspath $(WHEELS))
export UV_NO_INDEX := 1
export UV_FIND_LINKS := $(abspath $(WHEELS))
endif

# The stamps of an environment whose Python is gone (upgraded away, another machine's) do not count.
$(shell $(PY) -c 'import sys, pip; $(SUITS)' 2>/dev/null || rm -f $(READY) $(READY_DEV))

$(READY): requirements.txt pyproject.toml
	@if ! $(PY) -c 'import sys, pip; $(SUITS)' 2>/dev/null; then \
		for python in $(PYTHONS) ''; do \
			if [ -z "$$python" ]; then \
				echo "make: no Python 3.11 to 3.14 with its venv module among: $(PYTHONS)." >&2; \
				echo "make: On Debian and Ubuntu 'apt-get install python3 python3-venv' brings it;" \
					"or name yours: make setup PYTHON=/path/to/python3.12" >&2; \
				exit 1; \
			fi; \
			if "$$python" -c 'import sys, venv, ensurepip; $(SUITS)' 2>/dev/null; then break; fi; \
		done; \
		echo "making $(VENV) with $$("$$python" --version)"; \
		"$$python" -m venv --clear $(VENV); \
	fi
	@echo "installing requirements.txt (once)"
	@sed -n '/^uv==/,/[^\\]$$/p' requirements-dev.txt > $(VENV)/uv.txt
	@$(PIP) --require-hashes -r $(VENV)/uv.txt
	@$(call install,requirements.txt)
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

# What requirements-celery.txt lists is beside requirements.txt, so pip is not to look for the rest of it.
$(READY_DEV): requirements-dev.txt requirements-celery.txt $(READY)
	@echo "installing requirements-dev.txt and requirements-celery.txt"
	@$(call install,requirements-dev.txt)
	@$(call install,requirements-celery.txt,--no-deps)
	@touch $@

# An environment of its own, so that nothing of the site's decides what the mirror or its tests run with.
$(DOCS_READY): requirements-docs.txt $(READY_DEV)
	@echo "installing requirements-docs.txt"
	@$(VENV)/bin/uv venv --quiet --clear --python $(PY) $(DOCS_VENV)
	@$(VENV)/bin/uv pip install --quiet --python $(DOCS_VENV)/bin/python --require-hashes -r requirements-docs.txt
	@touch $@
