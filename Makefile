# Every target does its own set-up: a bare Debian or Ubuntu with Python 3.11+, pip, git and make is enough.
PY := .venv/bin/python
SETUP := .venv/.ready
BROWSER := .venv/.browser
# Files, not single tests, go to the workers: what a file sets up once is made once.
PYTEST := $(PY) -m pytest -n auto --dist loadfile

.PHONY: setup setup-tests demo test test-walls test-agents check format bench bench-verifier bench-trust clean

setup: $(SETUP)

$(SETUP): pyproject.toml requirements.lock scripts/setup
	scripts/setup

# What tests need beyond that: a browser to look at the deck with.
setup-tests: $(BROWSER)

$(BROWSER): $(SETUP) scripts/setup-tests
	scripts/setup-tests

demo: $(SETUP)
	$(PY) demo/run.py

test: $(BROWSER)
	$(PYTEST)

# Every try against the walls and the verdicts, as root and as an ordinary user, and a table of what came of it.
test-walls: $(SETUP)
	$(PYTEST) tests/walls

# Claude Code, Codex, Gemini CLI and OpenCode, installed in their pinned versions: each mends a bug behind walls, with
# nothing but loopback, and a table of what came of it. Takes 1.5 GB of disk and, for the last of them, 1.2 GB of memory.
test-agents: $(SETUP)
	$(PY) -m pytest tests/agents

check: $(BROWSER)
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
