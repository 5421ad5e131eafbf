"""Writes docs/cli.md from the `--help` of every command, docs/schema.md from new files, and
docs/settings.md from the declaration of a run's options.

    python docs/generate.py

A test fails when a page is not what this writes.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import typer
from typer.testing import CliRunner

from ace.cli.app import app
from ace.settings import RUNS, Command, Setting, declared_settings
from ace.store import Store
from ace.store.study_file import StudyFile

HERE = Path(__file__).parent
NOTICE = "<!-- Written by docs/generate.py; edit the code it describes. -->"
CODES = """What the [exit codes](running.md#exit-codes) of all commands mean is on the page about running.

`ace playbook` ends with 1 where `verify` finds a problem, `merge` a bullet that both sides edited, or
`restore` a backup that is damaged; where the file is not there, no playbook, damaged, read-only, in use or
of a later release; and where there is no such version, branch, tag or bullet. It ends with 2 where a name is
taken or cannot be one, where `backup` would overwrite a file, and where a text to import does not parse."""
SETTINGS = """The keywords of `ace.learn`, `ace.online`, `ace.evaluate` and `ace.serve`, and the options of
the commands: `batch_size=8` is `--batch-size 8`, and `validate=False` is `--no-validate`. `ace.learner` takes
those of `serve`. A name that a function does not take, and a value out of bounds, raise `InputError`, which
says what to give."""
# Without what SQLite and sqlite-utils keep for themselves.
OBJECTS = "SELECT sql FROM sqlite_schema WHERE sql <> '' AND tbl_name NOT GLOB '*sqlite_*' ORDER BY rowid"


def main() -> None:
    for name, text in pages().items():
        (HERE / name).write_text(text, encoding="utf-8")


def pages() -> dict[str, str]:
    """File name -> content."""
    return {"cli.md": cli_page(), "schema.md": schema_page(), "settings.md": settings_page()}


def cli_page() -> str:
    blocks = [f"## `{' '.join(path)}`\n\n```\n{help_of(path)}\n```" for path in commands(("ace",), root())]
    return "\n\n".join(["# The `ace` command", NOTICE, CODES, *blocks]) + "\n"


def root() -> Any:
    return typer.main.get_command(app)


def commands(path: tuple[str, ...], command: Any) -> Iterator[tuple[str, ...]]:
    """Every command and group, parents first."""
    yield path
    for name, child in getattr(command, "commands", {}).items():
        yield from commands((*path, name), child)


def help_of(path: tuple[str, ...]) -> str:
    done = CliRunner().invoke(app, [*path[1:], "--help"], prog_name="ace", env={"COLUMNS": "80"})
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())


def schema_page() -> str:
    with tempfile.TemporaryDirectory() as folder:
        playbook, study = Path(folder) / "new.db", Path(folder) / "new.study.db"
        Store.open(playbook).close()
        with StudyFile.open(study):
            pass
        tables, study_tables = read_statements(playbook), read_statements(study)
    about = "One SQLite file per playbook. Any SQLite tool can read it; only `ace` should write to it."
    studies = "One SQLite file per [study](compare.md); the playbooks of its cells are files as above."
    blocks = [f"# The playbook file\n\n{NOTICE}\n\n{about}", f"```sql\n{tables}\n```"]
    blocks += [f"## The study file\n\n{studies}", f"```sql\n{study_tables}\n```"]
    return "\n\n".join(blocks) + "\n"


def read_statements(file: Path) -> str:
    """Return what made the tables of a file."""
    with sqlite3.connect(file) as db:
        objects = db.execute(OBJECTS).fetchall()
    db.close()
    return "\n\n".join(f"{sql};" for (sql,) in objects)


def settings_page() -> str:
    rows = [settings_row(setting) for setting in declared_settings().values()]
    head = "| setting | what it does | value | default | taken by |\n| --- | --- | --- | --- | --- |"
    return "\n".join(["# Settings of a run", "", NOTICE, "", SETTINGS, "", head, *rows]) + "\n"


def settings_row(setting: Setting) -> str:
    about = setting.about
    value = setting.type.__name__
    if issubclass(setting.type, StrEnum):
        value = ", ".join(f"`{each}`" for each in setting.type)
    elif about.least is not None:
        value = f"{value}, at least {about.least:g}"
    default = about.unset if setting.default is None else f"`{setting.default}`"
    for command, other in about.defaults.items():
        default = f"{default}; `{command}`: `{other}`"
    names = {Command.EVAL: "evaluate"}
    takers = ", ".join(f"`{names.get(each, each)}`" for each in RUNS if each in about.commands)
    return f"| `{setting.name}` | {about.help} | {value} | {default} | {takers} |"


if __name__ == "__main__":
    main()
