"""`ace hook`: lessons for coding agents, and records of their sessions.

`start` and `end` are called by an agent; `ace.cli.hook_calls` answers them, mostly before this is imported.
"""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ace.cli.files import read_text, write_text
from ace.cli.hook_calls import ROOM, HookCall, answer_call
from ace.cli.options import Json
from ace.cli.output import emit
from ace.cli.playbook_places import PlaybookFile, playbook_file, read_place, refuse_password
from ace.errors import AceError, InputError
from ace.text.sizes import format_size

if TYPE_CHECKING:
    from ace.hooks.coding_agent import CodingAgent

Agent = Annotated[str, typer.Argument(metavar="AGENT", help="claude-code or codex.")]
SettingsFile = Annotated[
    Path | None, typer.Option("--settings", metavar="FILE", help="[default: the agent's own, for this user]")
]
Budget = Annotated[int, typer.Option(metavar="TOKENS", min=1, help="Room for lessons at a session's start.")]
_MOST_SETTINGS = 1_000_000  # bytes


def install(
    agent: Agent,
    settings: SettingsFile = None,
    playbook: PlaybookFile = None,
    budget: Budget = ROOM,
    json: Json = False,
) -> None:
    """Have a coding agent read the lessons of a playbook, and record its sessions there.

    Everything else in its settings stays as it is. The playbook is made if it is missing.
    """
    from ace.hooks.coding_agent import Moment, find_agent
    from ace.hooks.settings_text import install_hooks
    from ace.store import Store

    coder = find_agent(agent)
    file = settings or coder.settings
    text = _read_settings(file)
    path = playbook_file(playbook)
    refuse_password(path, "the settings of an agent")
    if isinstance(path, Path):
        path = path.absolute()
    command = _find_ace()
    options = ["--playbook", str(path)]
    commands = {
        Moment.START: [command, "hook", Moment.START.value, agent, *options, "--budget", str(budget)],
        Moment.END: [command, "hook", Moment.END.value, agent, *options],
    }
    changed = install_hooks(text, coder, commands, str(file))
    Store.open(path).close()
    is_new = _write_settings(file, text, changed)
    data = {"agent": agent, "settings": str(file), "playbook": str(path), "changed": is_new}
    state = f"{coder.title} reads {path}, and records its sessions there: {file}"
    if not is_new:
        state = f"{file} has these hooks already; nothing changed"
    for off in _list_off_switches(coder, file):
        state = f"{state}. But no hook runs as long as {off} sets {coder.off_switch}"
    emit(json, data, f"{state}.\n{coder.note}")


def remove(agent: Agent, settings: SettingsFile = None, json: Json = False) -> None:
    """Take our hooks out of a coding agent's settings. The playbook stays, with all that was recorded."""
    from ace.hooks.coding_agent import find_agent
    from ace.hooks.settings_text import remove_hooks

    coder = find_agent(agent)
    file = settings or coder.settings
    text = _read_settings(file)
    is_new = _write_settings(file, text, remove_hooks(text, coder, str(file)))
    state = f"Hooks removed from {file}." if is_new else f"{file} has none of our hooks; nothing changed."
    emit(json, {"agent": agent, "settings": str(file), "changed": is_new}, state)


def status(
    agent: Annotated[str | None, typer.Argument(metavar="[AGENT]", help="[default: all]")] = None,
    settings: SettingsFile = None,
    json: Json = False,
) -> None:
    """Show which coding agents have hooks, what they recorded, and what went wrong in them."""
    from ace.hooks.coding_agent import AGENTS, find_agent

    if settings and not agent:
        raise InputError("Whose settings are these?", hint="Give the AGENT, too.")
    agents = [find_agent(agent)] if agent else list(AGENTS.values())
    rows = []
    for coder in agents:
        row: dict[str, Any] = {"agent": coder.name, "settings": str(settings or coder.settings)}
        row["disabled_by"] = _list_off_switches(coder, settings)
        try:
            _describe_agent(row, coder, settings or coder.settings)
        except AceError as error:
            row["problem"] = str(error)
        rows.append(row)
    lines = []
    for row in rows:
        lines.append(f"{row['agent']}: {row.get('state', 'unknown')} in {row['settings']}")
        for file in row.get("disabled_by", ()):
            lines.append(f"  no hook runs: {file} sets {find_agent(row['agent']).off_switch}")
        if "recorded" in row:
            counts = f"{row['recorded']} sessions recorded, {len(row['waiting'])} not yet"
            lines.append(f"  {row['playbook']}: {counts}")
        if "problem" in row:
            lines.append(f"  {row['problem']}")
        lines += [f"  not recorded: {waiting}" for waiting in row.get("waiting", ())]
        lines += [f"  log: {line}" for line in row.get("log", ())]
    emit(json, {"agents": rows}, "\n".join(lines))


def start(agent: Agent, playbook: PlaybookFile = None, budget: Budget = ROOM) -> None:
    """Print the lessons for a session that begins; called by a coding agent, with JSON on stdin."""
    from ace.hooks.coding_agent import Moment

    answer_call(HookCall(Moment.START, agent, playbook_file(playbook), budget))


def end(agent: Agent, playbook: PlaybookFile = None) -> None:
    """Have a session recorded that ended; called by a coding agent, with JSON on stdin."""
    from ace.hooks.coding_agent import Moment

    answer_call(HookCall(Moment.END, agent, playbook_file(playbook)))


def _find_ace() -> str:
    """Return the path of the `ace` command, which must work from any folder. Raises InputError."""
    beside = Path(sys.executable).with_name("ace")
    places = [sys.argv[0] if Path(sys.argv[0]).stem == "ace" else "", str(beside), shutil.which("ace") or ""]
    for place in places:
        if place and os.sep in place and Path(place).is_file():
            return str(Path(place).absolute())
    raise InputError("The command `ace` is not installed.", hint="Install the package with pip.")


def _read_settings(file: Path) -> str:
    """Return the text of a settings file, "" where there is none.

    Raises InputError for one that could not be put back as it was: a link, a file that is read-only or huge,
    or no file.
    """
    if file.is_symlink():
        target = file.readlink()
        hint = f"Give the file itself with --settings: it leads to {target}."
        raise InputError(f"{file} is a symbolic link; replacing it would cut it.", hint=hint, file=str(file))
    if not file.exists():
        return ""
    about = file.stat()
    if file.is_file() and not about.st_mode & 0o222:
        raise InputError(f"{file} is read-only.", hint="Make it writable first.", file=str(file))
    if file.is_file() and about.st_size > _MOST_SETTINGS:
        problem = f"{file} is larger than the {format_size(_MOST_SETTINGS)} that settings may have."
        raise InputError(problem, file=str(file))
    return read_text(file, exact=True)


def _write_settings(file: Path, old: str, new: str) -> bool:
    """Replace a settings file in one step, and return whether there was anything to change.

    Raises InputError where it changed in the meantime.
    """
    if new == old:
        return False
    if _read_settings(file) != old:
        raise InputError(f"{file} was changed at the same time.", hint="Try again.", file=str(file))
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text(file, new)
    return True


def _list_off_switches(coder: CodingAgent, file: Path | None) -> list[str]:
    """Return the settings files that turn all hooks off: the one given, else those that count in this folder.

    What cannot be read turns nothing off.
    """
    from ace.hooks.settings_text import turns_hooks_off

    switches = []
    for each in [file] if file else coder.list_settings():
        with suppress(InputError, OSError):
            if each.is_file() and turns_hooks_off(read_text(each), coder, str(each)):
                switches.append(str(each))
    return switches


def _describe_agent(row: dict[str, Any], coder: CodingAgent, file: Path) -> None:
    """Add to a row what is known of an agent's hooks, and of the playbook that they serve.

    Raises InputError for settings, and StoreError for a playbook, that cannot be read; the row has the rest.
    """
    from ace.hooks.recorded_sessions import list_sessions
    from ace.hooks.session import LOG, list_notes, locate_notes
    from ace.hooks.settings_text import find_hooks
    from ace.store import Store

    hooks = find_hooks(read_text(file) if file.exists() else "", coder, str(file))
    row["state"] = "installed" if hooks else "not installed"
    row["commands"] = [list(hook.words) for hook in hooks]
    paths = [words[words.index("--playbook") + 1] for words in row["commands"] if "--playbook" in words[:-1]]
    if not paths:
        return
    path = read_place(paths[0])
    folder = locate_notes(path)
    log = folder / LOG
    row["playbook"] = str(path)
    row["waiting"] = [f"{item.session} {item.error}".strip() for item in list_notes(folder)]
    row["log"] = read_text(log, errors="replace").splitlines()[-5:] if log.exists() else []
    with Store.open(path, create=False, read_only=True) as store:
        row["recorded"] = len(list_sessions(store))


ABOUT = "Coding agents that read a playbook's lessons, and whose sessions are recorded."
COMMANDS = (install, remove, status, start, end)
