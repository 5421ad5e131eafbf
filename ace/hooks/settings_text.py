"""Puts our hooks into the settings of a coding agent, and takes them out again. Pure.

Everything else in the text stays as it is, byte for byte: other people's hooks, keys that nobody here knows,
their order and layout. A command is ours if it runs `ace hook`.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from ace.errors import InputError
from ace.hooks.coding_agent import AGENTS, EVENTS, CodingAgent, Moment
from ace.text.json_edit import append_value, read_json, remove_value, replace_value

_HOOKS = "hooks"  # the key of all events, and of the commands of one group
_TIMEOUT = 30  # seconds; without it an agent may end the command after one


@dataclass(frozen=True, slots=True)
class Installed:
    """Hold one of our hooks that is in the settings."""

    moment: Moment
    """When the agent runs it."""

    words: tuple[str, ...]
    """Its command, split as a shell does."""

    path: tuple[str | int, ...]
    """The keys and places that lead to it in the settings, from the outermost."""


def install_hooks(text: str, agent: CodingAgent, commands: Mapping[Moment, Sequence[str]], file: str) -> str:
    """Return the settings with a hook at each of these moments, which runs the words of its command.

    One that is there already gets this command, so the same commands change nothing. An empty text becomes a
    new file. Raises InputError for settings of another form; `file` is named in it.
    """
    text = text if text.strip() else "{}\n"
    for moment, words in commands.items():
        settings = _read_settings(text, file)
        event, command = EVENTS[moment], shlex.join(words)
        ours = [hook for hook in _find_hooks(settings, agent) if hook.moment is moment]
        if ours:
            if list(ours[0].words) != list(words):
                text = replace_value(text, (*ours[0].path, "command"), command)
            continue
        seconds = agent.end_seconds if moment is Moment.END else _TIMEOUT
        group = {_HOOKS: [{"type": "command", "command": command, "timeout": seconds}]}
        if _HOOKS not in settings:
            text = append_value(text, (), {event: [group]}, _HOOKS)
        elif event not in settings[_HOOKS]:
            text = append_value(text, (_HOOKS,), [group], event)
        else:
            text = append_value(text, (_HOOKS, event), group)
    return text


def remove_hooks(text: str, agent: CodingAgent, file: str) -> str:
    """Return the settings without our hooks for an agent, and without the lists that were only for them.

    Raises InputError for settings of another form; `file` is named in it.
    """
    while text.strip():
        settings = _read_settings(text, file)
        ours = _find_hooks(settings, agent)
        if not ours:
            break
        path = ours[0].path
        _, event, number, *_ = path
        commands = settings[_HOOKS][event][number][_HOOKS]
        text = remove_value(text, path if len(commands) > 1 else path[:3])
    return text


def find_hooks(text: str, agent: CodingAgent, file: str) -> list[Installed]:
    """Return our hooks for an agent in its settings, in order.

    Raises InputError for settings of another form; `file` is named in it.
    """
    return _find_hooks(_read_settings(text, file), agent) if text.strip() else []


def turns_hooks_off(text: str, agent: CodingAgent, file: str) -> bool:
    """Return whether settings turn all hooks of an agent off, ours with them.

    Raises InputError for settings of another form; `file` is named in it.
    """
    return (
        bool(agent.off_switch and text.strip()) and _read_settings(text, file).get(agent.off_switch) is True
    )


def read_command(command: Any) -> tuple[CodingAgent, Moment, tuple[str, ...]] | None:
    """Return the agent, the moment and the words of a command that is ours; None for any other."""
    if not isinstance(command, str):
        return None
    try:
        words = tuple(shlex.split(command))
    except ValueError:
        return None
    for name, agent in AGENTS.items():
        for moment in Moment:
            is_ours = words[1:4] == ("hook", moment.value, name)
            if is_ours and PurePath(words[0]).stem == "ace":
                return agent, moment, words
    return None


def _find_hooks(settings: Mapping[str, Any], agent: CodingAgent) -> list[Installed]:
    """Return our hooks in settings; what has another form is passed over."""
    found = []
    for event, groups in settings.get(_HOOKS, {}).items():
        for number, group in enumerate(groups if isinstance(groups, list) else ()):
            hooks = group.get(_HOOKS) if isinstance(group, dict) else None
            for place, hook in enumerate(hooks if isinstance(hooks, list) else ()):
                command = read_command(hook.get("command")) if isinstance(hook, dict) else None
                if command is not None and command[0] is agent:
                    path = (_HOOKS, event, number, _HOOKS, place)
                    found.append(Installed(command[1], command[2], path))
    return found


def _read_settings(text: str, file: str) -> dict[str, Any]:
    """Return the settings as an object in which hooks can stand.

    Raises InputError for what is no JSON, has another form, or has a key of hooks twice.
    """
    try:
        settings = read_json(text)
    except ValueError as error:
        hint = "Mend it first: nothing was changed. Comments and commas behind a last entry are not JSON."
        raise InputError(f"{file} is not valid JSON ({error}).", hint=hint, file=file) from error
    problem = ""
    if not isinstance(settings, dict):
        problem = "it is no object"
    elif not isinstance(settings.get(_HOOKS, {}), dict):
        problem = f"its {_HOOKS!r} is no object"
    else:
        for event in EVENTS.values():
            if not isinstance(settings.get(_HOOKS, {}).get(event, []), list):
                problem = f"its {_HOOKS!r} has a {event!r} that is no list"
    if problem:
        hint = "Mend it, or give another file with --settings: nothing was changed."
        raise InputError(f"{file} holds no settings with hooks: {problem}.", hint=hint, file=file)
    return dict(settings)
