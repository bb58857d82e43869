# Every target does its own set-up: a bare Debian or Ubuntu with Python 3.11+, pip, git and make is enough.
PY := .venv/bin/python
SETUP := .venv/.ready
# Files, not single tests, go to the workers: what a file sets up once is made once.
PYTEST := $(PY) -m pytest -n auto --dist loadfile

.PHONY: setup demo test test-walls check format bench bench-verifier bench-trust clean

setup: $(SETUP)

$(SETUP): pyproject.toml requirements.lock scripts/setup
	scripts/setup

demo: $(SETUP)
	$(PY) demo/run.py

test: $(SETUP)
	$(PYTEST)

# Every try against the walls and the verdicts, as root and as an ordinary user, and a table of what came of it.
test-walls: $(SETUP)
	$(PYTEST) tests/walls

check: $(SETUP)
	$(PY) -m ruff format --check src tests bench demo scripts
	$(PY) -m ruff check src tests bench demo scripts
	$(PY) -m mypy
	$(PYTEST)

format: $(SETUP)
	$(PY) -m ruff format src tests bench demo
	$(PY) -m ruff check --fix src tests bench demo

bench: $(SETUP)
	$(PY) -m bench

bench-verifier: $(SETUP)
	$(PY) -m compileall -q src/reeve  # as an installed package is
	$(PY) -m bench.verifier

# REEVE_DATA=FOLDER plays the public records too; then what was measured is written to docs/trust.md.
bench-trust: $(SETUP)
	$(PY) -m bench.trust --record

clean:
	rm -rf .venv .tools demo-run .mypy_cache .ruff_cache
