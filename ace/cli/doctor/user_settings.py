"""Environment variables and files that somebody wrote: keys that are there, names that are misspelt.

No value of a key is ever part of a finding.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from ace.cli.doctor.finding import Finding, Health, Topic
from ace.errors import AceError

_KEY = re.compile(r"[A-Z][A-Z0-9_]*_(?:API_KEY|API_TOKEN|AUTH_TOKEN)")
_OURS = (
    "ACE_CONFIG",
    "ACE_DEBUG",
    "ACE_MCP_TOKEN",
    "ACE_MODEL_KEY",
    "ACE_MODEL_NAME",
    "ACE_MODEL_URL",
    "ACE_TEST_PROFILE",
    "ACE_UI_TOKEN",
    "ACE_WEIGHTS",
)
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def check_keys() -> Iterator[Finding]:
    """Yield the names of API keys that are set, and what of a value cannot be right. Values are not shown."""
    names = sorted(name for name in os.environ if _KEY.fullmatch(name))
    good = []
    for name in names:
        value = os.environ[name]
        problem = ""
        if not value.strip():
            problem = "is empty"
        elif value != value.strip():
            problem = "begins or ends with a space or a line break"
        elif value[0] in "\"'" or value[-1] in "\"'":
            problem = "has quotation marks in it"
        elif not value.isascii() or any(character.isspace() for character in value):
            problem = "has spaces or other characters that no key has"
        if problem:
            yield Finding(Topic.KEYS, Health.WARNING, f"{name} {problem}", f"export {name}=... without it")
        else:
            good.append(name)
    if good:
        yield Finding(Topic.KEYS, Health.OK, f"set: {', '.join(good)}")
    elif not names:
        fix = "only models behind an API need one, for example: export OPENAI_API_KEY=..."
        yield Finding(Topic.KEYS, Health.NOTE, "no API key is set", fix)


def check_settings() -> Iterator[Finding]:
    """Yield variables of ours that are misspelt, and files of settings that cannot be read."""
    problems = False
    for name in sorted(os.environ):
        if name.startswith("ACE_") and name not in _OURS:
            close = get_close_matches(name, _OURS, n=1)
            if close:
                problems = True
                fix = f"call it {close[0]}"
                yield Finding(Topic.SETTINGS, Health.WARNING, f"nobody reads the variable {name}", fix)
    folder = os.environ.get("ACE_CONFIG")
    if folder and Path(folder).exists() and not Path(folder).is_dir():
        problems = True
        text = f"ACE_CONFIG names {folder}, which is no folder"
        yield Finding(Topic.SETTINGS, Health.WARNING, text, "name a folder, or unset it")
    for problem in (*_check_trusted(), *_check_agents()):
        problems = True
        yield problem
    proxies = [name for name in _PROXIES if os.environ.get(name) or os.environ.get(name.lower())]
    if proxies:
        text = f"calls go through a proxy ({', '.join(proxies)})"
        fix = "for a model on this machine: export NO_PROXY=localhost,127.0.0.1"
        yield Finding(Topic.SETTINGS, Health.NOTE, text, fix)
    if not problems:
        yield Finding(Topic.SETTINGS, Health.OK, "no variable and no file of settings has a fault")


def _check_trusted() -> Iterator[Finding]:
    """Yield why the file of trusted task folders cannot be read, where it cannot."""
    from ace.task.trust import read_trusted

    try:
        read_trusted()
    except AceError as error:
        yield Finding(Topic.SETTINGS, Health.WARNING, error.message, error.hint)


def _check_agents() -> Iterator[Finding]:
    """Yield settings of coding agents that are no JSON: their hooks do not run."""
    from ace.hooks.coding_agent import AGENTS
    from ace.text.json_edit import read_json

    for agent in AGENTS.values():
        for file in agent.list_settings():
            try:
                if file.is_file():
                    read_json(file.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                text = f"{file} of {agent.title} cannot be read ({error})"
                yield Finding(Topic.SETTINGS, Health.WARNING, text, "correct it: hooks in it do not run")
