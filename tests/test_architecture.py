"""The shape of the code: layers, lazy imports, sizes. What is checked here need not be reviewed."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "ace").rglob("*.py"))
SOURCES = {file.relative_to(ROOT).as_posix(): ast.parse(file.read_text(encoding="utf-8")) for file in FILES}

# From the top down. A folder imports from rows below its own, and never from its own row.
ROWS = (
    {"cli"},
    {"servers"},
    {"api", "testing"},
    {"loop"},
    {"methods", "agent"},
    {"retrieval", "report", "hooks"},
    {"store"},
    {"context", "memory", "runs", "refine"},
    {"llm"},
    {"task", "playbook"},
    {"safety"},
    {"text"},
    {"settings"},
    {"errors", "lazy"},
)
RANK = {part: rank for rank, row in enumerate(ROWS) for part in row}
NEVER = {("methods", "store"), ("agent", "store")}  # who proposes cannot write to the store
HEAVY = {
    "anyio",
    "bs4",
    "gepa",
    "httpx2",
    "inspect_ai",
    "litellm",
    "matplotlib",
    "mcp",
    "numpy",
    "opentelemetry",
    "pandas",
    "psycopg",
    "pypdf",
    "ray",
    "river",
    "scipy",
    "sqlglot",
    "sqlite_utils",
    "uvicorn",
    "wordllama",
    "xllamacpp",
}
NEEDS_NOTHING = {"playbook", "context", "refine", "text", "safety"}  # no model, database or network
OUTSIDE = (HEAVY - {"numpy", "scipy"}) | {"sqlite3", "httpx", "requests", "socket"}

IMPORTED_AS = {"markdown_it_py": "markdown_it", "python_stdnum": "stdnum", "beautifulsoup4": "bs4",
               "pydantic_ai_slim": "pydantic_ai", "openai_agents": "agents",
               "opentelemetry_sdk": "opentelemetry",
               "opentelemetry_exporter_otlp_proto_http": "opentelemetry"}  # fmt: skip

FRAMEWORKS = ("dspy", "inspect", "langchain", "openai-agents", "pydantic-ai", "smolagents")

GENERAL = ("methods", "loop", "agent", "context", "refine")  # know no environment and no task
SQL_WORD = re.compile(
    r"\b(?:(?i:sql\w*|\w+_sql|columns?|foreign keys?)|SELECT|JOIN|WHERE|FROM|COUNT|SUM|GROUP BY|ORDER BY)\b"
)
SPOKEN_OF = {"own_agent", "Collection"}  # a task that is named after a part, and a name of Python

Function = ast.FunctionDef | ast.AsyncFunctionDef


def imports(node: ast.AST, *, lazy: bool = True) -> Iterator[str]:
    """Dotted names of what a tree imports; without `lazy`, only what importing the module imports."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "relative imports hide the layers"
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        elif lazy or not (isinstance(child, Function) or _for_types_only(child)):
            yield from imports(child, lazy=lazy)


def _for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def part_of(file: str) -> str:
    return Path(file).parts[1].removesuffix(".py")


def imported_packages(tree: ast.Module, *, lazy: bool = True) -> set[str]:
    """Return the top-level packages that a file imports."""
    return {name.split(".")[0] for name in imports(tree, lazy=lazy)}


def test_every_part_has_a_row() -> None:
    assert {part_of(file) for file in SOURCES} - {"__init__"} == set(RANK)


def test_imports_point_down() -> None:
    upward = []
    for file, tree in SOURCES.items():
        part = part_of(file)
        for name in imports(tree):
            package, *rest = name.split(".")
            if package != "ace" or rest[0] == part or part == "__init__":
                continue
            assert rest[0] in RANK, f"{file}: {name}: import from the part that defines it"
            if RANK[rest[0]] <= RANK[part] or (part, rest[0]) in NEVER:
                upward.append(f"{file} imports {name}")
    assert upward == []


def test_heavy_libraries_are_imported_inside_functions() -> None:
    heavy = {file: imported_packages(tree, lazy=False) & HEAVY for file, tree in SOURCES.items()}
    assert {file: names for file, names in heavy.items() if names} == {}


def test_pure_parts_reach_nothing_outside() -> None:
    pure = {file: tree for file, tree in SOURCES.items() if part_of(file) in NEEDS_NOTHING}
    outside = {file: imported_packages(tree) & OUTSIDE for file, tree in pure.items()}
    assert {file: names for file, names in outside.items() if names} == {}


def test_nothing_prints_or_evaluates() -> None:
    offences = []
    for file, tree in SOURCES.items():
        banned = {"eval", "exec"} if part_of(file) == "cli" else {"eval", "exec", "print"}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in banned:
                offences.append(f"{file}:{node.lineno} {node.func.id}")
    assert offences == []


def test_files_and_functions_are_of_a_size_to_read() -> None:
    long = []
    for file, tree in SOURCES.items():
        lines = len((ROOT / file).read_text(encoding="utf-8").splitlines())
        if lines > 400:
            long.append(f"{file} has {lines} lines")
        for node in ast.walk(tree):
            if isinstance(node, Function) and (node.end_lineno or node.lineno) - node.lineno >= 60:
                long.append(f"{file}: {node.name} has more than 60 lines")
    assert long == []


def test_modules_say_what_they_do_and_leave_nothing_open() -> None:
    silent, left = [], []
    for file, tree in SOURCES.items():
        text = (ROOT / file).read_text(encoding="utf-8")
        if text.strip() and not ast.get_docstring(tree):
            silent.append(file)
        left += [f"{file}: {word}" for word in ("TODO", "FIXME", "raise NotImplemented") if word in text]
    assert silent == [] and left == []


@pytest.mark.parametrize(
    "code",
    [
        "import ace",
        "import ace.store",
        "import sys; sys.argv = ['ace', '--help']; from ace.cli.main import main; main()",
    ],
    ids=["import ace", "import ace.store", "ace --help"],
)
def test_starting_imports_nothing_heavy(code: str) -> None:
    heavy = HEAVY | {"pydantic", "rich.progress", "jinja2"}
    program = f"""
import atexit, sys
atexit.register(lambda: sys.stderr.write(repr(sorted({heavy!r} & set(sys.modules)))))
{code}
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stderr == "[]"


def test_dependencies_are_what_is_imported() -> None:
    """Neither undeclared (it came along with something else) nor unused."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    used = (
        "documents",
        "frames",
        "gepa",
        "local",
        "mcp",
        "online",
        "otel",
        "postgres",
        "ray",
        "report",
        "scienceworld",
        "serve",
        "spreadsheets",
        "textworld",
        *FRAMEWORKS,
    )
    declared = {*project["dependencies"], *(each for extra in used for each in extras[extra])}
    names = {re.split(r"[^\w-]", requirement)[0].replace("-", "_").lower() for requirement in declared}
    names = {IMPORTED_AS.get(name, name) for name in names}
    imported = {name.split(".")[0] for tree in SOURCES.values() for name in imports(tree)}
    assert imported - sys.stdlib_module_names - {"ace", "__future__"} == names


def general_texts() -> dict[str, str]:
    """Return what stands in the general parts: code with its comments, prompts, data files."""
    kinds = {".py", ".j2", ".toml"}
    files = [file for part in GENERAL for file in sorted((ROOT / "ace" / part).rglob("*"))]
    return {
        file.relative_to(ROOT).as_posix(): file.read_text("utf-8") for file in files if file.suffix in kinds
    }


def test_general_parts_hold_no_word_of_sql() -> None:
    lexicon = "ace/refine/data/english.toml"  # English has columns, too
    found = {file: set(SQL_WORD.findall(text)) for file, text in general_texts().items()}
    found[lexicon] -= {"column"}
    assert {file: words for file, words in found.items() if words} == {}


def test_general_parts_hold_no_word_of_a_task() -> None:
    """Neither the name of a task, nor a column of its database, nor a name that its questions speak of."""
    tasks = ROOT / "tasks"
    words = {folder.name for folder in tasks.iterdir() if folder.is_dir()} - SPOKEN_OF
    for file in tasks.glob("*/*.sql"):
        for table, body in re.findall(r"CREATE TABLE (\w+)\s*\((.*?)\);", file.read_text("utf-8"), re.DOTALL):
            words |= {f"{table}.{name}" for name in re.findall(r"(?:^|,)\s*(\w+)", body)}
    names = set[str]()
    for file in tasks.glob("*/*.jsonl"):
        for line in file.read_text("utf-8").splitlines():
            question = json.loads(line).get("question", "")
            names |= set(re.findall(r"(?<=[a-z,] )[A-Z][a-z]{3,}", question))
    texts = general_texts()
    package = " ".join(file.read_text("utf-8") for file in (ROOT / "ace").rglob("*.py"))
    small = set(
        re.findall(r"[a-z]+", package + " ".join(texts.values()))
    )  # "Silver" is a name in a task only
    words |= {name for name in names - SPOKEN_OF if name.lower() not in small}
    assert len(words) > 100, "the tasks are not read"
    found = {file: words & set(re.findall(r"\w+(?:\.\w+)?", text)) for file, text in texts.items()}
    assert {file: hits for file, hits in found.items() if hits} == {}
