"""Environments of games in text: an agent types commands, and the game keeps the score.

The score is the game's own, so it is a label. An attempt is judged by typing its commands again in a new
game, which goes the same way: what an attempt leaves has no score in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ace.errors import WorkspaceFailed
from ace.task.environments.worlds.check_call import find_problem
from ace.task.environments.worlds.world_process import WorldPool, WorldProcess
from ace.task.types import Attempt, Environment, Outcome, Sample
from ace.task.workspace import Observation, ToolCall, ToolSpec, Workspace

COMMANDS = "commands"
"""The name of the artifact that holds the commands of an attempt, as a JSON list."""

_SECONDS_TO_START = 90.0  # of Java, and of a game with its gold commands
_SECONDS_TO_ACT = 30.0
_NOTHING: Mapping[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}
_COMMAND = {"type": "string", "description": 'as in "open door"'}
_ACT = ToolSpec(
    "act",
    "Type one command. The game answers.",
    {
        "type": "object",
        "properties": {"command": _COMMAND},
        "required": ["command"],
        "additionalProperties": False,
    },
)
_LOOK = ToolSpec("look", "Describe what you see. Takes no time.", _NOTHING)
_INVENTORY = ToolSpec("inventory", "List what you carry. Takes no time.", _NOTHING)
_LIST = ToolSpec("commands", "List the commands that the game understands now. Takes no time.", _NOTHING)


@dataclass(frozen=True, slots=True)
class Game:
    """Describe a package of games."""

    module: str
    """The one that runs it: see `serve_world`."""

    required: Mapping[str, type]
    """The fields of a sample that name a game, with their types."""

    optional: Mapping[str, type]
    """Those that it may have beside them, with their types."""


TEXTWORLD = Game(
    "ace.task.environments.worlds.play_textworld",
    required={"game": str, "seed": int},
    optional={"fold": str, "parameters": str},
)
SCIENCEWORLD = Game(
    "ace.task.environments.worlds.play_scienceworld",
    required={"game": str, "variation": int},
    optional={"simplifications": str},
)


@dataclass(slots=True)
class GameWorkspace(Workspace):
    """Hold one game that goes on. Its process is given back when it is closed."""

    pool: WorldPool
    """Lends the process."""

    process: WorldProcess
    """Runs the game."""

    steps: int
    """The number of commands that may be typed."""

    specs: Sequence[ToolSpec]
    """The tools: to type a command, and to look."""

    commands: list[str] = field(default_factory=list)
    """Those that were typed, in order."""

    failure: str = ""
    """Why the game broke down."""

    is_over: bool = False
    """Whether the game is won, lost, or broken down."""

    is_closed: bool = False
    """Whether the process was given back."""

    bounded = True
    repeats = True

    def tools(self) -> Sequence[ToolSpec]:
        """Return the same tools all the time."""
        return self.specs

    def call(self, call: ToolCall) -> Observation:
        """Type a command, or look. When the game breaks down the attempt ends."""
        problem = find_problem(self.specs, call)
        command = call.arguments.get("command", "")
        if self.is_over or self.is_closed:
            problem = "the game is over"
        elif call.name == _ACT.name and not problem and (not command.strip() or "\n" in command):
            problem = "a command is one line of text"
        if problem:
            return Observation.error(problem, ends=self.is_over)
        try:
            if call.name != _ACT.name:
                found = self.process.ask("show", _SECONDS_TO_ACT, what=call.name)
                return Observation(found if isinstance(found, str) else json.dumps(found, ensure_ascii=False))
            reply = self.process.ask("act", _SECONDS_TO_ACT, command=command)
        except WorkspaceFailed as error:
            self.failure, self.is_over = str(error), True
            return Observation.error(str(error), ends=True)
        self.commands.append(command)
        text = reply["text"]
        self.is_over = reply["ended"]
        if not self.is_over and len(self.commands) >= self.steps:
            self.is_over = True
            text = f"{text}\n(That was the last of {self.steps} commands.)"
        return Observation(text, ends=self.is_over)

    def finish(self) -> Mapping[str, str]:
        """Return the commands in their order. Raises WorkspaceFailed where the game broke down."""
        if self.failure:
            raise WorkspaceFailed(self.failure)
        return {COMMANDS: json.dumps(self.commands, ensure_ascii=False)}

    def close(self) -> None:
        """Give the process back."""
        if not self.is_closed:
            self.is_closed = True
            self.pool.give_back(self.process)


class TextGameEnvironment(Environment):
    """Samples name a game, and may carry `gold`, commands that win it. The score is the game's own.

        {"id": "coin-7", "question": "Find the coin and take it.", "game": "coin", "seed": 7,
         "gold": ["look around", "take coin"]}

    Gold commands are only shown as what is right: a game that is won another way is won.
    """

    label_field = "gold"
    bounded = True

    def __init__(self, game: Game, *, steps: int = 100, lists_commands: bool = True, most: int = 4) -> None:
        """Take how many commands an attempt may type, and how many games may go on at once.

        `lists_commands`: whether an agent may ask which commands are understood.
        """
        self.game = game
        self.steps = steps
        self.specs = [_ACT, _LOOK, _INVENTORY]
        if lists_commands:
            self.specs.append(_LIST)
        self.pool = WorldPool(game.module, most)

    def open(self, sample: Sample) -> GameWorkspace:
        """Begin the game of a sample. Raises WorkspaceFailed where it does not begin."""
        process, _ = self.pool.begin(_SECONDS_TO_START, **self._read_game(sample))
        return GameWorkspace(self.pool, process, self.steps, self.specs)

    def score(self, sample: Sample, attempt: Attempt) -> Outcome:
        """Return the score that the commands of the attempt lead to in a new game.

        Raises WorkspaceFailed where there are no commands, as after a game that broke down: that says nothing
        of the attempt.
        """
        if COMMANDS not in attempt.artifacts:
            raise WorkspaceFailed(attempt.error or "The attempt left no commands.")
        commands = json.loads(attempt.artifacts[COMMANDS])
        with self.pool.lend() as process:
            process.ask("start", _SECONDS_TO_START, **self._read_game(sample))
            for command in commands:
                process.ask("act", _SECONDS_TO_ACT, command=command)
            score = min(max(process.ask("score", _SECONDS_TO_ACT), 0.0), 1.0)  # below 0: the game is lost
        gold = sample.data.get("gold") or ()
        return Outcome(
            score=score,
            observed=attempt.last_seen,
            detail="" if score == 1.0 else f"score {score:.2f} after {len(commands)} commands",
            ran=bool(commands) and not attempt.error,
            expected="; ".join(gold),
            expected_kind="commands",
        )

    def make_gold_attempt(self, sample: Sample) -> Attempt | None:
        """Return the attempt that types the gold commands; None for a row without them."""
        gold = sample.data.get("gold")
        if not gold:
            return None
        return Attempt(sample.id, "", artifacts={COMMANDS: json.dumps(gold, ensure_ascii=False)})

    def find_gold(self, sample: Sample) -> tuple[str, list[str]]:
        """Return the text of the game's task and the commands that win it, as the game has them."""
        with self.pool.lend() as process:
            reply = process.ask("start", _SECONDS_TO_START, **self._read_game(sample), gold=True)
        return reply["task"], reply["gold"]

    def list_numbers(self, game: str) -> dict[str, list[int]]:
        """Return the numbers that a game has, of each split: seeds, or variations."""
        with self.pool.lend() as process:
            numbers: dict[str, list[int]] = process.ask("numbers", _SECONDS_TO_START, game=game)
        return numbers

    def check(self, sample: Sample) -> None:
        """Raise TaskError for a row that names no game, and for gold commands that are no texts."""
        self._read_game(sample)
        gold = sample.data.get("gold", [])
        if not isinstance(gold, list) or not all(isinstance(command, str) for command in gold):
            raise sample.problem("gold", f"Expected a list of commands, found {gold!r:.60}.")

    def _read_game(self, sample: Sample) -> dict[str, Any]:
        """Return the fields that name a game. Raises TaskError for one that is missing or of another type."""
        values: dict[str, Any] = {}
        for name, kind in {**self.game.required, **self.game.optional}.items():
            value = sample.data.get(name)
            if value is None and name in self.game.optional:
                continue
            if not isinstance(value, kind) or isinstance(value, bool):
                expected = "text" if kind is str else "a whole number"
                raise sample.problem(name, f"Expected {expected}, found {value!r:.60}.")
            values[name] = value
        return values
