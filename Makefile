# RedRock. `make run` serves, `make test` checks everything; both set up what they need, in .venv, and are quick when
# nothing has changed. Variables: PYTHON (a python3 >= 3.11), JOBS (tests at the same time), ARGS (more options).

VENV := .venv
PY := $(VENV)/bin/python
JOBS ?= 2
SOURCES := $(shell find redrock persistence replication -name '*.py' -o -name '*.json')
CHECKED := redrock persistence replication tools tests setup.py
UNIT_TESTS := --ignore=tests/integration --ignore=tests/differential
SERVER_TESTS := tests/integration tests/differential

.PHONY: help test run install develop lint format compiled unit unit-compiled server-tests bench bench-quick redis-suite \
	clean distclean

help:
	@echo "make run           serve on 127.0.0.1:6379 with conf/redrock.conf   (ARGS='--port 7000' for more)"
	@echo "make test          style, types, all tests"
	@echo "make bench         beside redis-server: rates, CPU time, memory     (bench-quick: shorter)"
	@echo "make redis-suite   REDIS_SRC=dir FILES='unit/type/string ...': Redis's own tests against redrock-server"
	@echo "make install lint format compiled unit server-tests clean"

# --- Serving

run: install
	@$(VENV)/bin/redrock-server --version
	exec $(VENV)/bin/redrock-server conf/redrock.conf $(ARGS)

install: $(VENV)/.installed

# Installed as a user would: pip builds the package, with its hot modules compiled if there is a C compiler.
$(VENV)/.installed: $(SOURCES) setup.py pyproject.toml tools/compiled_modules.py
	@tools/prepare.sh venv
	@tools/prepare.sh compiler
	@rm -rf build/lib* build/bdist* build/temp*
	@echo "installing redrock-server into $(VENV); compiling takes a few minutes"
	@$(PY) -m pip install -q --disable-pip-version-check .
	@touch $@

# --- Checking

develop:
	@tools/prepare.sh develop

test: develop
	@tools/prepare.sh redis
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory unit
	@if tools/prepare.sh has-compiler; then \
		$(MAKE) --no-print-directory unit-compiled server-tests; \
	else \
		echo "NOT COMPILED: there is no C compiler here, so the compiled build is not tested"; \
		$(PY) -m pytest -q -n $(JOBS) --dist loadfile $(ARGS) $(SERVER_TESTS); \
	fi

lint: develop
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy --strict

format: develop
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

compiled: develop
	@$(PY) tools/build_compiled.py

unit: develop
	$(PY) -m pytest -q -n $(JOBS) --dist loadfile $(UNIT_TESTS) $(ARGS)

unit-compiled: compiled
	REDROCK_PYTHONPATH=build/compiled $(PY) -m pytest -q -n $(JOBS) --dist loadfile -o pythonpath=build/compiled \
		$(UNIT_TESTS) $(ARGS)

server-tests: compiled
	REDROCK_PYTHONPATH=build/compiled $(PY) -m pytest -q -n $(JOBS) --dist loadfile $(SERVER_TESTS) $(ARGS)

# --- Measuring and comparing

bench: compiled
	@tools/prepare.sh redis
	@$(PY) tools/bench.py $(ARGS)

bench-quick: compiled
	@tools/prepare.sh redis
	@$(PY) tools/bench.py --quick $(ARGS)

redis-suite: compiled
	@test -n "$(REDIS_SRC)" || { echo "REDIS_SRC=dir: the source tree of Redis 7.0.15"; exit 1; }
	@test -n "$(FILES)" || { echo "FILES='unit/type/string unit/expire ...'"; exit 1; }
	@tools/prepare.sh redis
	@$(PY) tools/run_redis_tcl.py --source "$(REDIS_SRC)" $(ARGS) $(FILES)

# --- Tidying

clean:
	rm -rf build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find redrock persistence replication tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)
