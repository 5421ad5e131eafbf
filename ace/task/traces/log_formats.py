"""Reads one record of each kind of log that is known, and lists what its records are recognized by.

Another format is a function of a record that returns a trace, listed in `FORMATS`; where several records make
one attempt, it is a function of all of them, listed in `JOINED_FORMATS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ace.errors import TaskError
from ace.task.attempt import Turn, TurnKind, to_plain_text
from ace.task.traces.chat_record import is_error, list_messages, read_conversation
from ace.task.traces.claude_code import accompanies_claude_code, fits_claude_code, gather_claude_code
from ace.task.traces.codex import accompanies_codex, fits_codex, gather_codex
from ace.task.traces.inspect_logs import read_inspect
from ace.task.traces.langfuse import fits_langfuse, gather_langfuse
from ace.task.traces.message_rows import accompanies_message_rows, fits_message_rows, gather_message_rows
from ace.task.traces.otel_spans import fits_otel, gather_otel
from ace.task.traces.record import Fault, Record, load_names
from ace.task.traces.swe_agent import read_mini_swe_agent, read_swe_agent
from ace.task.traces.trace import Trace
from ace.text.message_content import read_message
from ace.text.thoughts import split_thoughts


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """Describe one kind of log."""

    name: str
    """What messages call it."""

    keys: frozenset[str]
    """The keys that each of its records has."""

    lists: frozenset[str] = frozenset()
    """Those of them that hold lists."""

    read: Callable[[Record], Trace]
    """Reads one record. Raises TaskError for one that lacks something."""

    names_tasks: bool = False
    """Whether an id stands for one task however it is asked; else another question is another sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedFormat:
    """Describe a kind of log in which several records make one attempt."""

    name: str
    """What messages call it."""

    fits: Callable[[Record], bool]
    """Tells whether a record belongs to an attempt."""

    accompanies: Callable[[Record], bool] = lambda record: False
    """Tells whether a record of no format stands in such a file beside them, and holds nothing of one."""

    gather: Callable[[Sequence[Record]], Iterator[Trace | TaskError]]
    """Yields the attempts that records make, and an error for each that cannot be used."""


def read_tau(record: Record) -> Trace:
    """Read a trajectory that tau-bench recorded: {"task_id", "trial", "reward", "traj": messages, "info"}.

    The actions that the task wants are its gold answer: a label, as the reward is.
    Raises TaskError for a conversation that cannot be read, and a reward that is no number.
    """
    return record.trace(
        **read_conversation(record, "traj"),
        sample=record.name("task_id"),
        score=record.score("reward"),
        expected=_render_actions(record.values.get("info")),
    )


def read_intercode(record: Record) -> Trace:
    """Read an attempt of InterCode: {"task_id", "query", "actions", "observations", "rewards", "valid"}.

    The answer is the last action, with its own reward: which of the earlier ones was best is a label's to
    say. Whether the last action was valid is what the database says, not a label. The last observation may be
    missing, as where the action was not let through.
    Raises TaskError where there are no actions, or not as many rewards.
    """
    actions = [to_plain_text(action) for action in record.items("actions")]
    rewards = record.items("rewards")
    if len(actions) != len(rewards):
        raise record.problem("actions", "Actions and rewards differ in number.")
    turns: list[Turn] = []
    ran: bool | None = None
    for place, action in enumerate(actions):
        thought = to_plain_text(_get_entry(record, "thoughts", place)).strip()
        if thought:
            turns.append(Turn(kind=TurnKind.THOUGHT, text=thought))
        observation = to_plain_text(_get_entry(record, "observations", place))
        valid = _get_entry(record, "valid", place)
        ran = valid if isinstance(valid, bool) else None
        failed = is_error(observation) if ran is None else not ran
        turns.append(Turn(kind=TurnKind.TOOL, arguments=action, observation=observation, failed=failed))
    return record.trace(
        sample=record.name("task_id"),
        question=record.text("query"),
        answer=actions[-1],
        error="" if actions[-1].strip() else "no answer",
        turns=tuple(turns),
        ran=ran,
        score=replace(record, values={"rewards": rewards[-1]}).score("rewards"),
        expected=record.text("gold", ""),
    )


def read_published_intercode(record: Record) -> Trace:
    """Read an attempt as InterCode writes it: {"task_id", "query", "turn_history": {"actions", ...}}.

    Raises TaskError as `read_intercode` does.
    """
    history = record.values["turn_history"]
    if not isinstance(history, Mapping):
        raise record.problem("turn_history", f"Expected an object, found {history!r:.60}.", fault=Fault.EMPTY)
    values = {**record.values, **history, "valid": history.get("valid_action")}
    return read_intercode(replace(record, values=values))


def read_played_intercode(record: Record) -> Trace:
    """Read an attempt of a person at InterCode: {"query_idx", "query", "trajectory", "reward", "gold"}.

    A trajectory is a list of {"action", "observation"}. Raises TaskError as `read_intercode` does.
    """
    steps = [step if isinstance(step, Mapping) else {} for step in record.items("trajectory")]
    values = {
        **record.values,
        "task_id": record.values.get("query_idx"),
        "actions": [step.get("action") for step in steps],
        "observations": [step.get("observation") for step in steps],
        "rewards": [record.values.get("reward") for _ in steps],
    }
    return read_intercode(replace(record, values=values))


def read_chat(record: Record) -> Trace:
    """Read a conversation in OpenAI's chat format: {"messages": [...], "reward": ...}, with tool calls.

    `reward` or `correct` and `feedback` are labels, and so is `expected`. All of them may be missing. A
    `correct` that is neither true nor false is ignored. The answer may stand beside the messages, as the body
    of a reply or a text. Raises TaskError for a conversation that cannot be read.
    """
    correct = record.flag("correct", lenient=True)
    key, given = record.find("messages")
    messages = list(given) if isinstance(given, list) else given
    spoken = list(map(read_message, messages or ()))
    if messages and _waits_for_reply(messages[-1]):
        names = (*load_names("reply")["answers"], "answer")
        replies = [reply for name in names for reply in list_messages(record.find(name)[1], "assistant")]
        said = record.text("answer", "")
        if not replies and said.strip():
            replies = [{"role": "assistant", "content": said}]
        if replies[: len(messages)] == messages:  # the reply repeats what was asked
            messages = []
        messages += replies if any(message and message[0] == "user" for message in spoken) else []
    fields = read_conversation(replace(record, values={**record.values, key: messages}), key)
    error = record.text("error", "")
    if error.strip() and not fields["answer"]:
        fields["error"] = error
    return record.trace(
        **fields,
        sample=record.name("id"),
        correct=correct,
        score=record.score("reward", lenient=correct is not None),
        remark=record.text("feedback", ""),
        expected=record.text("expected", ""),
    )


def read_tau2(record: Record) -> Trace:
    """Read a simulation of tau2-bench: {"task_id", "reward_info": {"reward"}, "messages"}.

    Raises TaskError as `read_chat` does.
    """
    return read_chat(replace(record, values={**record.values, "id": record.values["task_id"]}))


def read_row(record: Record) -> Trace:
    """Read a row for an attempt: {"id", "question", "answer", "correct" or "reward", ...}.

    `feedback` and `expected` count as labels, `observed` does not: it becomes the only turn. A row without an
    answer has the error "no answer". Where its question or answer is a list of messages, it is a
    conversation.
    Raises TaskError for a row without a question, and for a `correct` that is neither true nor false.
    """
    asked = list_messages(record.find("question")[1], "")
    replies = [] if asked else list_messages(record.find("answer")[1], "")
    if replies:
        asked = [{"role": "user", "content": record.text("question")}, *replies]
    if asked:
        return read_chat(replace(record, values={**record.values, "messages": asked}))
    correct = record.flag("correct")
    error = record.text("error", "")
    expected = record.text("expected", "")
    if not expected and record.find("answer")[0] in load_names("generated")["answer"]:
        expected = to_plain_text(record.values.get("answer"))
    reasoning, answer = split_thoughts(record.text("answer", ""))
    if not error and not answer.strip():
        error = "no answer"
    observed = record.text("observed", "")
    turns: tuple[Turn, ...] = ()
    if observed:
        turns = (Turn(kind=TurnKind.TOOL, observation=observed),)
    return record.trace(
        sample=record.name("id"),
        question=record.text("question"),
        answer=answer,
        error=error,
        turns=turns,
        reasoning=reasoning,
        correct=correct,
        score=record.score("reward", lenient=correct is not None),
        remark=record.text("feedback", ""),
        expected=expected,
    )


# The first one that fits a record reads it, so the more particular come first.
FORMATS = (
    Format(
        name="tau-bench trajectories",
        keys=frozenset({"task_id", "traj", "reward"}),
        read=read_tau,
        names_tasks=True,
    ),
    Format(
        name="InterCode attempts",
        keys=frozenset({"query", "turn_history"}),
        read=read_published_intercode,
        names_tasks=True,
    ),
    Format(
        name="InterCode attempts",
        keys=frozenset({"query", "actions", "observations"}),
        read=read_intercode,
        names_tasks=True,
    ),
    Format(
        name="InterCode attempts of people",
        keys=frozenset({"query", "query_idx", "trajectory"}),
        read=read_played_intercode,
        names_tasks=True,
    ),
    Format(
        name="tau2-bench simulations",
        keys=frozenset({"task_id", "reward_info", "messages"}),
        lists=frozenset({"messages"}),
        read=read_tau2,
        names_tasks=True,
    ),
    Format(
        name="samples of Inspect",
        keys=frozenset({"epoch", "input", "target", "messages"}),
        lists=frozenset({"messages"}),
        read=read_inspect,
        names_tasks=True,
    ),
    Format(
        name="trajectories of SWE-agent",
        keys=frozenset({"trajectory", "history", "info"}),
        lists=frozenset({"trajectory", "history"}),
        read=read_swe_agent,
        names_tasks=True,
    ),
    Format(
        name="trajectories of mini-SWE-agent",
        keys=frozenset({"trajectory_format", "messages", "info"}),
        lists=frozenset({"messages"}),
        read=read_mini_swe_agent,
        names_tasks=True,
    ),
    Format(name="chat messages", keys=frozenset({"messages"}), lists=frozenset({"messages"}), read=read_chat),
    Format(name="rows with question and answer", keys=frozenset({"question", "answer"}), read=read_row),
)

# The same. They are looked at before the formats of single records, and the last one only after these.
JOINED_FORMATS = (
    JoinedFormat(
        name="sessions of Claude Code",
        fits=fits_claude_code,
        accompanies=accompanies_claude_code,
        gather=gather_claude_code,
    ),
    JoinedFormat(
        name="sessions of Codex", fits=fits_codex, accompanies=accompanies_codex, gather=gather_codex
    ),
    JoinedFormat(name="spans of OpenTelemetry", fits=fits_otel, gather=gather_otel),
    JoinedFormat(name="exports of Langfuse", fits=fits_langfuse, gather=gather_langfuse),
)
LOOSE_MESSAGES = JoinedFormat(
    name="messages one by one",
    fits=fits_message_rows,
    accompanies=accompanies_message_rows,
    gather=gather_message_rows,
)


def _waits_for_reply(message: Any) -> bool:
    """Tell whether a message, or an item of OpenAI's responses, is none of the assistant's."""
    spoken = read_message(message)
    if spoken is None:
        return isinstance(message, Mapping) and str(message.get("type")).endswith("_output")
    return spoken[0] in ("user", "system", "tool")


def _get_entry(record: Record, key: str, place: int) -> Any:
    """Return an entry of a list by its place, from 0; None where the list or the entry is missing."""
    entries = record.values.get(key)
    if not isinstance(entries, list) or place >= len(entries):
        return None
    return entries[place]


def _render_actions(info: Any) -> str:
    """Return the actions that a task wants, as "book(at=9); pay()"; "" where the log does not say."""
    task = info.get("task") if isinstance(info, Mapping) else None
    actions = task.get("actions") if isinstance(task, Mapping) else None
    calls = []
    for action in actions or ():
        if isinstance(action, Mapping):
            keywords = action.get("kwargs")
            pairs = keywords.items() if isinstance(keywords, Mapping) else ()
            arguments = ", ".join(f"{name}={value}" for name, value in pairs)
            calls.append(f"{action.get('name')}({arguments})")
    return "; ".join(calls)
