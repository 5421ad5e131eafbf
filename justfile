# Everything a contributor runs. `just` alone checks what CI checks, and the style.

python := ".venv/bin/python"

default: lint types test

# A virtual environment with everything in it
install:
    python3 -m venv .venv
    {{python}} -m pip install -e '.[dev]'

test *args:
    {{python}} -m pytest {{args}}

lint:
    {{python}} -m ruff check .
    {{python}} -m ruff format --check .

format:
    {{python}} -m ruff check --fix .
    {{python}} -m ruff format .

types:
    {{python}} -m mypy

# The shape of the code: sizes, depths, names; and how far one learned sample walks through it
shape:
    {{python}} -m tests.shape
    {{python}} -m tests.walk

# Regenerate docs/cli.md and docs/schema.md
docs:
    {{python}} docs/generate.py

# The demonstration of the README
demo:
    .venv/bin/ace learn tasks/shop_sql

# Tests of adapters against the real packages, each in an environment of its own
adapters: adapter-tau2

adapter-tau2:
    test -x .adapters/tau2/bin/python || python3 -m venv .adapters/tau2
    .adapters/tau2/bin/python -m pip install --quiet -e '.[tau2]' hypothesis pytest pytest-timeout
    .adapters/tau2/bin/python -m pytest tests/test_tau2.py tests/test_mcp.py
