"""Canonical JSON of playbooks and deltas, and the hashes made of it.

Canonical: sorted keys, no spaces, UTF-8, every field written; equal values give equal bytes, so the
hash of the text is the hash of the value. Reading checks everything and raises FormatError.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import MISSING, fields
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from immutables import Map

from ace.errors import FormatError
from ace.playbook.delta import find_flaw
from ace.playbook.model import Bullet, Delta, Operation, Playbook, Status
from ace.text.unicode import SURROGATE

FORMAT = "ace-playbook-1"
_OPERATIONS: dict[str, type[Operation]] = {kind.__name__.lower(): kind for kind in get_args(Operation)}
_HINTS: dict[Any, dict[str, Any]] = {kind: get_type_hints(kind) for kind in (Bullet, *get_args(Operation))}


def playbook_to_json(playbook: Playbook) -> str:
    """Write everything as canonical JSON, bullets by id; tombstones too: no id may be used again."""
    return _dump(
        {
            "format": FORMAT,
            "bullets": [_to_object(playbook.bullets[key]) for key in sorted(playbook.bullets)],
            "next_position": playbook.next_position,
            "section_names": playbook.section_names,
        }
    )


def playbook_from_json(text: str, *, file: str = "", left_out: list[FormatError] | None = None) -> Playbook:
    """Read a playbook that `playbook_to_json` wrote.

    Every bullet is checked as `apply` would. One that cannot be used is added to `left_out`, or raised where
    there is no such list. Raises FormatError for any other text; it names `file`.
    """
    data = _parse_json(text, file)
    if (
        not isinstance(data, dict)
        or data.get("format") != FORMAT
        or not isinstance(data.get("bullets"), list)
    ):
        raise FormatError(f"This is not a playbook in the {FORMAT} format.", file=file)
    try:
        end = _check_value("next_position", int, data.get("next_position"))
        names = _check_value("section_names", tuple[str, ...], data.get("section_names"))
    except TypeError as error:
        raise FormatError(f"playbook: {error}.", file=file) from error
    bullets: dict[str, Bullet] = {}
    for number, item in enumerate(data["bullets"], 1):
        name = f"bullet {number}"
        if isinstance(item, dict) and "id" in item:
            name = f"{name} ({item['id']!r:.60})"
        try:
            bullet = Bullet(**_read_fields(Bullet, item, name, file))
            reason = find_flaw(bullet)
            if bullet.id in bullets:
                reason = reason or "its id is there twice"
            elif bullet.section not in names or bullet.position >= end:
                reason = reason or "its section or position is unknown"
            if reason:
                raise FormatError(f"Bullet {number} ({bullet.id!r:.60}) cannot be used: {reason}.", file=file)
            bullets[bullet.id] = bullet
        except FormatError as error:
            if left_out is None:
                raise
            left_out.append(error)
    return Playbook(Map(bullets), tuple(dict.fromkeys(names)), end)


def bullet_fields(text: str) -> dict[str, Any]:
    """Read the fields that one JSON object gives of a bullet, each of its type, and no others.

    None is required, and no bullet is made of them yet. Raises FormatError.
    """
    return _read_fields(Bullet, _parse_json(text, ""), "a bullet", "", complete=False)


def delta_to_json(delta: Iterable[Operation]) -> str:
    """Write operations as canonical JSON, a list.

    Those that were rejected for invalid Unicode are written, too, because they are recorded all the same.
    """
    return _dump([_to_object(operation) for operation in delta])


def delta_from_json(text: str, *, file: str = "") -> Delta:
    """Read the operations that were written. Whether they apply is for `apply` to decide.

    Raises FormatError for an unknown operation, and for a field that is unknown, missing or of another type.
    """
    items = _parse_json(text, file)
    if not isinstance(items, list):
        raise FormatError("A delta is a list of operations.", file=file)
    operations: list[Operation] = []
    for number, item in enumerate(items, 1):
        name = None
        if isinstance(item, dict):
            name = item.get("op")
        kind = None
        if isinstance(name, str):
            kind = _OPERATIONS.get(name)
        if kind is None:
            message = f"operation {number}: unknown operation {name!r}."
            raise FormatError(message, hint=f"Known: {', '.join(_OPERATIONS)}.", file=file)
        operations.append(kind(**_read_fields(kind, item, f"operation {number} ({name})", file)))
    return tuple(operations)


def content_hash(playbook: Playbook) -> str:
    """Return the hash of a whole playbook, however it came to be: "sha256:" and hexadecimal digits.

    Equal playbooks have equal hashes, also in different files and releases of this format.
    """
    return "sha256:" + hashlib.sha256(playbook_to_json(playbook).encode()).hexdigest()


def chain_hash(parent_hash: str, delta_json: str, author: str, reason: str) -> str:
    """Return the hash of a version: of its parent and its change.

    A commit so need not hash the whole playbook, and yet the hash covers all versions before it. The first
    version has an empty `parent_hash`; a merge has those of both parents, with a space between them.
    """
    text = _dump([parent_hash, delta_json, author, reason])
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _to_object(value: Bullet | Operation) -> dict[str, Any]:
    """Return the fields of a value. Unlike `dataclasses.asdict` it copies nothing, in a fifth of the time."""
    return {name: getattr(value, name) for name in _HINTS[type(value)]}


def _dump(data: object) -> str:
    """Write canonical JSON. Lone surrogates, which UTF-8 cannot hold, become escapes."""
    text = json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return SURROGATE.sub(lambda lone: f"\\u{ord(lone[0]):04x}", text)


def _parse_json(text: str, file: str) -> Any:
    """Parse JSON. Raises FormatError, with the line that is wrong where the parser knows it."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(
            f"This is not JSON: {error}.", file=file, line=getattr(error, "lineno", None)
        ) from error


def _read_fields(
    kind: type[Bullet | Operation], data: Any, where: str, file: str, *, complete: bool = True
) -> dict[str, Any]:
    """Return the fields of a JSON object, each of the type that the dataclass declares.

    Raises FormatError for an unknown field, one of another type and, if it is to be `complete`, one that is
    missing without a default.
    """
    hints = _HINTS[kind]
    if not isinstance(data, dict):
        raise FormatError(f"{where}: expected an object, found {type(data).__name__}.", file=file)
    unknown = sorted(data.keys() - hints.keys())
    if unknown:
        hint = f"Known: {', '.join(hints)}."
        raise FormatError(f"{where}: unknown field {unknown[0]!r}.", hint=hint, file=file)
    for item in fields(kind):
        if complete and item.default is MISSING and item.name not in data:
            raise FormatError(f"{where}: the field {item.name!r} is missing.", file=file)
    try:
        return {name: _check_value(name, hints[name], value) for name, value in data.items()}
    except TypeError as error:
        raise FormatError(f"{where}: {error}.", file=file) from error


def _check_value(name: str, hint: Any, value: Any) -> Any:
    """Return a value as the type of a field has it; raise TypeError where the type has no such value."""
    options = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    for option in options:
        if type(value) is option:  # not isinstance: True is an int to Python, not to a reader
            return value
        if option is Status and value in list(Status):
            return Status(value)
        if get_origin(option) is Literal and value in get_args(option):
            return value
        if option == tuple[str, ...] and isinstance(value, list) and all(type(text) is str for text in value):
            return tuple(value)
    raise TypeError(f"{name}: {value!r:.60} is not {getattr(hint, '__name__', hint)}")
