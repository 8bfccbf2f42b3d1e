# Two commands do all set-up on a bare machine: `make serve` and `make test`.
# Needs make and Python 3.11, 3.12 or 3.13 with venv; everything else goes into .venv.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip
# Stamps: a set-up that is up to date takes no time.
SERVE_READY := $(VENV)/.ready-serve
TEST_READY := $(VENV)/.ready-test
INPUTS := pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.PHONY: help setup serve test test-compat test-deploy test-image bench bench-peers guard lint types layers protos sync-client reference clean

help:
	@echo "make serve    set up what serving needs and serve the shipped models (ARGS='--http-port 8080' is handed on)"
	@echo "make test     set up what development needs and run all tests (ARGS='-k vae' is handed on)"
	@echo "make test-compat  run the clients of others, each in an environment of its own, against a server (ARGS=triton: one)"
	@echo "make test-deploy  alerts by promtool, dashboards by a real Prometheus against a server under load"
	@echo "make test-image  build the image with Docker, try it and Compose (BASE=image: on another base; BUILD='--network host': more words)"
	@echo "make bench    measure brood under load, about ten minutes on a quiet machine (ARGS='--only dcgan' is handed on)"
	@echo "make bench-peers  measure it beside six other servers, about 25 minutes (ARGS=--make-environments first, once)"
	@echo "make guard    count what the hot paths take, beside what they took"
	@echo "make setup    set up what development needs"
	@echo "make lint     ruff, and generated code is up to date"
	@echo "make types    mypy --strict"
	@echo "make layers   who may import whom"
	@echo "make protos   generate the gRPC code again"
	@echo "make reference  write docs/reference again"
	@echo "make sync-client  make the blocking client of the one for asyncio again"

$(BIN)/python:
	@echo "== looking for Python 3.11 to 3.13"
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	  if $$python -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; \
	  then echo "== making $(VENV) with $$($$python --version)"; exec $$python -m venv $(VENV); fi; \
	done; \
	echo "error: no Python 3.11, 3.12 or 3.13 with the modules venv and ensurepip (on Debian: python3-venv) found;" >&2; \
	echo "       install one, or name it: make PYTHON=/path/to/python3.12" >&2; exit 1

$(SERVE_READY): $(INPUTS) | $(BIN)/python
	@echo "== installing what serving needs (about 0.5 GB; a few minutes the first time)"
	$(PIP) install --progress-bar on -c constraints.txt -e '.[cpu,video]'
	@touch $@

$(TEST_READY): $(INPUTS) | $(BIN)/python
	@echo "== installing what development needs (with torch; a few minutes the first time)"
	$(PIP) install --progress-bar on -c constraints.txt -e '.[cpu,dev]'
	@touch $(SERVE_READY) $@

setup: $(TEST_READY)

serve: $(SERVE_READY)
	@exec $(BIN)/brood serve $(ARGS)

test: $(TEST_READY)
	$(BIN)/pytest $(ARGS)

test-compat: $(TEST_READY)
	$(BIN)/python tests/compat/run.py $(ARGS)

test-deploy: $(TEST_READY)
	@command -v promtool >/dev/null && command -v prometheus >/dev/null || { \
	  echo "== installing Prometheus"; apt-get install -y -qq --no-install-recommends prometheus; } || { \
	  echo "error: put prometheus and promtool into the PATH (on Debian, as root: apt-get install prometheus)" >&2; exit 1; }
	$(BIN)/pytest -m tools tests/deploy $(ARGS)

test-image: $(TEST_READY)
	docker build -f deploy/docker/Dockerfile $(if $(BASE),--build-arg BASE=$(BASE)) $(BUILD) -t brood:test .
	$(if $(BASE),docker build -f tests/deploy/prometheus.Dockerfile --build-arg BASE=$(BASE) $(BUILD) -t brood-prometheus:test tests/deploy)
	$(if $(BASE),PROMETHEUS_IMAGE=brood-prometheus:test) IMAGE=brood:test $(BIN)/pytest -m docker tests/deploy $(ARGS)

bench: $(TEST_READY)
	$(BIN)/python tests/bench/bench_serving.py $(ARGS)

bench-peers: $(TEST_READY)
	$(BIN)/python tests/bench/peers/run.py $(ARGS)

guard: $(TEST_READY)
	$(BIN)/python tests/bench/bench_guard.py $(ARGS)

lint: $(TEST_READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python scripts/protos.py --check
	$(BIN)/python scripts/unasync.py --check
	$(BIN)/python scripts/reference.py --check
	$(BIN)/python scripts/families.py --check
	$(BIN)/python scripts/observability.py --check
	$(BIN)/python scripts/chart_readme.py --check
	$(BIN)/python scripts/bench_readme.py --check

types: $(TEST_READY)
	$(BIN)/mypy service exporters clients/python tests scripts

layers: $(TEST_READY)
	$(BIN)/lint-imports

protos: $(TEST_READY)
	$(BIN)/python scripts/protos.py

sync-client: $(TEST_READY)
	$(BIN)/python scripts/unasync.py

reference: $(TEST_READY)
	$(BIN)/python scripts/reference.py

clean:
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
