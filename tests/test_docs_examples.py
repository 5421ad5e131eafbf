"""Run or compile every block of code in the manual: Python is executed, commands are parsed, data is read.

A block that cannot run here is in `NOT_RUN` with the reason. It is compiled all the same.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

import ace
from ace.cli.app import app
from ace.task import load_task
from ace.testing import World
from tests.test_docs import OTHER_PAGES, PAGES, ROOT, documented
from tests.world import world

FENCE = re.compile(r"^```([\w+-]*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHELL = {"bash", "sh", "shell", "console"}
PROGRAM = re.compile(r"^(?:\.venv/bin/)?(?:ace|pip|python3?|just|sqlite3|datasette)\b", re.MULTILINE)
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
SPAN = re.compile(r"(?<!`)`((?:ace|python benchmarks/|just) ?[^`]+)`(?!`)")
GENERATED = {"docs/cli.md"}
"""Pages whose blocks are what the commands print themselves."""

DEFAULT = re.compile(r"`(--[a-z-]+)`[^`(.|]{0,14}\(([0-9][0-9,]*)\)")
"""An option in a sentence, with its default behind it: "`--window` answers (20)"."""

HISTORY = {"CHANGELOG.md", "docs/decisions.md"}
"""Pages that may name what is gone."""

NOT_RUN = {
    "docs/adapters.md": "needs the frameworks: `just frameworks` executes each in an environment of its own",
    "docs/inspect.md": "needs Inspect: `just adapter-inspect` executes it",
    "docs/mcp.md": "needs an MCP server on an address: tests/test_mcp.py opens such servers",
    "docs/api.md 4": "needs a store with a history: tests/test_docs.py executes it on one",
    "docs/documents.md": "needs a folder of documents: tests/test_docs.py executes it on one",
    "docs/postgres.md": "needs a server: tests/test_postgres.py has one of its own",
    "docs/compare.md": "compares on a task folder of the checkout: tests/test_compare_study.py does",
    "docs/worlds.md": "needs the packages of the worlds: `just adapters` executes each",
    "docs/own-agent.md": "asks a provider: tests/test_loop_own_agent.py executes it with one on loopback",
    "README.md": "tests/test_api.py executes it with a scripted model in place of the local one",
}
"""Page, or page and number of the Python block from 1, to the reason."""


def blocks(page: str) -> list[tuple[str, str]]:
    """Return the language and the text of each block of a page."""
    return FENCE.findall((ROOT / page).read_text(encoding="utf-8"))


def python_blocks(page: str) -> list[tuple[str, str]]:
    """Return the name of each Python block, as `NOT_RUN` has it, and its code."""
    codes = [text for language, text in blocks(page) if language in ("python", "py")]
    return [(f"{page} {number}", code) for number, code in enumerate(codes, start=1)]


PYTHON_PAGES = [page for page in PAGES if python_blocks(page)]


class Model(World):
    """Stand for a model that a page connects, and for one that is closed after a block."""

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *raised: object) -> None: ...


def make_capitals(folder: Path) -> dict[str, Any]:
    (folder / "path" / "to").mkdir(parents=True)
    documented("capitals", folder / "path" / "to")
    return {"task": world(), "store": ace.open_playbook(folder / "colours.db")}


def make_domains(folder: Path) -> dict[str, Any]:
    def judge(sample: ace.Sample, answer: str) -> bool:
        return False

    tasks = {
        name: ace.define_task(name, [{"id": "1", "question": f"How many {what} were late?"}], judge)
        for name, what in {"shop": "parcels", "handbook": "bikes"}.items()
    }
    return {**tasks}


SETUPS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "docs/api.md": make_capitals,
    "docs/teams.md": make_domains,
}
"""What a page takes as given, by its name: files in the folder that it runs in, and names."""


@pytest.mark.parametrize("page", PYTHON_PAGES)
def test_python_compiles(page: str) -> None:
    for name, code in python_blocks(page):
        assert compile(code, name, "exec", dont_inherit=True).co_filename == name


@pytest.mark.parametrize("page", [page for page in PYTHON_PAGES if page not in NOT_RUN])
def test_python_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They run in order, in one namespace and an empty folder, with models made of functions."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ace.api.connect", lambda name, **options: Model())
    monkeypatch.setattr(ace, "connect", lambda name, **options: Model(), raising=False)
    names = {"__name__": page, "ace": ace, **SETUPS.get(page, lambda folder: {})(tmp_path)}
    given = set(names)
    blocks_to_run = [(name, code) for name, code in python_blocks(page) if name not in NOT_RUN]
    for name, code in blocks_to_run:
        exec(compile(code, name, "exec", dont_inherit=True), names)
    assert set(names) > given or not blocks_to_run, "no block does anything that a later one could use"


def test_the_world_of_functions_is_a_task(tmp_path: Path) -> None:
    """The table, the class and the row of the page on tools, as the files of a folder."""
    table, world_of_functions, row = (text for language, text in blocks("docs/tools.md") if language)
    for name, text in {"task.toml": table, "shop.py": world_of_functions, "train.jsonl": row}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    task = load_task(tmp_path, trust=True)  # makes the right calls in a world of their own
    assert [sample.id for sample in task.train] == ["a"]


def test_the_tables_of_a_row_are_a_task(tmp_path: Path) -> None:
    row = next(text for _, text in blocks("docs/worlds.md") if '"tables"' in text)
    table = 'name = "clubs"\nenvironment = "tables"\ninstructions = "."\n[data]\ntrain = "train.jsonl"\n'
    (tmp_path / "task.toml").write_text(table, encoding="utf-8")
    (tmp_path / "train.jsonl").write_text(row, encoding="utf-8")
    assert load_task(tmp_path).train[0].question == "Set what Alma won to 4."


def test_what_is_not_run_is_there() -> None:
    known = {name for page in PAGES for block, _ in python_blocks(page) for name in (page, block)}
    assert set(NOT_RUN) <= known


@pytest.mark.parametrize("page", PAGES)
def test_data_can_be_read(page: str) -> None:
    for language, text in blocks(page):
        if language == "toml":
            assert tomllib.loads(text)
        elif language == "json":
            assert read_json(text)
        elif language == "jsonl":
            assert read_lines(text)


def read_json(text: str) -> Any:
    """Read one value, or JSON lines, as many a page shows a file."""
    try:
        return json.loads(text)
    except ValueError:
        return read_lines(text)


def read_lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def shell_blocks(page: str) -> list[str]:
    """Return the blocks of commands: those marked so, and those without a mark that begin with a program."""
    found = [] if page in GENERATED else blocks(page)
    return [text for language, text in found if language in SHELL or (not language and PROGRAM.match(text))]


def commands_of(page: str) -> list[list[str]]:
    """Return the words of each command of a page, in blocks and in sentences; `&&` begins another one."""
    lines = [line for text in shell_blocks(page) for line in re.split(r"\n|&&", text.replace("\\\n", " "))]
    prose = FENCE.sub("", (ROOT / page).read_text(encoding="utf-8"))
    lines += [" ".join(span.split()) for span in SPAN.findall(prose)]
    words = [shlex.split(line, comments=True) for line in lines if PROGRAM.match(line.strip())]
    return [[each[0].removeprefix(".venv/bin/"), *each[1:]] for each in words]


SHELL_PAGES = [page for page in [*PAGES, *OTHER_PAGES] if page not in HISTORY and commands_of(page)]


@pytest.mark.parametrize("page", SHELL_PAGES)
@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_commands_are_bash(page: str) -> None:
    text = "\n".join(line for block in shell_blocks(page) for line in block.splitlines() if line[:1] != "{")
    done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", SHELL_PAGES)
def test_commands_take_their_options(page: str) -> None:
    """Each `ace` command has the options that it is shown with; each script, recipe and extra is there."""
    text = (ROOT / "justfile").read_text(encoding="utf-8")
    recipes = set(re.findall(r"^([\w-]+)[^:\n]*:", text, re.MULTILINE))
    scripts = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("benchmarks/*.py"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for program, *arguments in commands_of(page):
        line = f"{program} {' '.join(arguments)}"
        options = set(OPTION.findall(line))
        if program == "ace":
            assert options <= options_of(arguments), line
        elif program == "just":
            assert arguments[0] in recipes, line
        elif program == "python" and arguments[0].endswith(".py"):
            known = scripts + (ROOT / arguments[0]).read_text(encoding="utf-8")
            assert {option for option in options if f'"{option}"' not in known} == set(), line
        elif program == "pip":
            extras = re.findall(r"(?:\.|ace-engine)\[([\w,-]+)\]", line)
            named = {name for extra in extras for name in extra.split(",")}
            assert named <= set(project["optional-dependencies"]), line


@cache
def root_command() -> Any:
    return typer.main.get_command(app)


def options_of(arguments: list[str]) -> set[str]:
    """Return the options of the command that the first words name."""
    command = root_command()
    for word in arguments:
        children = getattr(command, "commands", {})
        if word not in children:
            command = children.get(getattr(command, "default", ""), command)
            break
        command = children[word]
    return {name for each in command.params for name in (*each.opts, *each.secondary_opts)} | {"--help"}


def defaults(command: Any) -> Iterator[tuple[str, Any]]:
    """Yield each option of a command and of those below it, with its default."""
    for parameter in command.params:
        yield from ((name, parameter.default) for name in parameter.opts)
    for child in getattr(command, "commands", {}).values():
        yield from defaults(child)


@pytest.mark.parametrize("page", [page for page in PAGES if page not in HISTORY])
def test_defaults_in_sentences_are_those_of_a_command(page: str) -> None:
    known = {(name, str(default)) for name, default in defaults(root_command())}
    named = DEFAULT.findall((ROOT / page).read_text(encoding="utf-8"))
    assert [each for each in named if (each[0], each[1].replace(",", "")) not in known] == []
