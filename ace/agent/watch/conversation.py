"""Which requests are one conversation, and what is new in each: one conversation becomes one episode.

A request continues an earlier one where it begins with all that the earlier one held, and holds more. It does
not matter how its system prompt or its thoughts have changed. Knows no library.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import RLock
from typing import Any

from ace.agent.watch.wire import (
    Body,
    Interface,
    find_earlier,
    find_user,
    list_reply_items,
    list_request_items,
)
from ace.task.agent_episode import AgentEpisode, EpisodeLearner
from ace.task.attempt import Turn, TurnKind
from ace.task.traces.chat_record import read_messages

_MOST = 256  # conversations that are open at once; the one that was silent longest ends then
_CALLS_AT_THE_END = "the conversation ended with a call of a tool"


@dataclass(slots=True, eq=False)
class Conversation:
    """Hold an open conversation. Thoughts are no turns here: not every program sends them back."""

    episode: AgentEpisode
    """Begun when the conversation was."""

    items: list[Any] = field(default_factory=list)
    """The entries of its last request, and of the reply to it."""

    turns: tuple[Turn, ...] = ()
    """Those that are recorded in the episode."""

    requested: tuple[Turn, ...] = ()
    """Those of its last request."""

    answer: str = ""
    """The last reply in words; "" where it had none."""

    error: BaseException | str = ""
    """Why the conversation has no answer as it stands; "" where it has one."""

    failed: bool = False
    """Whether its last request failed: the same one may be made again."""

    spoke: float = 0.0
    """When its last request came, as `time.monotonic` has it."""


class Conversations:
    """Follows the conversations of one block. May be used from any thread."""

    def __init__(self, learner: EpisodeLearner) -> None:
        self._learner = learner
        self._lock = RLock()
        self._open: list[Conversation] = []  # the one that spoke last is the last
        self._by_id: dict[str, Conversation] = {}  # of replies that later requests name
        self.ids: list[str] = []  # of episodes, in the order in which they began

    def take_request(self, interface: Interface, body: Body) -> Conversation:
        """Return the conversation of a request, begun if it is new. What is new in it is recorded."""
        with self._lock:
            items = list_request_items(interface, body)
            earlier = find_earlier(body)
            conversation = self._by_id.get(earlier)
            if conversation is not None:
                items = [*conversation.items, *items]
            turns = _visible(read_messages(items))
            if conversation is None:
                conversation = self._find(turns)
            if conversation is None or conversation not in self._open:
                user = find_user(body)
                questions = [turn.text for turn in turns if turn.kind is TurnKind.USER]
                question = questions[-1] if questions else "(nothing was asked in words)"
                episode = self._learner.episode(question, user=user).begin()
                conversation = Conversation(episode)
                self.ids.append(episode.id)
                self._open.append(conversation)
                if len(self._open) > _MOST:
                    self.finish(self._open[0].episode.id)
                self._by_id = {name: entry for name, entry in self._by_id.items() if entry in self._open}
            self._open.remove(conversation)
            self._open.append(conversation)
            if earlier:
                self._by_id[earlier] = conversation
            conversation.items = items
            conversation.requested = turns
            conversation.spoke = time.monotonic()
            conversation.error, conversation.failed = "no reply came", False
            _record(conversation, turns)
            return conversation

    def take_reply(self, conversation: Conversation, interface: Interface, reply: Body) -> None:
        """Record what a reply says and calls."""
        with self._lock:
            new = list_reply_items(interface, reply)
            conversation.items = [*conversation.items, *new]
            if isinstance(reply.get("id"), str):
                self._by_id[reply["id"]] = conversation
            spoken = read_messages(new)
            for turn in spoken:
                if turn.kind is TurnKind.THOUGHT:
                    conversation.episode.say(turn.text, kind=turn.kind)
            texts = [turn.text for turn in spoken if turn.kind is TurnKind.AGENT]
            conversation.answer = "\n\n".join(texts)
            has_called = any(turn.kind is TurnKind.TOOL for turn in spoken)
            conversation.error = _CALLS_AT_THE_END if has_called or not texts else ""
            _record(conversation, _visible(read_messages(conversation.items)))

    def finish(self, name: str = "", **outcome: Any) -> str:
        """End the conversation of an episode, by default the one that spoke last; return the episode's id.

        `outcome` goes with the answer. Return "" where no such conversation is open.
        """
        with self._lock:
            matches = [entry for entry in self._open if name in ("", entry.episode.id)]
            if not matches:
                return ""
            conversation = matches[-1]
            self._open.remove(conversation)
            if outcome or not conversation.error:
                conversation.episode.finish(conversation.answer, **outcome)
            else:
                conversation.episode.fail(conversation.error)
            return conversation.episode.id

    def list_silent(self, seconds: float) -> tuple[str, ...]:
        """Return the episodes of open conversations that have been silent for so long, in their order."""
        latest = time.monotonic() - seconds
        with self._lock:
            return tuple(entry.episode.id for entry in self._open if entry.spoke <= latest)

    def _find(self, turns: Sequence[Turn]) -> Conversation | None:
        """Return the conversation that turns continue: of several the one that they share most with.

        A reply may be sent back reworded, and a request that failed may be made again as it was. But who only
        asks the same first is somebody else.
        """
        best: Conversation | None = None
        most = (-1, False)
        for conversation in reversed(self._open):
            length = len(conversation.requested)
            if not _is_beginning(conversation.requested, turns):
                continue
            if conversation.failed:
                is_continued, is_exact = True, False
            else:
                is_continued = len(turns) > length and turns[length].kind in (TurnKind.AGENT, TurnKind.TOOL)
                is_exact = len(turns) > length and _is_beginning(conversation.turns, turns)
            if (is_continued or is_exact) and (length, is_exact) > most:
                best, most = conversation, (length, is_exact)
        return best


def _visible(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """Return turns without thoughts."""
    return tuple(turn for turn in turns if turn.kind is not TurnKind.THOUGHT)


def _is_beginning(first: Sequence[Turn], turns: Sequence[Turn]) -> bool:
    """Tell whether turns begin with others; what a tool returned may have come since."""
    pairs = zip(first, turns, strict=False)
    return len(first) <= len(turns) and all(
        (old.kind, old.text, old.tool, old.arguments) == (new.kind, new.text, new.tool, new.arguments)
        and old.observation in ("", new.observation)
        for old, new in pairs
    )


def _record(conversation: Conversation, turns: tuple[Turn, ...]) -> None:
    """Record what is new in the turns of a conversation, results of calls among it."""
    episode, old = conversation.episode, conversation.turns
    for place, turn in enumerate(turns):
        if place < len(old) and turn.observation and not old[place].observation:
            episode.tool(turn.tool, None, turn.observation, failed=turn.failed)
        elif place >= len(old):
            if turn.kind is TurnKind.TOOL:
                arguments = turn.arguments or None
                episode.tool(turn.tool, arguments, turn.observation or None, failed=turn.failed)
            else:
                episode.say(turn.text, kind=turn.kind)
    conversation.turns = turns
