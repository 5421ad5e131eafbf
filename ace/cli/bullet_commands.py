"""Which bullet somebody means, and an operation in words: what the `ace playbook` commands share.

Knows nothing about options or files: it is given a store that is open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from ace.errors import InputError, UnknownVersion

if TYPE_CHECKING:
    from ace.playbook.model import Bullet, Operation
    from ace.store import Store

BULLETS_NAMED = 5  # in a message about a name that does not tell which


def describe(operation: Operation) -> str:
    """One operation on one line, in the order its fields have."""
    fields: dict[str, Any] = {k: v for k, v in asdict(operation).items() if k != "op" and v not in (None, ())}
    name = operation.op.ljust(len("quarantine"))
    return one_line(f"{name}  " + "  ".join(_value(key, value) for key, value in fields.items()))


def one_line(text: str) -> str:
    r"""Line breaks as `\n`: a table has a line for each row."""
    return "\\n".join(text.splitlines())


def everywhere(store: Store) -> dict[str, Bullet]:
    """The bullets of every branch, removed ones too; main's where several branches have one."""
    branches = reversed(store.branches())  # main is the first of them
    return {key: bullet for each in branches for key, bullet in store.checkout(each.name).bullets.items()}


def named(store: Store, bullets: Mapping[str, Bullet], name: str) -> Bullet:
    """The bullet with this id, or with this alias, or whose id alone begins so.

    Raises UnknownVersion with the names that come close, InputError where it could be one of several.
    """
    if bullet := bullets.get(name):
        return bullet
    aliases = {a.bullet: a.source for a in store.aliases() if a.alias == name and a.bullet in bullets}
    if len(aliases) > 1:
        which = ", ".join(f"{bullet} ({source})" for bullet, source in aliases.items())
        raise InputError(f"{len(aliases)} bullets have the alias {name}: {which}.", hint="Give an id.")
    if found := list(aliases) or _beginning(bullets, name):
        if len(found) == 1:
            return bullets[found[0]]
        raise InputError(
            f"{len(found)} bullets have an id that begins with {name}: {_listed(found)}.",
            hint="Give more of it.",
        )
    close = _close(name, [*bullets, *(a.alias for a in store.aliases() if a.bullet in bullets)])
    meant = f"Did you mean {' or '.join(close)}? " if close else ""
    raise UnknownVersion(
        f"{store.path} has no bullet {name}.", hint=f"{meant}`ace playbook show` lists them."
    )


def _beginning(bullets: Mapping[str, Bullet], name: str) -> list[str]:
    """Ids that begin with `name`. What was removed counts only where nothing else begins so."""
    found = sorted(key for key in bullets if name and key.startswith(name))
    return [key for key in found if bullets[key].live] or found


def _close(name: str, known: list[str]) -> list[str]:
    """Names that look alike, or that begin in a way that does."""
    whole = get_close_matches(name, known)
    return whole or [key for key in known if get_close_matches(name, [key[: len(name)]])][:3]


def _listed(found: list[str]) -> str:
    more = len(found) - BULLETS_NAMED
    return ", ".join(found[:BULLETS_NAMED]) + (f" and {more} more" if more > 0 else "")


def _value(key: str, value: Any) -> str:
    if isinstance(value, tuple):
        return f"{key} {', '.join(value)}"
    return str(value) if isinstance(value, str) else f"{key} {value}"
