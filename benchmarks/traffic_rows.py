"""Rows of earlier hours, loaded in bulk into a playbook's own tables, and how large these tables are.

A row is a copy of one that a real request has written, under another name, with a checksum of its own; the
seals count them in. So `Store.verify` finds them as sound as any. Knows nothing of servers and models.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ace.memory import Memory, Scope
from ace.store import Store, checked_rows, feedback_rows, memory_rows
from ace.store.integrity import seals
from ace.store.sqlite_text import now, to_json
from ace.store.store_database import parse_place
from ace.store.table_sizes import read_table_sizes
from benchmarks.traffic_world import Users, name_user, write_memory

_CHUNK = 20_000  # rows of one transaction
_SIZES = """SELECT relname, pg_total_relation_size(pg_class.oid), pg_indexes_size(pg_class.oid)
FROM pg_class WHERE relkind = 'r' AND relnamespace = %s::regnamespace"""
_ROW = "SELECT coalesce(avg(pg_column_size(r.*)), 0) FROM (SELECT * FROM {} LIMIT 1000) AS r"


@dataclass(frozen=True, slots=True)
class Size:
    """Hold the size of one table."""

    rows: int
    bytes: int
    """With its indexes, and pages that are not full."""

    index: int
    """Bytes of the indexes; 0 where they are not counted apart."""

    row: float = 0.0
    """Bytes that a row takes by itself, on average of some; 0 where nobody says."""


def open_raw(place: str) -> Any:
    """Return a connection of psycopg or sqlite3, for what no store does. The caller closes it."""
    address = parse_place(place)
    if isinstance(address, Path):
        return sqlite3.connect(address, isolation_level=None)
    import psycopg

    raw = psycopg.connect(address.conninfo, autocommit=True)
    raw.execute("SELECT set_config('search_path', %s, FALSE)", [address.schema])
    return raw


def load_rows(store: Store, place: str, table: str, rows: Iterable[Sequence[Any]]) -> int:
    """Add rows, whose values are in the order of `checked_rows.SEALED`, and return their number.

    They pass the store's checksums and seals, and not its rules: these must hold already.
    """
    columns = checked_rows.SEALED[table]
    order = sorted(range(len(columns)), key=columns.__getitem__)
    names = ", ".join(f'"{name}"' for name in (*columns, "checksum"))
    count, waiting = 0, iter(rows)
    with closing(open_raw(place)) as raw:
        while chunk := list(islice(waiting, _CHUNK)):
            digests = [checked_rows.checksum([row[at] for at in order]) for row in chunk]
            sealed = [(*row, digest) for row, digest in zip(chunk, digests, strict=True)]
            if isinstance(raw, sqlite3.Connection):
                marks = ", ".join("?" * len(sealed[0]))
                raw.execute("BEGIN IMMEDIATE")
                raw.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", sealed)
                raw.execute("COMMIT")
            else:
                with raw.cursor().copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                    for row in sealed:
                        copy.write_row(row)
            with store._writing() as db:
                seals.update_seal(db, table, digests, ())
            count += len(chunk)
    return count


def read_patterns(place: str, table: str, runs: Sequence[int], most: int = 500) -> list[tuple[Any, ...]]:
    """Return rows that real requests have written in some runs, as `load_rows` takes them: at most `most`."""
    names = ", ".join(f'"{name}"' for name in checked_rows.SEALED[table])
    numbers = ", ".join(map(str, runs))
    with closing(open_raw(place)) as raw:
        sql = f"SELECT {names} FROM {table} WHERE run IN ({numbers}) LIMIT {most}"
        return [tuple(row) for row in raw.execute(sql).fetchall()]


def copy_rows(
    table: str, patterns: Sequence[tuple[Any, ...]], numbers: range, run: int, **names: str
) -> Iterator[tuple[Any, ...]]:
    """Yield copies of rows for a run, one for each number; `names` are formats of columns for the number."""
    columns = checked_rows.SEALED[table]
    run_at = columns.index("run")
    formats = [(columns.index(name), form) for name, form in names.items()]
    for number in numbers:
        row = list(patterns[number % len(patterns)])
        row[run_at] = run
        for at, form in formats:
            row[at] = form.format(number) if isinstance(row[at], str) else number
        yield tuple(row)


def load_requests(store: Store, place: str, numbers: range, run: int, patterns_of: Sequence[int]) -> None:
    """Load answers of requests with their calls under a run of their own, and feedback on some of them.

    `patterns_of`: runs of servers and of the learner whose rows are copied. The share with feedback, and a
    step of the learner for each, is theirs.
    """
    episodes = read_patterns(place, "episodes", patterns_of)
    calls = read_patterns(place, "calls", patterns_of)
    feedback = read_patterns(place, "feedback", patterns_of)
    answered = {"id": "ep-{:012x}", "sample_id": f"asked-{run}-{{}}"}
    load_rows(store, place, "episodes", copy_rows("episodes", episodes, numbers, run, **answered))
    load_rows(store, place, "calls", copy_rows("calls", calls, numbers, run, sample=f"asked-{run}-{{}}"))
    judged = range(numbers.start, numbers.stop, max(1, len(episodes) // max(1, len(feedback))))
    if feedback:
        copies = copy_rows("feedback", feedback, judged, run, id="", episode="ep-{:012x}")
        load_rows(store, place, "feedback", copies)
    steps = read_patterns(place, "steps", patterns_of)
    if steps:
        copies = copy_rows("steps", steps, judged, run, number="")
        load_rows(store, place, "steps", map(learn_from_copy, copies))
    with store._writing() as db:
        feedback_rows.list_again(db)


def learn_from_copy(step: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a copied step's row that names the feedback of its own number as learned from.

    It is without the outcomes of its proposals, which are no rows of the copy's run.
    """
    columns = checked_rows.SEALED["steps"]
    at = columns.index("payload")
    number = step[columns.index("number")]
    payload = to_json({**json.loads(step[at]), "proposals": [], "feedback": [number]})
    return (*step[:at], payload, *step[at + 1 :])


def make_memories(users: Users, numbers: range, first: int) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of what is remembered of some users before the day; `first` is that of the first row.

    Of memories about one attribute each closes the one before it.
    """
    at = first
    for user in numbers:
        later: dict[str, str] = {}
        rows = []
        for number in reversed(range(users.count_memories(user))):
            attribute, text = write_memory(user, number)
            since = f"2026-01-{1 + number // 24:02}T{number % 24:02}:00:00.000+00:00"
            memory = Memory(
                attribute=attribute,
                value=text,
                user=name_user(user),
                scope=Scope.USER,
                since=since,
                until=later.get(attribute),
                author="user",
                created=since,
                id=f"m-{user:08x}{number:04x}",
            )
            later[attribute] = since
            rows.append(memory)
        for memory in reversed(rows):
            yield memory_rows._to_row(at, memory)
            at += 1


def load_memories(store: Store, place: str, users: Users, numbers: range) -> int:
    """Load what is remembered of some users before the day, and return how many memories that are."""
    with store._reading() as db:
        (last,) = db.execute("SELECT coalesce(max(number), 0) FROM memories").fetchone()
    return load_rows(store, place, "memories", make_memories(users, numbers, last + 1))


def add_run(store: Store, task: str) -> int:
    """Add a run that is over, for rows of earlier hours."""
    run = store.start_run("online", task, {"branch": store.branch_name, "loaded": now()})
    store.finish_run(run, "done", None)
    return run


def refresh_statistics(place: str) -> None:
    """Have the database look at its tables, as it does by itself some time after they have grown."""
    with closing(open_raw(place)) as raw:
        raw.execute("PRAGMA optimize" if isinstance(raw, sqlite3.Connection) else "VACUUM ANALYZE")


def read_sizes(store: Store, place: str) -> dict[str, Size]:
    """Return the size of each table that has rows, the largest first."""
    with store._reading() as db:
        rows = {name: int(count) for name, count, _ in db.execute(seals.READ).fetchall()}
    sizes: dict[str, Size] = {}
    address = parse_place(place)
    if isinstance(address, Path):
        for table in read_table_sizes(address).tables:
            sizes[table.name] = Size(table.rows, table.bytes, 0)
    else:
        with closing(open_raw(place)) as raw:
            for name, size, index in raw.execute(_SIZES, [address.schema]).fetchall():
                (row,) = raw.execute(_ROW.format(name)).fetchone()
                count = rows.get(name)
                if count is None:  # without a seal
                    (count,) = raw.execute(f"SELECT count(*) FROM {name}").fetchone()
                sizes[name] = Size(int(count), int(size), int(index), float(row))
    present = [(name, size) for name, size in sizes.items() if size.rows]
    return dict(sorted(present, key=lambda pair: -pair[1].bytes))
