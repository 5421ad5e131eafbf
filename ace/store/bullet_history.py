"""What a playbook was at any version: the rows of `bullet_history`, and moving from one version to another.

To move costs what changed between the two versions, in either direction and across branches; from the
empty playbook it costs one row for each bullet. No operation is read or applied again. Knows nothing
about who changed what.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from sys import intern
from typing import Any

from immutables import Map

from ace.playbook.model import Bullet, Playbook, Status
from ace.runs.records import Version
from ace.store import lineage
from ace.store.lineage import Line
from ace.store.schema import damaged
from ace.store.sqlite_text import to_json

STATE = "section, content, provenance, status, pinned, helpful, harmful, position"
_STATUS = {status.value: status for status in Status}

# Of what changed on the way, the newest row that belongs to the line of the version wanted.
_CHANGED = f"""WITH
    part (branch, last) AS (
        SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(:line)),
    changed (bullet) AS (
        SELECT DISTINCT bullet FROM bullet_history WHERE version > :after AND version <= :upto),
    latest (bullet, version) AS (SELECT bullet, (
        SELECT max((
            SELECT version FROM bullet_history AS h
            WHERE h.branch = part.branch AND h.bullet = changed.bullet AND h.version <= part.last
            ORDER BY h.version DESC LIMIT 1)) FROM part) FROM changed)
SELECT latest.bullet, {STATE} FROM latest LEFT JOIN bullet_history AS h
    ON h.version = latest.version AND h.bullet = latest.bullet"""  # noqa: S608 (our own names)


def move(db: sqlite3.Connection, playbook: Playbook, here: int, there: int) -> Playbook:
    """The playbook of version `there`, given that of version `here`."""
    if here == there:
        return playbook
    to = lineage.line(db, there)
    after = lineage.parting(lineage.line(db, here), to)
    where = {"line": to_json(to), "after": after, "upto": max(here, there)}
    rows = db.execute(_CHANGED, where).fetchall()
    bullets = playbook.bullets.mutate()
    for name in [row[0] for row in rows if row[1] is None]:  # not there yet at that version
        bullets.pop(name, None)
    for bullet in _bullets(row for row in rows if row[1] is not None):
        bullets[bullet.id] = bullet
    return Playbook(bullets.finish(), _sections(db, to), end(db, there))


def distance(db: sqlite3.Connection, here: int, there: int) -> int:
    """How many versions lie between the two, those of other branches included."""
    return max(here, there) - lineage.parting(lineage.line(db, here), lineage.line(db, there))


def main(db: sqlite3.Connection, version: int) -> Playbook:
    """The head of main, from its own table."""
    sql = f"SELECT id, {STATE} FROM bullets"  # noqa: S608
    bullets = Map((bullet.id, bullet) for bullet in _bullets(db.execute(sql)))
    return Playbook(bullets, _sections(db, lineage.line(db, version)), end(db, version))


def record(
    db: sqlite3.Connection, version: Version, before: Playbook, after: Playbook, ids: Iterable[str]
) -> None:
    """Write what a version made of the bullets it touched."""
    states = [_state(after.bullets[name]) for name in ids]
    marks = ", ".join("?" * 11)
    history = [(version.number, state[0], version.branch, *state[1:]) for state in states]
    db.executemany(f"INSERT INTO bullet_history VALUES ({marks})", history)  # noqa: S608
    known = len(before.section_names)  # section names only grow
    sections = enumerate(after.section_names[known:], known)
    db.executemany(
        "INSERT INTO sections VALUES (?, ?, ?, ?)",
        [(version.branch, place, name, version.number) for place, name in sections],
    )
    if version.branch == lineage.MAIN:
        db.executemany(_UPSERT, states)


def states(db: sqlite3.Connection, version: int, branch: str) -> Iterator[Bullet]:
    """What a version made of the bullets it touched, by id."""
    sql = f"SELECT bullet, {STATE} FROM bullet_history WHERE version = ? AND branch = ? ORDER BY bullet"  # noqa: S608
    return _bullets(db.execute(sql, [version, branch]))


def told(db: sqlite3.Connection, version: int, ids: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
    """Of each bullet the sections and texts it had on the line of a version, oldest first."""
    test, values = lineage.within(lineage.line(db, version))
    sql = f"""SELECT bullet, section, content FROM bullet_history
        WHERE bullet IN (SELECT value FROM json_each(?)) AND {test} ORDER BY version"""  # noqa: S608
    found: dict[str, list[tuple[str, str]]] = {}
    for bullet, section, content in db.execute(sql, [to_json(list(ids)), *values]):
        had = found.setdefault(bullet, [])
        if not had or had[-1] != (section, content):  # a vote changes neither
            had.append((section, content))
    return found


def end(db: sqlite3.Connection, version: int) -> int:
    """Where the next bullet goes."""
    row = db.execute("SELECT next_position FROM versions WHERE number = ?", [version]).fetchone()
    if row is None:
        raise damaged(f"Version {version} is missing.")
    return int(row[0])


_UPSERT = """INSERT INTO bullets VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
    section = excluded.section, content = excluded.content, provenance = excluded.provenance,
    status = excluded.status, pinned = excluded.pinned, helpful = excluded.helpful,
    harmful = excluded.harmful, position = excluded.position"""


def _sections(db: sqlite3.Connection, line: Line) -> tuple[str, ...]:
    test, values = lineage.within(line)
    sql = f"SELECT name FROM sections WHERE {test} ORDER BY place"  # noqa: S608
    return tuple(intern(name) for (name,) in db.execute(sql, values))


def _state(b: Bullet) -> tuple[Any, ...]:
    told = b.section, b.content, to_json(b.provenance), b.status.value
    return (b.id, *told, b.pinned, b.helpful, b.harmful, b.position)


def _bullets(rows: Iterable[tuple[Any, ...]]) -> Iterator[Bullet]:
    """Rows as bullets. Sections are few and share their text; lists of episodes are read in one go."""
    found = list(rows)
    for row, cited in zip(found, _cited([row[3] for row in found]), strict=True):
        name, section, content, _, status, pinned, helpful, harmful, position = row
        if status not in _STATUS or type(cited) is not list:
            raise damaged(f"Bullet {name} cannot be read.")
        yield Bullet(
            name,
            intern(section),
            content,
            tuple(cited),
            _STATUS[status],
            pinned == 1,
            helpful,
            harmful,
            position,
        )


def _cited(lists: list[str]) -> list[Any]:
    """One parse for all is five times as fast as one for each."""
    cited = json.loads(f"[{','.join(lists)}]")
    if len(cited) != len(lists):
        raise damaged("A bullet's list of episodes cannot be read.")
    return list(cited)
