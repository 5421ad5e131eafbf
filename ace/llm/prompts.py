"""Prompts are files: rendered strictly (a missing variable is an error) and identified by a hash.

Knows templates only; who says what to whom is in the role modules.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from ace.llm.client import Message
from ace.safety.markup import defuse_markup, neutralise, quote_later_headings
from ace.task.trajectory import shorten_middle

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from jinja2 import Environment

_FOLDER = "prompts"
_LONGEST = 2_000  # characters
_LONGEST_QUESTION = 6_000  # characters


@cache
def _load_templates(package: str) -> Environment:
    """Return the templates in the folder `prompts` of a package, compiled when they are first used."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader(package, _FOLDER)
    # Plain text; what is put into it is made safe by `ace.safety` and the quote_* functions here.
    return Environment(loader=loader, undefined=StrictUndefined, autoescape=False, auto_reload=False)  # noqa: S701


def render(package: str, name: str, **values: Any) -> str:
    """Fill in one template, `prompts/NAME.j2` of a package (its dotted name), and strip what surrounds it.

    Values stand in the text as they are given: those that others wrote are quoted first (`quote_text`).
    Raises jinja2.UndefinedError for a variable that was not given, TemplateNotFound for an unknown name.
    """
    return _load_templates(package).get_template(f"{name}.j2").render(**values).strip()


def quote_text(text: str, longest: int = _LONGEST) -> str:
    """Make text from a model or an environment safe to stand in a prompt, and never too long for one.

    Headings and marks in it lose their meaning. What is longer than `longest` characters is cut, which shows
    as "[...]".
    """
    safe = neutralise(text)
    return safe if len(safe) <= longest else f"{safe[:longest]} [...]"


def quote_field(text: str, longest: int = _LONGEST) -> str:
    """Make text safe as one field of a prompt: none of its lines reads as another field."""
    return quote_later_headings(quote_text(text, longest))


def question(text: str, longest: int = _LONGEST_QUESTION) -> str:
    """Put a question as it stands in a role's prompt: its lines as they are, none of them another field.

    One of a coding agent may hold a whole repository: of more than `longest` characters the middle is left
    out, which shows.
    """
    return quote_later_headings(defuse_markup(shorten_middle(text, longest)))


def messages(system: str, user: str) -> tuple[Message, ...]:
    """Return a system message and a user message."""
    return (Message("system", system), Message("user", user))


def hash_prompts(*packages: str) -> str:
    """Identify the wording of all prompts of `packages` (dotted names) in a run's record.

    Return "sha256:" and 16 hexadecimal digits, which change with any template's name or text. Raises
    FileNotFoundError for a package without prompts.
    """
    digest = hashlib.sha256()
    templates: list[Traversable] = []
    for package in packages:
        templates += files(package).joinpath(_FOLDER).iterdir()
    for file in sorted(templates, key=lambda file: file.name):
        digest.update(f"{file.name}\0{file.read_text('utf-8')}\0".encode())
    return f"sha256:{digest.hexdigest()[:16]}"
