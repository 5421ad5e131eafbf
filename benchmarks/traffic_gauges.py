"""Gauges of a database under traffic: what its connections wait for, transactions, log, processor's time.

Knows nothing of requests.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.traffic_rows import open_raw

_WRITE_LOCK = "Lock: advisory"
_ACTIVITY = """SELECT state, coalesce(wait_event_type || ': ' || wait_event, 'works') FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'ace %' AND state <> 'idle'"""
_COUNTS = """SELECT (SELECT coalesce(sum(number), 0) FROM writers), xact_commit + xact_rollback,
    pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') FROM pg_stat_database
WHERE datname = current_database()"""


@dataclass(slots=True)
class Gauges:
    """Look at a server every now and then, and count. A file has no such figures: all stay empty."""

    place: str
    postmaster: int | None
    """The server's first process, where it is on this machine: its processor's time is read."""

    raw: Any = None
    waits: Counter[str] = field(default_factory=Counter)
    """By what a connection that was not idle waited for: in how many looks it was seen."""

    queues: list[int] = field(default_factory=list)
    """How many connections waited for the write lock, by look."""

    _began: float = 0.0
    _counts: tuple[float, ...] = ()
    _processor: float | None = None

    def begin(self) -> None:
        """Begin to count anew."""
        if self.raw is None and self.place.startswith("postgresql://"):
            self.raw = open_raw(self.place)
        self.waits.clear()
        self.queues.clear()
        self._began = time.perf_counter()
        self._counts = self._read_counts()
        self._processor = read_tree_processor(self.postmaster)

    def look(self) -> None:
        """Look once at what every connection does."""
        if self.raw is None:
            return
        waiting = 0
        for state, event in self.raw.execute(_ACTIVITY).fetchall():
            if state != "active":
                event = "in a transaction, for its client"
            self.waits[event] += 1
            waiting += event == _WRITE_LOCK
        self.queues.append(waiting)

    def read(self) -> dict[str, Any]:
        """Return what has been counted: seconds of waits over all connections, transactions, bytes of log."""
        seconds = time.perf_counter() - self._began
        if self.raw is None:
            return {"seconds": seconds}
        written, all_transactions, log = (
            float(after - before) for after, before in zip(self._read_counts(), self._counts, strict=True)
        )
        each = seconds / max(1, len(self.queues))
        processor = None
        if self._processor is not None:
            processor = (read_tree_processor(self.postmaster) or 0.0) - self._processor
        return {
            "seconds": seconds,
            "looks": len(self.queues),
            "waits": {event: round(count * each, 3) for event, count in self.waits.most_common()},
            "queue_mean": sum(self.queues) / max(1, len(self.queues)),
            "queue_most": max(self.queues, default=0),
            "lock_seconds": self.waits[_WRITE_LOCK] * each,
            "commits": written,
            "transactions": all_transactions,
            "log_bytes": log,
            "processor": processor,
        }

    def close(self) -> None:
        """Close the connection."""
        if self.raw is not None:
            self.raw.close()

    def _read_counts(self) -> tuple[float, ...]:
        """Return how many transactions wrote, how many there were, and the bytes of log, since ever."""
        if self.raw is None:
            return ()
        self.raw.execute("SELECT pg_stat_clear_snapshot()")
        return tuple(self.raw.execute(_COUNTS).fetchone())


def read_tree_processor(first: int | None) -> float | None:
    """Return the seconds that a process and those it has started have computed (Linux); None elsewhere."""
    if first is None or not Path("/proc/self/stat").exists():
        return None
    ticks = 0
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        own, waited_for = sum(map(int, fields[11:13])), sum(map(int, fields[13:15]))
        if int(file.parent.name) == first:
            ticks += own + waited_for
        elif int(fields[1]) == first:
            ticks += own
    return ticks / os.sysconf("SC_CLK_TCK")


def read_server_version(place: str) -> str:
    """Return what runs at an address, or which SQLite reads the file."""
    if place.startswith("postgresql://"):
        with closing(open_raw(place)) as raw:
            return f"PostgreSQL {raw.execute('SHOW server_version').fetchone()[0]}"
    import sqlite3

    return f"SQLite {sqlite3.sqlite_version}"
