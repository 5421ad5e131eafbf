"""Makes episodes of what waits in the spool of one project, and takes what is said of replies.

A request is part of a conversation as in `ace.agent.watch`, among those of the same session. What is recorded
goes into the playbook in one transaction, and only then leaves the spool.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ace.agent.watch.conversation import Conversations
from ace.agent.watch.reply_stream import ReplyBuilder
from ace.agent.watch.wire import Body, Interface, list_request_items
from ace.errors import (
    AceError,
    StoreBusy,
    StoreUnreachable,
    StoreUnwritable,
    UnknownVersion,
    describe_error,
)
from ace.loop import AgentLearner
from ace.loop.own_episode import EpisodeContext, OwnEpisode
from ace.runs.records import AnswerFeedback, EpisodeEnd, EpisodeEvent
from ace.servers.proxy.recorder_process import FeedbackFate
from ace.servers.proxy.reply_index import (
    ADD_REPLY,
    ADD_TO_BATCH,
    CLEAR_BATCH,
    FIND_EPISODE,
    LIST_BATCH,
    open_reply_index,
)
from ace.servers.proxy.signals import Remark, Signal, judge_reply, make_feedback
from ace.servers.proxy.spool import (
    Ending,
    Exchange,
    FeedbackNote,
    list_spooled,
    locate_spool,
    read_entry,
    set_aside,
    split_entries,
)
from ace.store import Store
from ace.store.store_database import Place
from ace.task.traces.claude_code import drop_reminders
from ace.task.types import Sample

_AT_ONCE = 20  # files that are recorded in one transaction
_MOST_SESSIONS = 1_000  # that are followed at once; the one that was silent longest ends then
_LONGEST_ERROR = 500  # characters of what an upstream says of a fault
_LONGEST_REPLY = 64_000_000  # bytes of a reply that came compressed
_PIECE = 16_384  # bytes of it that are unpacked at once
_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 60.0  # seconds that a server is left alone that does not answer
_LOG = logging.getLogger("ace.learner")

Row = EpisodeEvent | EpisodeEnd | AnswerFeedback
Tell = Callable[[str, FeedbackFate, str], None]
"""Says what became of feedback: the name of its file, its fate, and the episode."""


@dataclass(slots=True)
class Remarks:
    """Hold what an open episode has shown by itself."""

    last: tuple[Remark, ...] = ()
    """Of its last reply."""

    earlier: tuple[Remark, ...] = ()


class EpisodeCollector:
    """Begin episodes with what their callers were shown, and collect what they report.

    It is the `EpisodeLearner` of conversations and the `EpisodeKeeper` of their episodes.
    """

    def __init__(self, learner: AgentLearner) -> None:
        self.learner = learner
        self.shown = EpisodeContext()
        """What the caller of the next episode was shown."""
        self.session = ""
        """The session of the next episode."""
        self.rows: list[Row] = []
        """What is to be written."""
        self.remarks: dict[str, Remarks] = {}
        """By open episode."""
        self.guard: Callable[[str, str], AbstractContextManager[None]] = lambda doing, episode: nullcontext()
        """Lets what goes wrong pass, to where the whole entry is set aside."""

    def episode(self, question: str, *, user: str = "", **data: Any) -> OwnEpisode:
        """Return the episode of a question."""
        fields = {"user": user, "session": self.session, **data}
        fields = {name: value for name, value in fields.items() if value}
        return OwnEpisode(self, self.learner.make_sample(question, fields))

    def compose(self, sample: Sample, budget: int | None = None) -> EpisodeContext:
        """Return what the caller was shown."""
        return self.shown

    def record(self, *rows: EpisodeEvent | EpisodeEnd) -> None:
        """Collect rows. With the end of an episode goes what it has shown by itself."""
        for row in rows:
            if isinstance(row, EpisodeEnd):
                remarks = self.remarks.pop(row.episode.id, None)
                if remarks is not None and row.feedback is None:
                    feedback = make_feedback(row.episode.id, remarks.last, remarks.earlier)
                    row = replace(row, feedback=feedback)
            self.rows.append(row)

    def feedback(self, episode: str, **outcome: Any) -> bool:
        """Take no feedback: it comes from the spool."""
        return False


@dataclass(slots=True)
class Session:
    """Hold the conversations of one session of a client; those of clients that send no id are one."""

    conversations: Conversations
    asked: dict[str, str] = field(default_factory=dict)
    """The episodes of what was asked and answered, by its words."""


class Recorder:
    """Record what waits for one project. Belongs to one thread."""

    def __init__(self, playbook: Place, open_learner: Callable[[], AgentLearner], tell: Tell) -> None:
        """Name the playbook. `open_learner` opens its learner, which raises its own errors in each call."""
        self._playbook = playbook
        self._folder = locate_spool(playbook)
        self._open_learner = open_learner
        self._tell = tell
        self._index: sqlite3.Connection | None = None
        self._collector: EpisodeCollector | None = None
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._taken: list[Path] = []  # to be removed once their rows are written
        self._fates: list[tuple[str, FeedbackFate, str]] = []  # to be told then
        self._replies: dict[str, str] = {}  # to be kept then
        self._problem = ""
        self._pause = _FIRST_PAUSE
        self._rests_until = 0.0  # of the monotonic clock

    def step(self, silence: float) -> bool:
        """Record some of what waits, and end conversations that were silent for so many seconds.

        Return whether more waits that can be recorded now. Raises nothing: what cannot be recorded stays.
        After a server that does not answer nothing is done for a while: asking it takes seconds, for which
        other projects would wait.
        """
        if time.monotonic() < self._rests_until:
            return False
        try:
            collector = self._open()
            if not self._flush(collector):
                return False
            paths = list_spooled(self._folder, _AT_ONCE)
            for path in paths:
                for written in split_entries(path.read_bytes()):
                    self._take_entry(collector, path, written)
                self._taken.append(path)
            for session in [*self._sessions.values()]:
                for episode in session.conversations.list_silent(silence):
                    session.conversations.finish(episode)
            return self._flush(collector) and len(paths) == _AT_ONCE
        except (AceError, OSError, sqlite3.Error) as error:
            self._put_off(error)
            return False

    def close(self) -> None:
        """Record what waits, end the conversations, and close the file. Raises nothing."""
        self._rests_until = 0.0
        while self.step(silence=0.0):
            pass
        try:
            if self._collector is not None:
                self._flush(self._collector)
                self._collector.learner.close(at_once=True)
            if self._index is not None:
                self._index.close()
        except (AceError, OSError, sqlite3.Error) as error:
            self._note(describe_error(error))

    def _open(self) -> EpisodeCollector:
        """Return what begins episodes. Raises errors of opening the files."""
        if self._index is None:
            self._index = open_reply_index(self._folder)
        if self._collector is None:
            self._remove_recorded(self._index)
            self._collector = EpisodeCollector(self._open_learner())
        return self._collector

    def _remove_recorded(self, index: sqlite3.Connection) -> None:
        """Remove files that another process has recorded and was killed before it could. Raises StoreError.

        It is called before a learner is open, which ends the episodes that others have left.
        """
        rows = index.execute(LIST_BATCH).fetchall()
        paths = [self._folder / name for name, _, _ in rows if (self._folder / name).exists()]
        if not paths:
            return
        _, episode, number = rows[0]
        with Store.open(self._playbook, create=False, read_only=True) as store:
            events = store.open_episodes(episode).get(episode, ())
            is_recorded = bool(store.episodes(ids=[episode]))
        if is_recorded or any(event.number == number for event in events):
            for path in paths:
                path.unlink(missing_ok=True)

    def _note(self, problem: str) -> None:
        """Log a problem, once for each time that it begins; "" when there is none any more."""
        if problem and problem != self._problem:
            _LOG.warning("could not record what waits in %s: %s", self._folder, problem)
        self._problem = problem

    def _put_off(self, error: Exception) -> None:
        """Log why nothing is recorded. A server that does not answer is left alone, longer each time."""
        self._note(describe_error(error))
        if isinstance(error, StoreUnreachable):
            self._rests_until = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def _take_entry(self, collector: EpisodeCollector, path: Path, written: bytes) -> None:
        """Take an entry of a file. One that cannot be used is set aside, and the others go on."""
        before = len(collector.rows)
        try:
            name, entry = read_entry(written)
            if isinstance(entry, FeedbackNote):
                self._take_feedback(collector, name, entry)
            else:
                self._take_exchange(collector, entry)
        except Exception as error:  # the one boundary around what clients and upstreams have sent
            del collector.rows[before:]
            aside = set_aside(path, written)
            where = f"is in {aside} now" if aside else "is lost: there is no room for more .unread files"
            _LOG.warning("could not record an exchange, which %s: %s", where, describe_error(error))

    def _take_exchange(self, collector: EpisodeCollector, exchange: Exchange) -> None:
        """Make an exchange part of its conversation. Raises what is wrong with it."""
        interface = Interface(exchange.interface)
        body: Body = json.loads(exchange.request)
        if interface is Interface.MESSAGES and isinstance(body.get("messages"), list):
            body = {**body, "messages": [drop_reminders(message) for message in body["messages"]]}
        collector.shown = EpisodeContext("", exchange.bullets, exchange.version)
        collector.session = exchange.session
        session = self._sessions.setdefault(exchange.session, Session(Conversations(collector)))
        self._sessions.move_to_end(exchange.session)
        if len(self._sessions) > _MOST_SESSIONS:
            _, oldest = self._sessions.popitem(last=False)
            while oldest.conversations.finish():
                pass
        words = json.dumps(list_request_items(interface, body), sort_keys=True) if exchange.session else ""
        asked_before = session.asked.pop(words, "") if words else ""
        if asked_before in collector.remarks:
            remark = Remark(Signal.ASKED_AGAIN)
            collector.remarks[asked_before].earlier = (*collector.remarks[asked_before].earlier, remark)
        conversation = session.conversations.take_request(interface, body)
        episode = conversation.episode.id
        remarks = collector.remarks.setdefault(episode, Remarks())
        remarks.earlier, remarks.last = (*remarks.earlier, *remarks.last), ()
        if exchange.status == 0 and not exchange.reply:
            conversation.error, conversation.failed = str(exchange.ending.value), True
            return
        reply = decode_reply(exchange)
        if exchange.status >= 400:
            words_of_it = reply[:_LONGEST_ERROR].decode("utf-8", "replace")
            conversation.error = f"the upstream answered {exchange.status}: {words_of_it}"
            conversation.failed = True
            return

        def take(value: Mapping[str, Any]) -> None:
            """Take the whole reply."""
            session.conversations.take_reply(conversation, interface, value)
            if isinstance(value.get("id"), str):
                self._replies[value["id"]] = episode
            if builder.is_whole:
                remarks.last = judge_reply(interface, body, value)

        builder = ReplyBuilder(interface, take, lambda doing: nullcontext())
        builder.has_events = "event-stream" in exchange.kind
        builder.feed(reply)
        builder.end()
        if not builder.is_whole or exchange.ending is not Ending.WHOLE:
            why = str(exchange.ending.value)
            if exchange.ending is Ending.WHOLE:  # then nobody else knows
                why = "the reply has no end, or is no reply at all"
                _LOG.warning("could not read a reply of episode %s: %s", episode, why)
            conversation.error = why
        elif words:
            session.asked[words] = episode

    def _take_feedback(self, collector: EpisodeCollector, name: str, note: FeedbackNote) -> None:
        """Take what is said of a reply: its conversation ends with it. Raises errors of the index."""
        episode = self._replies.get(note.reply, "")
        if not episode and self._index is not None:
            row = self._index.execute(FIND_EPISODE, [note.reply]).fetchone()
            episode = str(row[0]) if row else ""
        if not episode:
            self._fates.append((name, FeedbackFate.UNKNOWN, ""))
            _LOG.warning("could not take feedback: no reply has the id %.80r", note.reply)
            return
        if note.right is not None or note.score is not None or note.expected:
            collector.remarks.pop(episode, None)  # who was there knows better
        for session in self._sessions.values():
            if session.conversations.finish(episode):
                break
        feedback = AnswerFeedback(
            episode, note.right, note.expected, note.text, note.author, score=note.score
        )
        collector.rows.append(feedback)
        self._fates.append((name, FeedbackFate.RECORDED, episode))

    def _flush(self, collector: EpisodeCollector) -> bool:
        """Write what was collected, remove what it came from, and tell. Return whether nothing is left.

        What a reply belongs to, and what is being written, is in the index before. So a process that is
        killed in between records nothing twice. Raises errors of the spool and the index.
        """
        if self._index is not None and (self._replies or collector.rows):
            last: tuple[str, int] | None = None  # the last row that can be looked for in the playbook
            for row in collector.rows:
                if isinstance(row, EpisodeEnd):
                    last = (row.episode.id, -1)
                elif isinstance(row, EpisodeEvent):
                    last = (row.episode, row.number)
            batch = [(path.name, *last) for path in self._taken] if last else []
            with self._index:
                self._index.executemany(ADD_REPLY, self._replies.items())
                self._index.execute(CLEAR_BATCH)
                self._index.executemany(ADD_TO_BATCH, batch)
            self._replies.clear()
        while collector.rows:
            try:
                collector.learner.write(*collector.rows)
                collector.rows.clear()
            except (StoreBusy, StoreUnwritable) as error:
                self._put_off(error)
                return False
            except AceError as error:
                self._write_singly(collector, error)
        for path in self._taken:
            path.unlink(missing_ok=True)
        self._taken.clear()
        for fate in self._fates:
            self._tell(*fate)
        self._fates.clear()
        self._note("")
        self._pause = _FIRST_PAUSE
        return True

    def _write_singly(self, collector: EpisodeCollector, error: AceError) -> None:
        """Write rows one by one, and leave out the first that the file refuses for good. Log it.

        Raises StoreBusy and StoreUnwritable.
        """
        while collector.rows:
            row = collector.rows[0]
            try:
                collector.learner.write(row)
            except (StoreBusy, StoreUnwritable):
                return  # the next try of all of them says so
            except AceError as fault:
                _LOG.warning("could not record %s: %s", type(row).__name__, fault)
                if isinstance(row, AnswerFeedback) and isinstance(fault, UnknownVersion):
                    self._fates = [
                        (name, FeedbackFate.UNKNOWN if episode == row.episode else fate, episode)
                        for name, fate, episode in self._fates
                    ]
            collector.rows.pop(0)


def decode_reply(exchange: Exchange) -> bytes:
    """Return a reply as it was before it was compressed. Raises ValueError where that fails."""
    if not exchange.encoding or not exchange.reply:
        return exchange.reply
    import httpx

    headers = {"content-encoding": exchange.encoding}
    packed = (exchange.reply[start : start + _PIECE] for start in range(0, len(exchange.reply), _PIECE))
    reply = bytearray()
    try:
        for piece in httpx.Response(200, headers=headers, content=packed).iter_bytes():
            reply += piece
            if len(reply) > _LONGEST_REPLY:
                raise ValueError(f"its reply is larger than {_LONGEST_REPLY:,} bytes")
        return bytes(reply)
    except httpx.DecodingError as error:
        raise ValueError(f"its reply is not in {exchange.encoding}") from error
