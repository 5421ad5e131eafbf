"""The [solver] table of task.toml. Imported on first use only, because pydantic is."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from ace.errors import InputError, describe_error
from ace.task.own_module import CLASS_NAME, load_class, module_file
from ace.task.read_text import read_text
from ace.task.solving import AGENT_SECONDS, OwnCommand, OwnSolver, SolverChoice, Solving, hash_text
from ace.task.team import Team, TeamAgent, TeamSolving
from ace.task.toml_models import TomlModel
from ace.task.toml_table import TomlTable

_SOLVING = Solving()
_BUILT_IN = {"single": (), "outline": ("words", "mends"), "tools": ("steps", "seconds", "answers")}
_KINDS = "'single', 'outline', 'tools', 'team', 'command' or 'module:Class'"
_MOST_SECONDS = 86_400

Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""The name of an environment variable."""

Seconds = Annotated[float, Field(gt=0, le=_MOST_SECONDS)]
"""A time for one attempt: more than nothing, and a day at the most."""


class BuiltInTable(TomlModel):
    """Choose a solver of the engine, with what its kind has to set. The fields are those of `Solving`."""

    kind: Literal["single", "outline", "tools"] = "single"
    words: Annotated[int, Field(ge=1)] = _SOLVING.words
    mends: Annotated[int, Field(ge=0)] = _SOLVING.mends
    steps: Annotated[int, Field(ge=1, le=1_000)] = _SOLVING.steps
    seconds: Seconds = _SOLVING.seconds
    answers: bool = _SOLVING.answers


class TeamTable(TomlModel):
    """Choose a team: see `Team` and `TeamSolving`."""

    kind: Literal["team"]
    start: str
    agents: Annotated[list[dict[str, Any]], Field(min_length=1, description="tables [[solver.agents]]")]
    steps: Annotated[int, Field(ge=1, le=1_000)] = 30
    seconds: Seconds = _SOLVING.seconds
    answers: bool = _SOLVING.answers
    handovers: Annotated[int, Field(ge=1)] = 4
    notes: bool = True


class AgentTable(TomlModel):
    """Describe an agent of a team: see `TeamAgent`."""

    name: Annotated[
        str, Field(pattern=r"^[a-z][a-z0-9_-]*$", description="small letters, digits, '_' and '-'")
    ]
    instructions: str = ""
    about: str = ""
    tools: list[str] | None = None
    hands_to: Annotated[list[str], Field(default_factory=list)]
    steps: Annotated[int, Field(ge=1, le=1_000)] = 10
    share: Annotated[float, Field(gt=0, le=1)] = 1.0


class CommandTable(TomlModel):
    """Name a command that makes attempts, and what it may take: see `OwnCommand`."""

    kind: Literal["command"]

    command: Annotated[
        list[Annotated[str, Field(min_length=1)]],
        Field(min_length=1, description="a list of words, as ['python3', 'agent.py']"),
    ]

    seconds: Seconds = AGENT_SECONDS

    env: Annotated[tuple[Name, ...], Field(description="names of environment variables", strict=False)] = ()

    memory: Annotated[int, Field(ge=0)] = 4_096
    """Megabytes; 0 is no limit."""

    output: Annotated[int, Field(ge=1)] = 1_000_000
    """Bytes."""


class ClassTable(TomlModel):
    """Name a class that makes attempts: see `OwnSolver`."""

    kind: str
    """The "module:Class"."""

    options: Annotated[dict[str, Any], Field(default_factory=dict)]
    """What the class is made with; any keys."""

    seconds: Seconds | None = None


def load_solver(table: TomlTable, default: Solving = _SOLVING) -> SolverChoice:
    """Return what the [solver] table says; what it does not say is as in `default`.

    Raises TaskError for an unknown kind or key, a command that cannot be found, and a class that does not
    load.
    """
    kind = table.values.get("kind", default.kind)
    if kind == OwnCommand.kind:
        return _load_command(table)
    if kind == "team":
        return _load_team(table)
    if isinstance(kind, str) and CLASS_NAME.fullmatch(kind):
        return _load_class(table, kind)
    if isinstance(kind, str) and kind not in _BUILT_IN:
        raise table.problem("kind", f"Expected {_KINDS}, found {kind!r}.")
    settings = table.validate(BuiltInTable)
    for key in sorted(table.values.keys() - {"kind", *_BUILT_IN[kind]}):
        owner = next(name for name, keys in _BUILT_IN.items() if key in keys)
        raise table.problem(key, "Unknown key.", f"Only the kind {owner!r} has it.")
    return replace(default, **{**settings.model_dump(exclude_unset=True), "kind": kind})


def _load_team(table: TomlTable) -> TeamSolving:
    """Return the team. Raises TaskError for a wrong agent, and for agents that do not fit together."""
    settings = table.validate(TeamTable)
    agents = []
    for number, values in enumerate(settings.agents, start=1):
        row = TomlTable(table.file, values, f"{table.prefix}agents[{number}].").validate(AgentTable)
        tools = None if row.tools is None else tuple(row.tools)
        agents.append(
            TeamAgent(
                name=row.name,
                instructions=row.instructions.strip(),
                about=row.about.strip(),
                tools=tools,
                hands_to=tuple(row.hands_to),
                steps=row.steps,
                share=row.share,
            )
        )
    try:
        team = Team(
            agents=tuple(agents),
            start=settings.start,
            handovers=settings.handovers,
            notes=settings.notes,
        )
    except InputError as error:
        raise table.problem("agents", error.message, error.hint) from error
    return TeamSolving(steps=settings.steps, seconds=settings.seconds, answers=settings.answers, team=team)


def program_path() -> str:
    """Return the PATH that an agent's process gets: this Python's folder, and the system's default."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.defpath.lstrip(os.pathsep)])


def _load_command(table: TomlTable) -> OwnCommand:
    """Return the command, with a digest of the files of the task folder that it names.

    A program without a "/" may be an installed one. Raises TaskError for a path that leaves the task folder,
    and for a program or script that is not there.
    """
    settings = table.validate(CommandTable)
    folder = table.file.parent.resolve()
    contents: list[str] = []  # of its files
    for place, word in enumerate(settings.command):
        is_program = place == 0
        if is_program and "/" not in word and shutil.which(word, path=program_path()):
            continue
        target = (folder / word).resolve()
        if "/" in word and "://" not in word and not target.is_relative_to(folder):
            hint = "Name a program without its path, and copy its files into the task folder."
            raise table.problem("command", f"{word!r} leaves the task folder.", hint)
        if target.is_file():
            contents.append(read_text(target))
        elif is_program or Path(word).suffix in (".py", ".sh", ".js"):
            message = f"No such program or file: {word!r}."
            raise table.problem("command", message, "Install it, or correct it.")
    command = tuple(settings.command)
    if (folder / command[0]).is_file():
        command = (str(folder / command[0]), *command[1:])
    return OwnCommand(
        command=command,
        folder=folder,
        seconds=settings.seconds,
        memory=settings.memory,
        output=settings.output,
        env=settings.env,
        digest=hash_text(*contents),
    )


def _load_class(table: TomlTable, name: str) -> OwnSolver:
    """Load the class. It is made when a run begins, because it may ask the run's model.

    Raises TaskError where it does not load, or has no method `solve`.
    """
    settings = table.validate(ClassTable)
    folder = table.file.parent.resolve()
    try:
        create = load_class(folder, name)
    except (Exception, SystemExit) as error:  # of the user's own code: this is the field to look at
        reason = describe_error(error)
        raise table.problem("kind", f"{name} does not load ({reason}).") from error
    if not callable(getattr(create, "solve", None)):
        hint = "`solve(self, sample, context, workspace, draw)` returns an Attempt."
        raise table.problem("kind", f"{name} has no method solve.", hint)
    file = module_file(folder, name)
    return OwnSolver(
        create=create,
        name=name,
        options=settings.options,
        seconds=settings.seconds,
        digest=hash_text(read_text(file)) if file else "",
    )
