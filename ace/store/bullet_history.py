"""The playbook at any version: the rows of `bullet_history`, and moving from one version to another.

A move costs what changed between the two versions, in either direction and across branches; from the
empty playbook it costs one row for each bullet. No operation is read or applied again. Knows nothing
about who changed what.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from sys import intern
from typing import Any

from immutables import Map

from ace.playbook.model import Bullet, Playbook, Status
from ace.runs.records import Branch, Version
from ace.store import lineage
from ace.store.lineage import Line
from ace.store.schema import damage_error
from ace.store.sqlite_text import read_column, to_json, to_text
from ace.store.store_database import Database, Rows

STATE = "section, content, provenance, status, pinned, helpful, harmful, position"
_STATUS = {status.value: status for status in Status}

# Of each bullet that changed on the way: its newest row on the line of the version wanted.
_CHANGED = """WITH
    part (branch, last) AS (VALUES {}),
    changed (bullet) AS (
        SELECT DISTINCT bullet FROM bullet_history WHERE version > ? AND version <= ?),
    latest (bullet, version) AS (SELECT bullet, (
        SELECT max((
            SELECT version FROM bullet_history AS h
            WHERE h.branch = part.branch AND h.bullet = changed.bullet AND h.version <= part.last
            ORDER BY h.version DESC LIMIT 1)) FROM part) FROM changed)
SELECT latest.bullet, {} FROM latest LEFT JOIN bullet_history AS h
    ON h.version = latest.version AND h.bullet = latest.bullet"""
_POSITION = "SELECT next_position FROM versions WHERE number = ?"
_PART = "(?, CAST(? AS BIGINT))"
UPSERT = """INSERT INTO bullets VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
    section = excluded.section, content = excluded.content, provenance = excluded.provenance,
    status = excluded.status, pinned = excluded.pinned, helpful = excluded.helpful,
    harmful = excluded.harmful, position = excluded.position"""

PartRows = tuple[Iterator[tuple[Any, ...]], Rows]
"""Rows of bullets and of sections, which were asked for and not read yet."""


def move(db: Database, playbook: Playbook, here: int, there: int, head: Branch | None = None) -> Playbook:
    """Return the playbook of version `there`, starting from that of version `here`.

    The two may be on any branches, in any order. `head` is that of `lineage.trace_line`, where `here` is
    behind `there`. Raises NotAPlaybook where rows are missing or unreadable.
    """
    if here == there:
        return playbook
    line = lineage.trace_line(db, there, head)
    ends = [name_or_last for part in line for name_or_last in part]
    sql = _CHANGED.format(", ".join([_PART] * len(line)), STATE)
    common = here if len(line) == 1 and head is not None else lineage.last_common(db, here, there)
    asked = db.execute(sql, [*ends, common, max(here, there)])
    sections = _select_sections(db, line)
    position = db.execute(_POSITION, [there])
    bullets = playbook.bullets.mutate()
    rows = asked.fetchall()  # read after all is asked for, which a server answers at once
    present = []
    for row in rows:
        if row[1] is None:  # the bullet is not there yet at that version
            bullets.pop(row[0], None)
        else:
            present.append(row)
    for bullet in rows_to_bullets(present):
        bullets[bullet.id] = bullet
    moved = Playbook(bullets.finish(), _to_names(sections), _to_position(position, there))
    moved.ancestry.follow(playbook, [row[0] for row in rows])
    return moved


def read_main(db: Database, version: int) -> Playbook:
    """Return the playbook at the head of main, from its own table. `version` is that head."""
    rows = db.execute(f"SELECT id, {STATE} FROM bullets")  # noqa: S608
    bullets = Map((bullet.id, bullet) for bullet in rows_to_bullets(rows))
    sections = _select_sections(db, lineage.trace_line(db, version))
    return Playbook(bullets, _to_names(sections), next_position(db, version))


def read_part(db: Database, version: int, ids: Iterable[str], head: Branch | None = None) -> Playbook:
    """Return the part of a version's playbook that holds these bullets, and all section names.

    `head` is that of `lineage.trace_line`.
    """
    line = lineage.trace_line(db, version, head)
    position = db.execute(_POSITION, [version])
    asked = ask_part(db, line, ids)
    return read_asked(asked, _to_position(position, version))


def ask_part(db: Database, line: Line, ids: Iterable[str]) -> PartRows:
    """Ask for what `read_asked` reads: of the playbook at the end of a line."""
    test = "bullet IN (SELECT value FROM json_each(?))"
    bullets = _select_latest(db, line, f"bullet, {STATE}", test, [to_json(list(ids))])
    return bullets, _select_sections(db, line)


def read_asked(asked: PartRows, next_position: int) -> Playbook:
    """Return the part of a playbook that was asked for, and all section names."""
    rows, sections = asked
    bullets = Map((bullet.id, bullet) for bullet in rows_to_bullets(rows))
    return Playbook(bullets, _to_names(sections), next_position)


def list_ids(db: Database, version: int, beginning: str) -> dict[str, Status]:
    """Return the ids at a version that begin so, in their order, with the status of each bullet."""
    first = to_text(beginning)
    values = [first, f"{first}\U0010ffff"]  # above every id that begins so
    line = lineage.trace_line(db, version)
    rows = _select_latest(db, line, "bullet, status", "bullet >= ? AND bullet < ?", values)
    return {name: _STATUS[status] for name, status in rows}


def find_text(db: Database, version: int, content: str) -> Bullet | None:
    """Return the live bullet with this content at a version, if there is one: the first by its id."""
    sql = "SELECT DISTINCT bullet FROM bullet_history WHERE content = ? ORDER BY bullet"
    if _is_main_head(db, version):
        sql = "SELECT id FROM bullets WHERE content = ? ORDER BY id"
    candidates = read_part(db, version, read_column(db, sql, [to_text(content)])).bullets
    for name in sorted(candidates):
        if candidates[name].live and candidates[name].content == content:
            return candidates[name]
    return None


def count_by_section(db: Database, version: int) -> dict[str, int]:
    """Return the number of live bullets at a version in each section that has any, in order of first use."""
    line = lineage.trace_line(db, version)
    if _is_main_head(db, version):
        sql = "SELECT section, count(*) FROM bullets WHERE status <> 'removed' GROUP BY section"
        counts = dict(db.execute(sql).fetchall())
    else:
        states = _select_latest(db, line, "section, status", "1 = 1", [])
        counts = Counter(section for section, status in states if status != Status.REMOVED)
    return {name: counts[name] for name in _to_names(_select_sections(db, line)) if name in counts}


def _is_main_head(db: Database, version: int) -> bool:
    """Return whether a version is the head of main, whose bullets have a table of their own."""
    return lineage.read_branch(db, lineage.MAIN).version == version


def _select_latest(
    db: Database, line: Line, columns: str, test: str, values: Sequence[str]
) -> Iterator[tuple[Any, ...]]:
    """Ask for columns of each bullet's newest row on a line, by id, of those for which `test` holds.

    SQLite takes columns beside a max() from the row that has it.
    """
    condition, limits = lineage.line_condition(line)
    sql = f"""SELECT {columns}, max(version) FROM bullet_history
        WHERE {test} AND {condition} GROUP BY bullet ORDER BY bullet"""  # noqa: S608 (our own names)
    return (row[:-1] for row in db.execute(sql, [*values, *limits]))


def record(db: Database, version: Version, before: Playbook, after: Playbook, ids: Iterable[str]) -> None:
    """Write the bullets that a version touched, as they are after it, and the sections that it added."""
    history, head = [], []
    for name in ids:
        bullet = after.bullets[name]
        text = (bullet.section, bullet.content, to_json(bullet.provenance))
        state = (bullet.status.value, bullet.pinned, bullet.helpful, bullet.harmful, bullet.position)
        history.append((version.number, bullet.id, version.branch, *text, *state))
        if version.branch == lineage.MAIN:
            head.append((bullet.id, *text, *state))
    marks = ", ".join("?" * 11)
    db.executemany(f"INSERT INTO bullet_history VALUES ({marks})", history)  # noqa: S608
    db.executemany(UPSERT, head)
    first = len(before.section_names)  # section names only grow
    for place, name in enumerate(after.section_names[first:], start=first):
        section = (version.branch, place, name, version.number)
        db.execute("INSERT INTO sections VALUES (?, ?, ?, ?)", section)


def next_position(db: Database, version: int) -> int:
    """Return the position that the next bullet gets after a version: about how many were ever added."""
    return _to_position(db.execute(_POSITION, [version]), version)


def _to_position(rows: Rows, version: int) -> int:
    """Read the answer to `_POSITION`."""
    row = rows.fetchone()
    if row is None:
        raise damage_error(f"Version {version} is missing.")
    return int(row[0])


def rows_to_bullets(rows: Iterable[tuple[Any, ...]]) -> Iterator[Bullet]:
    """Read rows of an id and `STATE`. Equal section names share their text.

    All lists of episodes are parsed in one go, which is five times as fast as one by one.
    """
    rows = list(rows)
    lists = ",".join(row[3] for row in rows)
    episodes = json.loads(f"[{lists}]")
    if len(episodes) != len(rows):
        raise damage_error("A bullet's list of episodes cannot be read.")
    for row, provenance in zip(rows, episodes, strict=True):
        name, section, content, _, status, pinned, helpful, harmful, position = row
        if status not in _STATUS or type(provenance) is not list:
            raise damage_error(f"Bullet {name} cannot be read.")
        yield Bullet(
            id=name,
            section=intern(section),
            content=content,
            provenance=tuple(provenance),
            status=_STATUS[status],
            pinned=pinned == 1,
            helpful=helpful,
            harmful=harmful,
            position=position,
        )


def _select_sections(db: Database, line: Line) -> Rows:
    """Ask for the names of the sections on a line, in order of first use."""
    condition, values = lineage.line_condition(line)
    return db.execute(f"SELECT name FROM sections WHERE {condition} ORDER BY place", values)  # noqa: S608


def _to_names(rows: Rows) -> tuple[str, ...]:
    """Read the answer to `_select_sections`. Equal names share their text."""
    return tuple(intern(name) for (name,) in rows)
