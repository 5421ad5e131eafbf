"""Model calls of a run, as `Store` offers them. Every method is one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ace.runs.records import CallTotals, UsageSince
from ace.store import call_rows
from ace.store.call_journal import CallJournal
from ace.store.connection import OpenFile

if TYPE_CHECKING:
    from ace.llm.journal import Call

_TOTALS = """SELECT coalesce(sum(calls), 0), coalesce(sum(prompt_tokens + completion_tokens), 0),
coalesce(max(started + seconds), 0.0) FROM calls WHERE run = ?"""


class CallStore(OpenFile):
    """Store what runs asked models. `Store` inherits it.

    Every method raises StoreBusy, StoreUnwritable and NotAPlaybook as those of `Store` do.
    """

    def calls(self, run: int, *, replies: bool = False) -> list[Call]:
        """Return a run's model calls in the order they ended, those of steps that were cut off included.

        Without `replies`, which may be large, `text` is empty, or None where the request failed.
        """
        with self._reading() as db:
            return call_rows.read_calls(db, run, replies=replies)

    def call_totals(self, run: int) -> CallTotals:
        """Return what a run's calls took so far, those of a step under way included."""
        with self._reading() as db:
            row = db.execute(_TOTALS, [run]).fetchone()
        return CallTotals(*row)

    def usage_since(self, run: int, after: int = 0) -> UsageSince:
        """Return what a run's calls took, by role, of those behind the call of id `after`.

        What it costs depends on how many those are, and not on how many the run has.
        """
        with self._reading() as db:
            return call_rows.read_usage_since(db, run, after)

    def call_journal(self, run: int) -> CallJournal:
        """Open the journal that stores a run's calls and finds those of a step that was cut off.

        The caller closes it. It may be used from any thread.
        """
        with self._reading() as db:
            return CallJournal(self.path, run, call_rows.read_uncommitted_replies(db, run))
