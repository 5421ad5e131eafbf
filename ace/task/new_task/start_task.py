"""Makes a task folder from a table: guess, propose, split, write, check.

Nothing half-written is left behind.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unicodedata import combining, normalize

from ace.errors import InputError, TaskError
from ace.task.environments.answer import AnswerEnvironment
from ace.task.environments.scorers import OPTIONS, SCORERS
from ace.task.extraction import Extraction
from ace.task.folder import load_task
from ace.task.makers.add_task import write_folder
from ace.task.makers.draft import SPLITS, Row, TaskDraft
from ace.task.new_task.choices import Choices, find_choices, letter_options
from ace.task.new_task.column_roles import ColumnRole, ColumnRoles, guess_columns, map_split
from ace.task.new_task.row_table import RowTable
from ace.task.new_task.scoring_proposal import ScoringProposal, propose_scoring
from ace.task.new_task.split_rows import draw_splits, join_repeated
from ace.task.new_task.task_toml import write_toml
from ace.task.samples import NAME, check_task, to_sample


@dataclass(frozen=True, slots=True, kw_only=True)
class StartOptions:
    """Hold what somebody decides instead of having it guessed or proposed."""

    out: Path
    """The folder to be made."""

    name: str = ""
    """Of the task; "" for that of the folder."""

    columns: Mapping[ColumnRole, Sequence[str]] = field(default_factory=dict)
    """Columns by their role; those that are not named are guessed."""

    scorer: str = ""
    """One of `SCORERS`; "" for a proposal."""

    extract: str | None = None
    """As task.toml has it, "" for the whole reply; None for a proposal."""

    instructions: str = ""
    """What the agent is told before every question; "" for a proposal."""

    sizes: Mapping[str, int] = field(default_factory=dict)
    """How many rows splits shall have, at most."""

    seed: int = 0
    """Draws the splits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedTask:
    """Say what was guessed, proposed and written."""

    folder: Path
    table: RowTable
    roles: ColumnRoles
    scoring: ScoringProposal

    sizes: Mapping[str, int]
    """How many rows each split has."""

    spare: int
    """How many rows that can be used are in no split, because it would be larger than was asked for."""

    left_out: Mapping[str, str]
    """Why rows are no part of the task, by place, as "tickets.csv:17"."""


def name_task(text: str) -> str:
    """Return a name for a task from that of a file, which may hold any signs: "my data (1)" is my_data_1."""
    plain = "".join(sign for sign in normalize("NFKD", text) if not combining(sign))
    name = re.sub(r"[^A-Za-z0-9.-]+", "_", plain).strip("_.-")
    return name or "my_task"


def start_task(table: RowTable, options: StartOptions, *, write: bool = True) -> StartedTask:
    """Make the folder of a task from the rows of a table; without `write` only say what it would be.

    Rows that the task could not use are left out by name. Raises InputError for a folder that exists, a name
    that cannot be one, columns that cannot be told, and where no row, or too few of them, can be used.
    Without `write` the folder may exist.
    """
    out = options.out
    name = options.name or out.name
    if not NAME.fullmatch(name):
        hint = "Give another with --name: letters, digits, '_', '-' and '.'."
        raise InputError(f"{name!r:.60} cannot be the name of a task.", hint=hint, field="name")
    if write and os.path.lexists(out):
        raise InputError(f"{out} exists.", hint="Give another folder with --out, or remove it.", field="out")
    roles = guess_columns(table, options.columns)
    built = _build_rows(table, roles)
    rows, repeated = join_repeated(built.rows, built.places)
    scoring = _decide_scoring(rows, roles, options)
    splits, refused = _draw_sound(rows, built.named, scoring, options)
    left_out = {**built.left_out, **repeated, **{built.places[row]: why for row, why in refused.items()}}
    _require_enough(table, splits, refused, scoring, left_out)
    if write:
        draft = TaskDraft(toml=write_toml(name, scoring, table.file))
        _write_checked(out, draft, {split: splits[split] for split in SPLITS if splits[split]})
    sizes = {split: len(splits[split]) for split in SPLITS}
    return StartedTask(
        folder=out,
        table=table,
        roles=roles,
        scoring=scoring,
        sizes=sizes,
        spare=len(rows) - len(refused) - sum(sizes.values()),
        left_out={**table.left_out, **left_out},
    )


@dataclass(slots=True)
class _BuiltRows:
    """Collect rows of a table as a task has them."""

    rows: list[Row] = field(default_factory=list)

    places: dict[str, str] = field(default_factory=dict)
    """Where each row stands, by its id, as "tickets.csv:17"."""

    named: dict[str, str] = field(default_factory=dict)
    """The split that the file names for each row, by its id; empty where no column does."""

    left_out: dict[str, str] = field(default_factory=dict)
    """Why other rows cannot be used, by place."""


def _build_rows(table: RowTable, roles: ColumnRoles) -> _BuiltRows:
    """Return the rows as a task has them, with what is known of each, and why others are left out."""
    question_column = roles.first(ColumnRole.QUESTION)
    answer_column = roles.first(ColumnRole.ANSWER)
    id_column = roles.first(ColumnRole.ID)
    split_column = roles.first(ColumnRole.SPLIT)
    choice_columns = roles.columns.get(ColumnRole.CHOICES, ())
    choices: Choices | None = None
    if choice_columns:
        choices = find_choices(table, choice_columns, answer_column)
    built = _BuiltRows()
    for source in table.rows:
        place = f"{table.file}:{source.line}"
        identity = f"row-{source.line}"
        if id_column:
            identity = str(source.values[id_column]).strip()
        question = str(source.values.get(question_column, "")).strip()
        answer = _plain_answer(source.values.get(answer_column))
        if not question:
            built.left_out[place] = f"no question: {question_column} is empty"
            continue
        if answer in ("", [], {}):  # 0 is one
            built.left_out[place] = f"no answer: {answer_column} is empty"
            continue
        for name in roles.columns.get(ColumnRole.CONTEXT, ()):
            text = str(source.values.get(name, "")).strip()
            if text:
                question = f"{question}\n\n{name}:\n{text}"
        if choices is not None:
            try:
                answer = choices.letter(source.values, answer)
            except ValueError as error:
                built.left_out[place] = f"{answer_column}: {error}"
                continue
            question = letter_options(question, choices.options(source.values))
        built.rows.append({"id": identity, "question": question, "answer": answer})
        built.places[identity] = place
        if split_column:
            built.named[identity] = map_split(source.values[split_column])
    return built


def _plain_answer(value: Any) -> Any:
    """Return a right answer as a row of a task may have it; "" where there is none.

    true and false become words, an empty list or object is none.
    """
    if value is None or value == [] or value == {}:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict) and set(value) >= {"text"} and isinstance(value["text"], list):
        value = list(dict.fromkeys(map(str, value["text"])))  # SQuAD's, of which each is right
    if isinstance(value, list):
        parts = [part for part in value if str(part).strip()]
        return parts[0] if len(parts) == 1 else parts
    return value.strip() if isinstance(value, str) else value


def _decide_scoring(rows: Sequence[Row], roles: ColumnRoles, options: StartOptions) -> ScoringProposal:
    """Return the proposal for the rows, with what somebody decided in its place. Raises InputError."""
    letters = ColumnRole.CHOICES in roles.columns
    scoring = propose_scoring([row["answer"] for row in rows], letters=letters)
    if options.scorer:
        if options.scorer not in SCORERS:
            hint = f"Give one of {', '.join(SCORERS)}."
            raise InputError(f"No scorer is called {options.scorer!r:.40}.", hint=hint, field="scorer")
        allowed = OPTIONS.get(options.scorer, ())
        suitable = {key: value for key, value in scoring.options.items() if key in allowed}
        scoring = replace(
            scoring, scorer=options.scorer, options=suitable, why_scorer="as you said", warning=""
        )
    if options.extract is not None:
        try:
            Extraction.parse(options.extract)
        except ValueError as error:
            raise InputError(str(error), hint="Correct --extract.", field="extract") from error
        scoring = replace(scoring, extract=options.extract, why_extract="as you said")
    if options.instructions:
        scoring = replace(scoring, instructions=options.instructions.strip())
    return scoring


def _draw_sound(
    rows: Sequence[Row], named: Mapping[str, str], scoring: ScoringProposal, options: StartOptions
) -> tuple[dict[str, list[Row]], dict[str, str]]:
    """Return splits of rows that the scorer takes, and why it refuses others, by id.

    Only rows that are drawn are looked at; those it refuses are replaced by others.
    """
    refused: dict[str, str] = {}
    sound: set[str] = set()
    while True:
        usable = [row for row in rows if row["id"] not in refused]
        splits = draw_splits(usable, options.sizes, options.seed, named=named)
        unseen = [row for part in splits.values() for row in part if row["id"] not in sound]
        problems = _find_refused(unseen, scoring)
        sound.update(row["id"] for row in unseen)
        refused.update(problems)
        if not problems:
            return splits, refused


def _find_refused(rows: Sequence[Row], scoring: ScoringProposal) -> dict[str, str]:
    """Return why the scorer refuses rows, by id: an answer has another form, or does not count as right."""
    environment = AnswerEnvironment(scoring.scorer, **scoring.options)
    refused: dict[str, str] = {}
    for row in rows:
        sample = to_sample(row)
        try:
            environment.check(sample)
            outcome = environment.score(sample, environment.make_gold_attempt(sample))
        except TaskError as error:
            refused[row["id"]] = error.message
            continue
        if not outcome.correct:
            refused[row["id"]] = f"its own answer scores {outcome.score:g} by the scorer {scoring.scorer!r}"
    return refused


def _require_enough(
    table: RowTable,
    splits: Mapping[str, Sequence[Row]],
    refused: Mapping[str, str],
    scoring: ScoringProposal,
    left_out: Mapping[str, str],
) -> None:
    """Raise InputError where no row is left to learn from, or the scorer refuses as many as it takes."""
    first = next((f"The first: {place}: {why}." for place, why in left_out.items()), "")
    taken = sum(map(len, splits.values()))
    if refused and len(refused) >= taken:
        message = f"{table.file}: the scorer {scoring.scorer!r} refuses {len(refused)} answers. {first}"
        raise InputError(message, hint="Choose another with --scorer.", field="scorer")
    if not taken:
        hint = "Name other columns with --question and --answer."
        raise InputError(f"{table.file}: no row has a question and an answer. {first}", hint=hint)
    if not splits["train"]:
        hint = "Ask for fewer with --val and --test, or give more rows."
        raise InputError(f"{table.file}: no row is left to learn from.", hint=hint)


def _write_checked(out: Path, draft: TaskDraft, splits: Mapping[str, Sequence[Row]]) -> None:
    """Write the folder under another name, check it as `ace tasks check` does, and give it its name.

    Raises InputError where it cannot be written, and where it does not pass; then nothing is left behind.
    """
    work = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        write_folder(work, draft, splits)
        problems = [str(problem) for problem in check_task(load_task(work, check=False))]
        if problems:
            hint = "Leave the row out of the file."
            raise InputError(f"The task would not be valid: {problems[0]}", hint=hint)
        work.rename(out)
    except OSError as error:
        message = f"{out} cannot be written ({error.strerror or error})."
        raise InputError(message, hint="Give another folder with --out.", field="out") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
