"""Rows of model calls: one for each request that has ended.

Functions over a connection that is already inside a transaction.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ace.runs.records import UsageSince
from ace.safety.secrets import SECRET_MARK
from ace.store import checked_rows
from ace.store.sqlite_text import to_json, to_text
from ace.store.store_database import Database

if TYPE_CHECKING:
    # Imported where they are built: `ace.llm` imports pydantic, which reading a playbook does not need.
    from sqlite_utils import Database as SqliteUtils

    from ace.llm.client import Reply
    from ace.llm.journal import Call, Key

TABLES = (
    """CREATE TABLE calls (                -- every request to a model that came to an end, as it did
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs,
    step INTEGER NOT NULL,             -- a step that was cut off has calls, and no row in steps
    phase TEXT NOT NULL,
    sample TEXT NOT NULL,              -- what it was made for: a sample, or a subject that is curated
    role TEXT NOT NULL,
    model TEXT NOT NULL,
    request TEXT NOT NULL,             -- hash of everything that was asked
    occurrence INTEGER NOT NULL,       -- of this request for this sample in this step, from 0
    reply TEXT,                        -- JSON string: what the model said; null when the request failed
    finish_reason TEXT NOT NULL,
    error TEXT NOT NULL,               -- why there is no reply
    faults TEXT NOT NULL,              -- JSON list: kind, attempt, action, detail
    calls INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,    -- cached ones included
    cached_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cost REAL,                         -- US dollars; null is unknown
    started REAL NOT NULL,             -- seconds since 1970, UTC
    seconds REAL NOT NULL,
    checksum TEXT NOT NULL
) STRICT""",
    "CREATE INDEX calls_run ON calls (run, step)",
)

_READ = """SELECT step, sample, role, request, occurrence, phase, model, reply, finish_reason, error, faults,
    calls, prompt_tokens, cached_tokens, completion_tokens, cost, started, seconds
FROM calls WHERE run = :run"""
_IN_ORDER = " ORDER BY id"
_OF_RUN = _READ.replace(" reply,", " CASE WHEN reply IS NULL THEN NULL ELSE '\"\"' END,") + _IN_ORDER
# A reply in which a secret was hidden is not what the model said: it is asked for again.
_NOT_COMMITTED = """ AND reply IS NOT NULL AND instr(reply, :mark) = 0
    AND NOT EXISTS (SELECT 1 FROM steps WHERE steps.run = calls.run AND steps.number = calls.step)"""
# A role whose price was ever unknown has no sum of costs.
_USAGE = """SELECT role, max(id), max(started + seconds), sum(calls), sum(prompt_tokens), sum(cached_tokens),
    sum(completion_tokens), sum(seconds), CASE WHEN count(cost) = count(*) THEN sum(cost) END
FROM calls WHERE run = ? AND id > ? GROUP BY role ORDER BY min(id)"""
_CUT_OFF = _READ + _NOT_COMMITTED + _IN_ORDER


def m005_calls(db: SqliteUtils) -> None:
    """Create the journal of model calls."""
    for statement in TABLES:
        db.execute(statement)


def read_calls(db: Database, run: int, *, replies: bool = False) -> list[Call]:
    """Return a run's calls in the order in which they ended.

    Without `replies`, `text` is empty, or None where the request failed.
    """
    query = f"{_READ}{_IN_ORDER}" if replies else _OF_RUN
    return [_from_row(row) for row in db.execute(query, {"run": run})]


def read_uncommitted_replies(db: Database, run: int) -> dict[Key, Reply]:
    """Return the replies of models in steps of a run that were cut off before they were committed.

    They are as the journal keeps them: thoughts and tool calls are in the text, and nothing is parsed.
    """
    from ace.llm.client import FinishReason, Reply

    replies = {}
    for row in db.execute(_CUT_OFF, {"run": run, "mark": SECRET_MARK}):
        call = _from_row(row)
        replies[call.key] = Reply(
            text=call.text or "",
            parsed=None,
            usage=call.usage,
            finish_reason=FinishReason.of(call.finish_reason),
            faults=call.faults,
        )
    return replies


def read_usage_since(db: Database, run: int, after: int) -> UsageSince:
    """Return what a run's calls took, by role, of those behind the call of id `after`."""
    from ace.llm.client import Usage

    usage = {}
    last, moment = after, 0.0
    for role, newest, ended, calls, prompt, cached, completion, seconds, cost in db.execute(
        _USAGE, [run, after]
    ):
        last, moment = max(last, newest), max(moment, ended)
        usage[role] = Usage(
            calls=int(calls),
            prompt_tokens=int(prompt),
            cached_tokens=int(cached),
            completion_tokens=int(completion),
            seconds=seconds,
            cost=cost,
        )
    return UsageSince(last, moment, usage)


def add_calls(db: Database, run: int, calls: Iterable[Call]) -> None:
    """Append calls to a run, in the order in which they ended."""
    rows = []
    for call in calls:
        key, usage = call.key, call.usage
        row = (
            run,
            key.step,
            to_text(call.phase),
            to_text(key.sample),
            key.role,
            to_text(call.model),
            key.request,
            key.occurrence,
            None if call.text is None else to_json(call.text),
            call.finish_reason,
            to_text(call.error),
            to_json([asdict(fault) for fault in call.faults]),
            usage.calls,
            usage.prompt_tokens,
            usage.cached_tokens,
            usage.completion_tokens,
            None if usage.cost is None else float(usage.cost),  # REAL would not read back as a whole number
            float(call.started),
            float(usage.seconds),
        )
        rows.append(row)
    checked_rows.insert(db, "calls", rows)


def _from_row(row: tuple[Any, ...]) -> Call:
    """Read a row of `_READ`, whose values are in the order of its columns."""
    from ace.llm.client import Usage
    from ace.llm.faults import Fault
    from ace.llm.journal import Call, Key

    step, sample, role, request, occurrence, phase, model, reply, finish, error, faults, *usage = row
    calls, prompt, cached, completion, cost, started, seconds = usage
    return Call(
        key=Key(step, sample, role, request, occurrence),
        phase=phase,
        model=model,
        text=None if reply is None else json.loads(reply),
        finish_reason=finish,
        error=error,
        usage=Usage(
            calls=calls,
            prompt_tokens=prompt,
            cached_tokens=cached,
            completion_tokens=completion,
            seconds=seconds,
            cost=cost,
        ),
        faults=tuple(Fault(**fault) for fault in json.loads(faults)),
        started=started,
    )
