"""Says which coding agents can be given lessons, and what is particular to each.

All that are here speak one protocol. A list of commands in a settings file is run at events; each gets a JSON
object on stdin, and what the command for a session's start prints is shown to the model. Another agent with
that protocol is a value in `AGENTS`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ace.errors import InputError


class Moment(StrEnum):
    """Name when a hook runs. The values are words of the command line."""

    START = "start"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodingAgent:
    """Describe a coding agent."""

    name: str
    """What the command line calls it."""

    title: str
    """What its makers call it."""

    folder: str
    """Where its settings are, under the user's home."""

    folder_variable: str
    """The environment variable that names another folder."""

    file: str
    """The settings file in that folder."""

    most_bytes: int
    """Of UTF-8 that a hook may show; of a longer text the model sees a part only."""

    off_switch: str = ""
    """The key of its settings that turns all hooks off where it is true; "" where there is none."""

    end_seconds: int = 30
    """The most time that it gives a hook at a session's end; then it kills it."""

    note: str
    """What a person must know after an installation; "" for nothing."""

    def list_settings(self) -> list[Path]:
        """Return the settings files that count for a session here: the user's, then those of the folder."""
        local = Path(self.file).with_suffix(f".local{Path(self.file).suffix}")
        here = Path(self.folder)
        return [self.settings, here / self.file, here / local]

    @property
    def settings(self) -> Path:
        """Return the path of the user's settings file."""
        folder = os.environ.get(self.folder_variable)
        return (Path(folder) if folder else Path.home() / self.folder) / self.file


EVENTS = {Moment.START: "SessionStart", Moment.END: "SessionEnd"}
"""What the protocol calls the events."""

CLAUDE_CODE = CodingAgent(
    name="claude-code",
    title="Claude Code",
    folder=".claude",
    folder_variable="CLAUDE_CONFIG_DIR",
    file="settings.json",
    most_bytes=10_000,
    off_switch="disableAllHooks",
    note="Sessions that begin from now on get the lessons.",
)
CODEX = CodingAgent(
    name="codex",
    title="Codex",
    folder=".codex",
    folder_variable="CODEX_HOME",
    file="hooks.json",
    most_bytes=10_000,
    end_seconds=3,
    note="Codex runs a new hook only after you have trusted it: start `codex`, and review it under /hooks.",
)
AGENTS = {agent.name: agent for agent in (CLAUDE_CODE, CODEX)}


def find_agent(name: str) -> CodingAgent:
    """Return the coding agent of this name. Raises InputError where there is none."""
    if name not in AGENTS:
        raise InputError(f"There is no coding agent {name!r}.", hint=f"Known: {', '.join(AGENTS)}.")
    return AGENTS[name]
