"""The shape of the code: layers, lazy imports, sizes. What is checked here need not be reviewed."""

from __future__ import annotations

import ast
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
    {"api", "cli"},
    {"loop"},
    {"methods", "agent"},
    {"retrieval", "report"},
    {"store"},
    {"context", "memory", "runs", "refine"},
    {"llm"},
    {"task", "playbook"},
    {"safety"},
    {"text"},
    {"settings"},
    {"errors"},
)
RANK = {part: rank for rank, row in enumerate(ROWS) for part in row}
NEVER = {("methods", "store"), ("agent", "store")}  # who proposes cannot write to the store
HEAVY = {
    "bs4",
    "gepa",
    "litellm",
    "matplotlib",
    "numpy",
    "pypdf",
    "river",
    "scipy",
    "sqlglot",
    "sqlite_utils",
    "wordllama",
    "xllamacpp",
}
NEEDS_NOTHING = {"playbook", "context", "refine", "text", "safety"}  # no model, database or network
OUTSIDE = (HEAVY - {"numpy", "scipy"}) | {"sqlite3", "httpx", "requests", "socket"}

IMPORTED_AS = {"beautifulsoup4": "bs4"}

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


@pytest.mark.parametrize("file", [file for file in SOURCES if part_of(file) != "__init__"])
def test_imports_point_down(file: str) -> None:
    part = part_of(file)
    assert part in RANK, f"{part} has no row: give it one in ROWS"
    for name in imports(SOURCES[file]):
        package, *rest = name.split(".")
        if package != "ace" or rest[0] == part:
            continue
        assert rest[0] in RANK, f"{name}: import from the part that defines it"
        assert RANK[rest[0]] > RANK[part], f"{part} may not import {rest[0]}"
        assert (part, rest[0]) not in NEVER, f"{part} may not import {rest[0]}"


@pytest.mark.parametrize("file", SOURCES)
def test_heavy_libraries_are_imported_inside_functions(file: str) -> None:
    assert not {name.split(".")[0] for name in imports(SOURCES[file], lazy=False)} & HEAVY


@pytest.mark.parametrize("file", [file for file in SOURCES if part_of(file) in NEEDS_NOTHING])
def test_pure_parts_reach_nothing_outside(file: str) -> None:
    assert not {name.split(".")[0] for name in imports(SOURCES[file])} & OUTSIDE


@pytest.mark.parametrize("file", SOURCES)
def test_nothing_prints_or_evaluates(file: str) -> None:
    calls = (node.func for node in ast.walk(SOURCES[file]) if isinstance(node, ast.Call))
    called = {function.id for function in calls if isinstance(function, ast.Name)}
    banned = {"eval", "exec"} | (set() if part_of(file) == "cli" else {"print"})
    assert not called & banned


@pytest.mark.parametrize("file", SOURCES)
def test_sizes(file: str) -> None:
    assert len((ROOT / file).read_text(encoding="utf-8").splitlines()) <= 400
    for node in ast.walk(SOURCES[file]):
        if isinstance(node, Function):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= 60, f"{node.name} has {length} lines"


@pytest.mark.parametrize("file", SOURCES)
def test_modules_say_what_they_do_and_leave_nothing_open(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    assert not text.strip() or ast.get_docstring(SOURCES[file])
    assert not [word for word in ("TODO", "FIXME", "raise NotImplemented") if word in text]


@pytest.mark.parametrize(
    "code",
    ["import ace", "import sys; sys.argv = ['ace', '--help']; from ace.cli.main import main; main()"],
    ids=["import ace", "ace --help"],
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
    used = ("documents", "local", "online", "report")
    declared = {*project["dependencies"], *(each for extra in used for each in extras[extra])}
    names = {re.split(r"[^\w-]", requirement)[0].replace("-", "_").lower() for requirement in declared}
    names = {IMPORTED_AS.get(name, name) for name in names}
    imported = {name.split(".")[0] for tree in SOURCES.values() for name in imports(tree)}
    assert imported - sys.stdlib_module_names - {"ace", "__future__"} == names
