"""Which column holds what: as somebody says, else by its name, else by what stands in it.

Each guess has its reason. Where it cannot be told, it is asked and not guessed.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any
from unicodedata import normalize

from ace.errors import InputError
from ace.task.new_task.row_table import RowTable
from ace.text.splitting import split_words

_LETTERS = "abcdefghij"
_FILLED = 0.9  # share of rows in which the column of a question, or an answer, has something
_LONGER = 2.0  # times: by so much a question has more words than any other column, where names say nothing
_MOST_NAME = 5  # words of a name; what is longer is a value
_SHOWN = 40  # characters of a value in a message


class ColumnRole(StrEnum):
    """Name what a column is to a task. The values are those of the options that choose it."""

    QUESTION = "question"
    ANSWER = "answer"
    ID = "id"
    SPLIT = "split"
    CONTEXT = "context"
    CHOICES = "choices"


@dataclass(frozen=True, slots=True)
class ColumnRoles:
    """Hold the columns of each role, with the reasons, and those that have none."""

    columns: Mapping[ColumnRole, tuple[str, ...]]
    """The question and the answer have one each; context and choices may have several, or none."""

    reasons: Mapping[ColumnRole, str] = field(default_factory=dict)
    """Why, in a phrase for people."""

    unused: tuple[str, ...] = ()
    """Columns that no part of the task is made of."""

    notes: tuple[str, ...] = ()
    """What somebody should know of columns that look like something and are not used as that."""

    def first(self, role: ColumnRole) -> str:
        """Return the only column of a role, or "" where it has none."""
        return next(iter(self.columns.get(role, ())), "")


def guess_columns(table: RowTable, chosen: Mapping[ColumnRole, Sequence[str]]) -> ColumnRoles:
    """Return the role of each column; `chosen` are those that somebody named.

    Raises InputError for a name that no column has, for a column that is to be two things, and where no
    column, or more than one, could be the question or the answer: it shows the columns and the options to
    choose with.
    """
    columns: dict[ColumnRole, tuple[str, ...]] = {}
    reasons: dict[ColumnRole, str] = {}
    for role, names in chosen.items():
        if names:
            columns[role] = tuple(_require_column(table, role, name) for name in names)
            reasons[role] = "as you said"
    taken = [name for names in columns.values() for name in names]
    twice = [name for name, count in Counter(taken).items() if count > 1]
    if twice:
        options = [f"--{role}" for role, names in columns.items() if twice[0] in names]
        message = f"{table.file}: {twice[0]} is given twice, by {' and '.join(options)}."
        raise InputError(message, hint="Name another column for one of them.", field=options[-1][2:])
    free = [name for name in table.columns if name not in taken]
    if ColumnRole.CHOICES not in columns:
        choices = _find_choices(table, free)
        if choices:
            columns[ColumnRole.CHOICES] = choices
            reasons[ColumnRole.CHOICES] = "by their names" if len(choices) > 1 else "by its name"
            free = [name for name in free if name not in choices]
    for role in (ColumnRole.ANSWER, ColumnRole.QUESTION, ColumnRole.ID, ColumnRole.SPLIT, ColumnRole.CONTEXT):
        if role in columns:
            continue
        name = _find_by_name(table, role, free)
        if name:
            columns[role] = (name,)
            reasons[role] = "by its name"
            free.remove(name)
    notes = _drop_unfit(table, columns, reasons, chosen)
    free = [name for name in table.columns if not any(name in names for names in columns.values())]
    if not columns and _begins_with_value(table):
        raise _ask(table, ColumnRole.QUESTION, [])
    if ColumnRole.QUESTION not in columns:
        name = _find_question(table, free)
        columns[ColumnRole.QUESTION] = (name,)
        reasons[ColumnRole.QUESTION] = "it has the longest texts"
        free.remove(name)
    if ColumnRole.ANSWER not in columns:
        candidates = [name for name in free if _count_filled(table, name) >= _FILLED]
        if len(candidates) != 1:
            raise _ask(table, ColumnRole.ANSWER, candidates)
        columns[ColumnRole.ANSWER] = (candidates[0],)
        reasons[ColumnRole.ANSWER] = "no other column is full"
        free.remove(candidates[0])
    return ColumnRoles(columns, reasons, tuple(free), tuple(notes))


def map_split(value: Any) -> str:
    """Return train, val or test for what a column of splits says, or "" for anything else."""
    text = str(value).strip().casefold()
    for split, words in _read_names()["splits"].items():
        if text in words:
            return split
    return ""


@cache
def _read_names() -> dict[str, dict[str, list[str]]]:
    """Return the tables of column_names.toml."""
    file = files("ace.task.new_task") / "column_names.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


def _fold_name(name: str) -> str:
    """Return a column's name in the form that the lists have, without the number of a second one."""
    plain = re.sub(r"\.\d+$", "", normalize("NFKC", name))
    return re.sub(r"[\W_]+", "_", plain.casefold()).strip("_")


def _require_column(table: RowTable, role: ColumnRole, name: str) -> str:
    """Return the column that somebody named; capitals do not count. Raises InputError where there is none."""
    if name in table.columns:
        return name
    matches = [column for column in table.columns if column.casefold() == name.casefold()]
    if len(matches) == 1:
        return matches[0]
    message = f"{table.file} has no column {name!r:.60} for --{role}."
    raise InputError(message, hint=f"It has: {', '.join(table.columns)}.", field=role.value)


def _find_by_name(table: RowTable, role: ColumnRole, free: Sequence[str]) -> str:
    """Return the free column whose name says that it has a role: the whole name, else one word of it.

    Raises InputError where a question or an answer could be one of several. For other roles that is "".
    """
    names = _read_names()["columns"][role.value]
    for name in names:
        matches = [column for column in free if _fold_name(column) == name]
        if len(matches) == 1:
            return matches[0]
        if matches and role in (ColumnRole.QUESTION, ColumnRole.ANSWER):
            raise _ask(table, role, matches)
    if role not in (ColumnRole.QUESTION, ColumnRole.ANSWER):
        return ""
    for name in names:
        if len(name) < 4:  # "a" and "q" are words of many names
            continue
        matches = [column for column in free if name in _fold_name(column).split("_")]
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise _ask(table, role, matches)
    return ""


def _find_choices(table: RowTable, free: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of options: a list under one name, or one column an option, as A, B and C."""
    for name in free:
        values = table.column(name)
        if _fold_name(name) in _read_names()["columns"]["choices"] and all(
            isinstance(value, list | dict) for value in values
        ):
            return (name,)
    before = "|".join(map(re.escape, _read_names()["options"]["before"]))
    pattern = re.compile(rf"(?:(?:{before})_?)?([{_LETTERS}]|\d{{1,2}})")
    lettered: dict[str, str] = {}
    for name in free:
        match = pattern.fullmatch(_fold_name(name))
        if match:
            lettered.setdefault(match[1], name)
    for marks in (_LETTERS, "123456789", "0123456789"):
        run = [lettered[mark] for mark in marks[: len(lettered)] if mark in lettered]
        if len(run) >= 3 and len(run) == len(lettered):
            return tuple(run)
    return ()


def _drop_unfit(
    table: RowTable,
    columns: dict[ColumnRole, tuple[str, ...]],
    reasons: dict[ColumnRole, str],
    chosen: Mapping[ColumnRole, Sequence[str]],
) -> list[str]:
    """Take roles away that a column has by its name only, and not by its values. Return why.

    Ids must be there and differ; splits must be words that are known. Raises InputError for such a column
    that somebody has `chosen`.
    """
    notes: list[str] = []
    problems: dict[ColumnRole, str] = {}
    name = next(iter(columns.get(ColumnRole.ID, ())), "")
    if name:
        (value, count) = Counter(str(value).strip() for value in table.column(name)).most_common(1)[0]
        if count > 1:
            problems[ColumnRole.ID] = f"{value!r:.40} stands in {count} rows" if value else "some are empty"
    name = next(iter(columns.get(ColumnRole.SPLIT, ())), "")
    if name:
        unknown = [value for value in table.column(name) if not map_split(value)]
        if unknown:
            problems[ColumnRole.SPLIT] = f"{unknown[0]!r:.40} is neither train, val nor test"
    for role, problem in problems.items():
        name = columns[role][0]
        if chosen.get(role):
            hint = "Name another column, or leave it out."
            message = f"{table.file}: {name} cannot be --{role}: {problem}."
            raise InputError(message, hint=hint, field=role.value)
        notes.append(f"{name} is not used as {role}: {problem}")
        del columns[role], reasons[role]
    return notes


def _find_question(table: RowTable, free: Sequence[str]) -> str:
    """Return the column with by far the longest texts. Raises InputError where there is none."""
    words = {}
    for name in free:
        if _count_filled(table, name) >= _FILLED:
            values = table.column(name)
            words[name] = sum(len(split_words(str(value))) for value in values) / max(len(values), 1)
    order = sorted(words, key=lambda name: -words[name])
    if order and words[order[0]] >= _LONGER * max((words[name] for name in order[1:]), default=1.0):
        return order[0]
    raise _ask(table, ColumnRole.QUESTION, order)


def _count_filled(table: RowTable, name: str) -> float:
    """Return the share of rows in which a column has something."""
    values = table.column(name)
    return sum(bool(str(value).strip()) for value in values) / max(len(values), 1)


def _begins_with_value(table: RowTable) -> bool:
    """Tell whether the first column is called like a value: then the first row is probably no header."""
    first = table.columns[0] if table.columns else ""
    return first.endswith("?") or len(first.split()) > _MOST_NAME or first.replace(".", "").isdecimal()


def _ask(table: RowTable, role: ColumnRole, candidates: Sequence[str]) -> InputError:
    """Return the error that asks for the column of a role, with what stands in the first row."""
    examples = []
    for name in candidates or table.columns:
        value = str(table.rows[0].values.get(name, "") if table.rows else "")
        example = value if len(value) <= _SHOWN else f"{value[:_SHOWN]}..."
        examples.append(f"{name} ({example!r})")
    listed = ", ".join(examples)
    hint = f"Name it with --{role} COLUMN."
    if not candidates and _begins_with_value(table):
        hint += (
            " If the first row is no header, give --no-header as well: columns are 'column 1', 'column 2'."
        )
    if candidates:
        message = f"{table.file}: the {role} could be one of {len(candidates)} columns: {listed}."
    else:
        message = f"{table.file}: no column looks like the {role}: {listed}."
    return InputError(message, hint=hint, field=role.value)
