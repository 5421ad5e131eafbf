"""Retention: deleting the calls and attempts of old runs that nothing in the playbook rests on.

What a bullet cites at any version, what stands behind a proposal that was accepted or waits for a person,
what feedback or the events of somebody else's agent are about, and the calls for the samples of all of these
stay, and so do runs, their journals, proposals and the whole history.

Functions over a connection that is already inside a transaction.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict, dataclass, field

from ace.runs.records import Reason
from ace.store import checked_rows
from ace.store.sqlite_text import read_column, to_json
from ace.store.store_database import Database

AT_ONCE = 5_000  # rows that one transaction deletes
# A run that is under way, or may be resumed, is left alone: the latest of its kind, task and branch.
_ENDED = """SELECT id FROM runs WHERE status <> 'running' AND ended IS NOT NULL
    AND (CAST(:before AS TEXT) IS NULL OR ended < :before)
    AND (CAST(:keep AS BIGINT) IS NULL OR id NOT IN (SELECT id FROM runs ORDER BY id DESC LIMIT :keep))
    AND (status = 'done' OR id NOT IN (SELECT max(id) FROM runs
        GROUP BY kind, task, coalesce(json_extract(config, '$.branch'), 'main')))
ORDER BY id"""
_EPISODES = """SELECT rowid, id, sample_id, length(question) + length(answer) + length(detail) + length(error)
    + length(reply) + length(feedback) + length(expected) + length(subjects) + length(missing) + length(uses)
    + length(reasoning) + length(turns) + length(artifacts) + length(parts) + length(fact_topics) + 150
FROM episodes WHERE run = ? ORDER BY rowid"""
_CALLS = """SELECT id, sample, coalesce(length(reply), 0) + length(error) + length(faults) + length(request)
    + length(phase) + length(sample) + length(model) + 120
FROM calls WHERE run = ? ORDER BY id"""


_PROPOSALS = """SELECT rowid, run, sample_id, episodes FROM proposals WHERE rowid > ?
    AND (outcome = 'accepted' OR reason IN (SELECT value FROM json_each(?))) ORDER BY rowid"""
# Reasons of proposals that a person may still decide, and see the attempts behind.
_WAITING = (Reason.QUARANTINED.value, Reason.WAITS_FOR_WITNESS.value, Reason.SUSPECT_LABEL.value)


@dataclass(frozen=True, slots=True)
class Pruning:
    """Say what is deleted, or would be."""

    runs: int = 0
    """Runs that are old enough, and have ended for good."""

    calls: int = 0
    episodes: int = 0

    bytes: int = 0
    """What the rows take, about: it is used again, and given back where the file is vacuumed."""

    kept_calls: int = 0
    """Calls of those runs that something rests on."""

    kept_episodes: int = 0
    """Attempts of those runs that something rests on."""

    returned: int = 0
    """Bytes by which the file is shorter; 0 where it was not vacuumed."""

    def __add__(self, more: Pruning) -> Pruning:
        """Return both together."""
        return Pruning(**{name: count + getattr(more, name) for name, count in asdict(self).items()})


@dataclass(slots=True)
class Citations:
    """Know what may not be deleted. Read again, it takes in what was written since."""

    episodes: set[str] = field(default_factory=set)
    """Ids of attempts."""

    samples: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Samples whose calls stay, by run."""

    _seen: list[int] = field(default_factory=lambda: [-1, 0, 0])
    """The last version, and the last rows of proposals and feedback, that were read."""

    def read(self, db: Database) -> set[str]:
        """Take in what the file cites, as far as it is new; return the ids of attempts that are new."""
        version, proposal, feedback = self._seen
        cited = """SELECT DISTINCT value FROM bullet_history, json_each(provenance) WHERE version > ?
            UNION SELECT episode FROM feedback WHERE id > ? UNION SELECT episode FROM episode_events"""
        names = set(read_column(db, cited, [version, feedback]))
        for row, run, sample, episodes in db.execute(_PROPOSALS, [proposal, to_json(_WAITING)]):
            names.update(json.loads(episodes))
            self.samples[run].add(sample)
            proposal = row
        (version,) = db.execute("SELECT max(number) FROM versions").fetchone()
        (feedback,) = db.execute("SELECT coalesce(max(id), 0) FROM feedback").fetchone()
        self._seen = [version, proposal, feedback]
        names -= self.episodes
        self.episodes |= names
        return names


@dataclass(slots=True)
class Doomed:
    """Hold the rows of some runs that nothing rests on. Each is taken out when it is deleted."""

    episodes: list[int] = field(default_factory=list)
    """Their rows in the table, with those of `calls` in the order in which they were written."""

    calls: list[int] = field(default_factory=list)

    pruning: Pruning = field(default_factory=Pruning)
    """What deleting all of them means."""


def find_ended(db: Database, keep: int | None, before: str | None) -> list[int]:
    """Return the runs to prune: not the newest `keep`, and ended `before` a time (ISO 8601), where given."""
    return read_column(db, _ENDED, {"keep": keep, "before": before})


def find_doomed(db: Database, run: int, citations: Citations) -> Doomed:
    """Return what may be deleted of a run."""
    samples = set(citations.samples.get(run, ()))
    for text in read_column(db, "SELECT json_extract(payload, '$.proofs') FROM steps WHERE run = ?", [run]):
        proofs = json.loads(text or "{}")
        for proven in proofs.values() if isinstance(proofs, dict) else proofs:
            samples.update(proven)
    size = kept_episodes = kept_calls = 0
    episodes: list[int] = []
    calls: list[int] = []
    for row, name, sample, length in db.execute(_EPISODES, [run]):
        if name in citations.episodes:
            kept_episodes += 1
            samples.add(sample)
        else:
            episodes.append(row)
            size += length
    for row, sample, length in db.execute(_CALLS, [run]):
        if sample in samples:
            kept_calls += 1
        else:
            calls.append(row)
            size += length
    pruning = Pruning(
        runs=1,
        calls=len(calls),
        episodes=len(episodes),
        bytes=size,
        kept_calls=kept_calls,
        kept_episodes=kept_episodes,
    )
    return Doomed(episodes, calls, pruning)


def find_batch(db: Database, runs: list[int], citations: Citations) -> Doomed:
    """Take the first runs off the list, and return what may be deleted of them: each is looked at once.

    They are as many as have some thousand rows to delete together.
    """
    citations.read(db)
    batch = Doomed()
    while runs and len(batch.episodes) + len(batch.calls) < AT_ONCE:
        more = find_doomed(db, runs.pop(0), citations)
        batch.episodes += more.episodes
        batch.calls += more.calls
        batch.pruning += more.pruning
    return batch


def delete_some(db: Database, batch: Doomed, citations: Citations) -> None:
    """Delete some thousand rows of a batch, and leave the others in it, so that others may write in between.

    What has been cited since the batch was found stays.
    """
    _spare(db, batch, citations.read(db))
    room = AT_ONCE
    for table, rows in (("episodes", batch.episodes), ("calls", batch.calls)):
        chunk = rows[:room]
        del rows[:room]
        room -= len(chunk)
        if chunk:
            key = checked_rows.KEYS.get(table, "rowid")
            test = f"{key} IN (SELECT CAST(value AS BIGINT) FROM json_each(?))"  # noqa: S608 (our own names)
            checked_rows.delete(db, table, test, [to_json(chunk)])


def _spare(db: Database, batch: Doomed, cited: set[str]) -> None:
    """Take attempts that are cited now, and the calls for their samples, out of a batch."""
    sql = "SELECT rowid, run, sample_id FROM episodes WHERE id IN (SELECT value FROM json_each(?))"
    found = db.execute(sql, [to_json(sorted(cited))]).fetchall() if cited else []
    for episode, run, sample in found:
        if episode not in batch.episodes:
            continue
        calls = set(read_column(db, "SELECT id FROM calls WHERE run = ? AND sample = ?", [run, sample]))
        spared = calls.intersection(batch.calls)
        batch.episodes.remove(episode)
        batch.calls = [call for call in batch.calls if call not in spared]
        batch.pruning += Pruning(episodes=-1, calls=-len(spared), kept_episodes=1, kept_calls=len(spared))
