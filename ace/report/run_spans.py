"""Says what a run was as spans: the run, its attempts, and the calls of models and tools in them.

The names are those of OpenTelemetry's semantic conventions for generative AI; what these have no name for
begins with "ace.". What was asked, answered and judged is left out unless `content` asks for it. Spans are
made of what the store holds, so a run knows nothing of them, and one that goes on has some as well.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ace.llm.client import Reply, Role
from ace.llm.journal import Call
from ace.llm.transcript import split_reply
from ace.report.run_history import RunHistory
from ace.runs.steps import SampleResult, StepRecord
from ace.safety.secrets import hide_secrets
from ace.task.attempt import Turn, TurnKind
from ace.task.types import Episode, FeedbackKind

_NANO = 1_000_000_000


@dataclass(slots=True, kw_only=True)
class RunSpan:
    """Hold one span."""

    name: str

    start: int
    """Nanoseconds since 1970."""

    attributes: dict[str, Any]
    """Values by the names that OpenTelemetry gives them, and our own under "ace."."""

    parent: int | None = None
    """The place of the span above it; None for the run's own."""

    end: int = 0
    """Nanoseconds since 1970."""

    evaluation: dict[str, Any] = field(default_factory=dict)
    """The attributes of the event that says how an attempt was judged; empty where nothing judged it."""

    is_failure: bool = False
    """Whether it ended in an error."""

    problem: str = ""
    """What went wrong, where contents are asked for."""


def list_run_spans(
    history: RunHistory, calls: Sequence[Call], bullets: Mapping[int, Sequence[str]], *, content: bool
) -> list[RunSpan]:
    """Return the spans of a run, each after the one above it. Their texts have no secrets.

    `bullets` are the ids of the active ones by version.
    """
    spans = _Plan(history=history, calls=calls, bullets=bullets, content=content).list_spans()
    for span in spans:
        span.name, span.problem = hide_secrets(span.name), hide_secrets(span.problem)
        span.evaluation = _hide(span.evaluation)
        for key, value in span.attributes.items():
            hidden = _hide(value)
            if isinstance(hidden, list) and any(isinstance(entry, Mapping) for entry in hidden):
                hidden = json.dumps(hidden, ensure_ascii=False)  # no attribute can hold objects
            span.attributes[key] = hidden
    return spans


def make_ids(history: RunHistory, count: int) -> tuple[int, list[int]]:
    """Return the id of a run's trace and those of its spans: the same for the same run.

    So nothing changes where they are sent again.
    """
    seed = f"{history.run.task} {history.run.id} {history.run.started}"
    digests = (hashlib.sha256(f"{seed} {number}".encode()).digest() for number in range(count + 1))
    trace, *ids = (int.from_bytes(digest[:16]) for digest in digests)
    return trace, [number % 2**64 or 1 for number in ids]


@dataclass(slots=True, kw_only=True)
class _Plan:
    """List the spans of one run."""

    history: RunHistory

    calls: Sequence[Call]
    """Calls of models that the run made."""

    bullets: Mapping[int, Sequence[str]]
    """Version -> ids of the bullets that are active there."""

    content: bool
    """Whether spans say what was asked, answered and judged."""

    spans: list[RunSpan] = field(default_factory=list)
    """Those so far, each behind the one above it."""

    def list_spans(self) -> list[RunSpan]:
        """Return the run's span with all others below it: attempts first, then the calls of other roles."""
        run = self.history.run
        start = _to_nano(datetime.fromisoformat(run.started).timestamp())
        attributes = {
            "ace.run.id": run.id,
            "ace.run.kind": run.kind,
            "ace.run.status": run.status,
            "ace.task": run.task,
            "ace.playbook.version": self.history.final.number,
            "ace.playbook.hash": self.history.final.hash,
        }
        root = self._add(RunSpan(name=f"ace {run.kind}", start=start, attributes=attributes))
        results = {(str(result.phase), result.sample): (step, result)
                   for step in self.history.steps for result in step.results}  # fmt: skip
        replies: dict[tuple[str, str], list[Call]] = defaultdict(list)
        for call in self.calls:
            if call.key.role == Role.GENERATOR and call.text:
                replies[call.phase, split_reply(Reply(call.text), tools=True).text.strip()].append(call)
        used: set[int] = set()
        for episode in self.history.episodes:
            own = _take_calls(episode, replies)
            used |= {id(call) for call in own}
            step, result = results.get((episode.phase, episode.sample_id), (None, None))
            self._add_attempt(episode, own, since=_find_start(own, step, start), result=result)
        for call in self.calls:
            if id(call) not in used:
                self._add_call(call, parent=0)
        ended = _to_nano(datetime.fromisoformat(run.ended).timestamp()) if run.ended else start
        root.end = max(ended, *(span.end for span in self.spans))
        root.is_failure = run.status == "failed"
        return self.spans

    def _add(self, span: RunSpan) -> RunSpan:
        """Append a span, which ends no earlier than it starts, and return it."""
        self.spans.append(span)
        span.end = max(span.end, span.start)
        return span

    def _add_attempt(
        self, episode: Episode, calls: Sequence[Call], *, since: int, result: SampleResult | None
    ) -> None:
        """Add an attempt, with the calls of models and tools in it, what was found, and its score."""
        attributes: dict[str, Any] = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": self.history.run.task,
            "gen_ai.conversation.id": episode.id,
            "gen_ai.usage.input_tokens": sum(call.usage.prompt_tokens for call in calls),
            "gen_ai.usage.output_tokens": sum(call.usage.completion_tokens for call in calls),
            "ace.sample": episode.sample_id,
            "ace.phase": episode.phase,
            "ace.playbook.version": episode.context_version,
            "ace.playbook.bullets": list(self.bullets.get(episode.context_version, ())),
        }
        if self.content:
            attributes |= _write_messages(episode)
        name = f"invoke_agent {self.history.run.task}"
        span = self._add(RunSpan(name=name, start=since, attributes=attributes, parent=0))
        place = len(self.spans) - 1
        for source, tokens in (result.retrieved if result is not None else {}).items():
            names = {"gen_ai.operation.name": "retrieval", "gen_ai.data_source.id": source}
            found = {**names, "gen_ai.conversation.id": episode.id, "ace.tokens": tokens}
            self._add(RunSpan(name=f"retrieval {source}", start=since, attributes=found, parent=place))
        for call in calls:
            span.end = max(span.end, self._add_call(call, parent=place, episode=episode).end)
        uses = [turn for turn in episode.attempt.turns if turn.kind is TurnKind.TOOL]
        for number, turn in enumerate(uses, start=1):
            span.end += 1  # when a tool was called is not recorded: in order, after what the model said
            self._add_tool(episode, turn, number=number, parent=place, at=span.end)
        span.evaluation = self._judge(episode)
        span.is_failure = bool(episode.attempt.error)
        span.problem = episode.attempt.error if self.content else ""

    def _judge(self, episode: Episode) -> dict[str, Any]:
        """Return the verdict on an attempt; nothing where nothing judged it."""
        if episode.feedback.kind is FeedbackKind.LABELS and episode.feedback.passed is None:
            return {}
        verdict = episode.verdict
        evaluation: dict[str, Any] = {
            "gen_ai.evaluation.name": "correctness",
            "gen_ai.evaluation.score.value": verdict.score,
            "gen_ai.evaluation.score.label": "pass" if verdict.correct else "fail",
        }
        if self.content and verdict.detail:
            evaluation["gen_ai.evaluation.explanation"] = verdict.detail
        return evaluation

    def _add_call(self, call: Call, *, parent: int, episode: Episode | None = None) -> RunSpan:
        """Add a call of a model."""
        usage = call.usage
        start = max(self.spans[parent].start, _to_nano(call.started))
        attributes: dict[str, Any] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": call.model,
            "gen_ai.usage.input_tokens": usage.prompt_tokens,
            "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens,
            "gen_ai.usage.output_tokens": usage.completion_tokens,
            "ace.role": call.key.role,
            "ace.phase": call.phase,
            "ace.sample": call.key.sample,
        }
        if call.finish_reason:
            attributes["gen_ai.response.finish_reasons"] = [call.finish_reason]
        if usage.cost is not None:
            attributes["ace.cost.usd"] = usage.cost
        if episode is not None:
            attributes["gen_ai.conversation.id"] = episode.id
        span = RunSpan(
            name=f"chat {call.model}",
            start=start,
            end=_to_nano(call.started + usage.seconds),
            attributes=attributes,
            parent=parent,
            is_failure=bool(call.error),
            problem=call.error if self.content else "",
        )
        return self._add(span)

    def _add_tool(self, episode: Episode, turn: Turn, *, number: int, parent: int, at: int) -> None:
        """Add a call of a tool; its id is that of the episode and a number."""
        tool = turn.tool or "tool"
        attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": tool,
            "gen_ai.tool.call.id": f"{episode.id}.{number}",
            "gen_ai.conversation.id": episode.id,
        }
        if self.content:
            attributes["gen_ai.tool.call.arguments"] = turn.arguments
            attributes["gen_ai.tool.call.result"] = turn.observation
        span = RunSpan(name=f"execute_tool {tool}", start=at, attributes=attributes, parent=parent)
        span.is_failure = bool(turn.failed)
        span.problem = turn.observation if turn.failed and self.content else ""
        self._add(span)


def _take_calls(episode: Episode, replies: Mapping[tuple[str, str], list[Call]]) -> list[Call]:
    """Return the calls whose replies an attempt consists of, and take them from those that are left.

    Those that were made for its own sample come first; who proves a lesson attempts other samples, too.
    """
    attempt = episode.attempt
    texts = [turn.text for turn in attempt.turns if turn.kind is TurnKind.AGENT] or [attempt.text]
    calls = []
    for text in texts:
        candidates = replies.get((episode.phase, text.strip()), [])
        if candidates:
            own = [call for call in candidates if call.key.sample == episode.sample_id]
            call = (own or candidates)[0]
            candidates.remove(call)
            calls.append(call)
    return calls


def _find_start(calls: Sequence[Call], step: StepRecord | None, start: int) -> int:
    """Return when an attempt began: with its first call, else with its step, else with the run, `start`."""
    times = [_to_nano(call.started) for call in calls]
    if not times and step is not None and step.started is not None:
        times = [_to_nano(step.started)]
    return max(start, min(times, default=start))


def _write_messages(episode: Episode) -> dict[str, Any]:
    """Return the attributes that hold what was asked, done and answered, and the right answer if shown."""
    attempt = episode.attempt
    inputs = [{"role": "user", "parts": [{"type": "text", "content": episode.question}]}]
    inputs += list(_list_history(episode))
    parts = [{"type": "text", "content": attempt.answer}]
    if attempt.reasoning:
        parts.insert(0, {"type": "reasoning", "content": attempt.reasoning})
    outputs = [{"role": "assistant", "parts": parts, "finish_reason": attempt.finish_reason or "stop"}]
    attributes: dict[str, Any] = {
        "gen_ai.input.messages": inputs,
        "gen_ai.output.messages": outputs,
    }
    if episode.feedback.expected:
        attributes["ace.expected"] = episode.feedback.expected
    return attributes


def _list_history(episode: Episode) -> Iterator[dict[str, Any]]:
    """Yield a message for each turn; question and answer stand for themselves at both ends."""
    turns = list(episode.attempt.turns)
    if turns and turns[0].kind is TurnKind.USER and turns[0].text.strip() == episode.question.strip():
        turns = turns[1:]
    if (
        turns
        and turns[-1].kind is TurnKind.AGENT
        and turns[-1].text.strip() == episode.attempt.answer.strip()
    ):
        turns = turns[:-1]
    number = 0
    for turn in turns:
        if turn.kind is TurnKind.TOOL:
            number += 1
            call = f"{episode.id}.{number}"
            use = {"type": "tool_call", "id": call, "name": turn.tool or "tool", "arguments": turn.arguments}
            result = {"type": "tool_call_response", "id": call, "response": turn.observation}
            yield {"role": "assistant", "parts": [use]}
            yield {"role": "tool", "parts": [result]}
        else:
            role = "user" if turn.kind is TurnKind.USER else "assistant"
            kind = "reasoning" if turn.kind is TurnKind.THOUGHT else "text"
            yield {"role": role, "parts": [{"type": kind, "content": turn.text}]}


def _hide(value: Any) -> Any:
    """Return a value whose texts have lost their secrets."""
    if isinstance(value, str):
        return hide_secrets(value)
    if isinstance(value, list):
        return [_hide(entry) for entry in value]
    if isinstance(value, Mapping):
        return {key: _hide(entry) for key, entry in value.items()}
    return value


def _to_nano(seconds: float) -> int:
    """Return seconds since 1970 in nanoseconds."""
    return int(seconds * _NANO)
