"""Which bullet somebody means, and an operation in words: what the `ace playbook` commands share.

It knows nothing about options or files: its functions take a store that is open.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from difflib import get_close_matches
from typing import TYPE_CHECKING

from ace.errors import InputError, UnknownVersion

if TYPE_CHECKING:
    from ace.playbook.model import Bullet, Operation, Status
    from ace.store import Ref, Store

BULLETS_NAMED = 5  # in a message about an ambiguous name


def describe(operation: Operation, most: int | None = None) -> str:
    """Return an operation on one line, with its fields in their order, and `most` names of each list."""
    words = [operation.op.ljust(len("quarantine"))]
    for key, value in asdict(operation).items():
        if key == "op" or value in (None, ()):
            continue
        if isinstance(value, str):
            words.append(str(value))
        elif isinstance(value, tuple):
            words.append(f"{key} {name_first(value, most)}")
        else:
            words.append(f"{key} {value}")
    return one_line("  ".join(words))


def name_first(names: Sequence[str], most: int | None = None) -> str:
    """Return names with commas between: the first ones, and how many more there are."""
    text = ", ".join(names[:most])
    left = len(names) - len(names[:most])
    return f"{text} and {left} more" if left else text


def one_line(text: str) -> str:
    r"""Write line breaks as `\n`: a table has a line for each row."""
    return "\\n".join(text.splitlines())


def find_bullet(store: Store, name: str, versions: Iterable[Ref]) -> Bullet:
    """Return the bullet with this id, or with this alias, or the only one whose id begins so.

    It is looked for at all these versions, and is as in the first that has it. Raises UnknownVersion with
    names that come close, InputError where it could be one of several.
    """
    versions = list(versions)
    exact = _read_bullets(store, [name], versions)
    if name in exact:
        return exact[name]
    aliases = store.aliases(alias=name)
    bullets = _read_bullets(store, [alias.bullet for alias in aliases], versions)
    sources = {alias.bullet: alias.source for alias in aliases if alias.bullet in bullets}
    if len(sources) > 1:
        candidates = ", ".join(f"{bullet} ({source})" for bullet, source in sources.items())
        raise InputError(f"{len(sources)} bullets have the alias {name}: {candidates}.", hint="Give an id.")
    matches = list(sources)
    if not matches and name:
        statuses = _list_ids(store, name, versions)
        # Removed bullets count only where no other begins so.
        live = [key for key, status in statuses.items() if status != "removed"]
        matches = sorted(live or statuses)
    if len(matches) == 1:
        return _read_bullets(store, matches, versions)[matches[0]]
    if matches:
        candidates = ", ".join(matches[:BULLETS_NAMED])
        if len(matches) > BULLETS_NAMED:
            candidates = f"{candidates} and {len(matches) - BULLETS_NAMED} more"
        message = f"{len(matches)} bullets have an id that begins with {name}: {candidates}."
        raise InputError(message, hint="Give more of it.")
    known = _list_ids(store, "", versions)
    names = [alias.alias for alias in store.aliases() if alias.bullet in known]
    raise _unknown_bullet(store, name, [*known, *names])


def _read_bullets(store: Store, ids: list[str], versions: list[Ref]) -> dict[str, Bullet]:
    """Return these bullets, each as in the first version that has it."""
    bullets: dict[str, Bullet] = {}
    for version in reversed(versions):
        bullets |= store.checkout_part(ids, version).bullets
    return bullets


def _list_ids(store: Store, beginning: str, versions: list[Ref]) -> dict[str, Status]:
    """Return the ids that begin so with their statuses, each as in the first version that has it."""
    statuses: dict[str, Status] = {}
    for version in reversed(versions):
        statuses |= store.list_ids(beginning, version)
    return statuses


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
