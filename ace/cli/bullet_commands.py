"""Which bullet somebody means, and an operation in words: what the `ace playbook` commands share.

It knows nothing about options or files: its functions take a store that is open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from difflib import get_close_matches
from typing import TYPE_CHECKING

from ace.errors import InputError, UnknownVersion

if TYPE_CHECKING:
    from ace.playbook.model import Bullet, Operation
    from ace.store import Store

BULLETS_NAMED = 5  # in a message about an ambiguous name


def describe(operation: Operation) -> str:
    """Return an operation on one line, with its fields in their order."""
    words = [operation.op.ljust(len("quarantine"))]
    for key, value in asdict(operation).items():
        if key == "op" or value in (None, ()):
            continue
        if isinstance(value, str):
            words.append(str(value))
        elif isinstance(value, tuple):
            words.append(f"{key} {', '.join(value)}")
        else:
            words.append(f"{key} {value}")
    return one_line("  ".join(words))


def one_line(text: str) -> str:
    r"""Write line breaks as `\n`: a table has a line for each row."""
    return "\\n".join(text.splitlines())


def all_bullets(store: Store) -> dict[str, Bullet]:
    """Return the bullets of every branch, removed ones too; main's where several branches have one.

    It reads the newest version of each branch.
    """
    bullets: dict[str, Bullet] = {}
    for branch in reversed(store.branches()):  # main is the first of them
        bullets |= store.checkout(branch.name).bullets
    return bullets


def find_bullet(store: Store, bullets: Mapping[str, Bullet], name: str) -> Bullet:
    """Return the bullet with this id, or with this alias, or the only one whose id begins so.

    Raises UnknownVersion with names that come close, InputError where it could be one of several.
    """
    if name in bullets:
        return bullets[name]
    aliases = [alias for alias in store.aliases() if alias.bullet in bullets]
    sources = {alias.bullet: alias.source for alias in aliases if alias.alias == name}
    if len(sources) > 1:
        candidates = ", ".join(f"{bullet} ({source})" for bullet, source in sources.items())
        raise InputError(f"{len(sources)} bullets have the alias {name}: {candidates}.", hint="Give an id.")
    matches = list(sources)
    if not matches and name:
        beginning = sorted(key for key in bullets if key.startswith(name))
        # Removed bullets count only where no other begins so.
        matches = [key for key in beginning if bullets[key].live] or beginning
    if len(matches) == 1:
        return bullets[matches[0]]
    if matches:
        candidates = ", ".join(matches[:BULLETS_NAMED])
        if len(matches) > BULLETS_NAMED:
            candidates = f"{candidates} and {len(matches) - BULLETS_NAMED} more"
        message = f"{len(matches)} bullets have an id that begins with {name}: {candidates}."
        raise InputError(message, hint="Give more of it.")
    raise _unknown_bullet(store, name, [*bullets, *(alias.alias for alias in aliases)])


def _unknown_bullet(store: Store, name: str, names: Iterable[str]) -> UnknownVersion:
    """Return the error, with names that look alike, or that begin in a way that does."""
    names = list(names)
    close = get_close_matches(name, names)
    if not close:
        close = [key for key in names if get_close_matches(name, [key[: len(name)]])][:3]
    hint = "`ace playbook show` lists them."
    if close:
        hint = f"Did you mean {' or '.join(close)}? {hint}"
    return UnknownVersion(f"{store.path} has no bullet {name}.", hint=hint)
