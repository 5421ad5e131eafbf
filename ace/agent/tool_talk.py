"""Hold the conversation of an agent with its tools: the messages for the model, and the turns for the record.

A model with function calling gets its calls and their results as such. One that writes calls as lines of text
gets them as text, with the task after each result: small models lose it otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ace.context.assemble import TEMPLATE
from ace.errors import ContextError
from ace.llm.client import FinishReason, Message, Reply, ToolCall, ToolSpec
from ace.llm.prompts import render
from ace.safety.markup import defuse_markup, quote_later_headings
from ace.task.attempt import Turn, TurnKind
from ace.task.trajectory import shorten_middle
from ace.task.workspace import Observation
from ace.text import CountTokens

_EACH_MESSAGE = 5  # tokens of a chat template
_SHORT = 200  # characters that stay of an old result, where room is wanted
_SHORTEST = 40


@dataclass(slots=True)
class ToolTalk:
    """Grow with each reply of the model and each observation."""

    messages: list[Message]
    """The prompt, and what followed it; results in it may be shortened."""

    question: str
    """The task, as the user put it last."""

    count: CountTokens
    """Counts the tokens of a text."""

    written: bool
    """Whether calls are lines of text, each followed by its result and the task again."""

    repeats: bool = False
    """Whether the same call may do something else the next time."""

    turns: list[Turn] = field(default_factory=list)
    """The steps so far, with results in full."""

    calls: list[ToolCall] = field(default_factory=list)
    """Those that were made for the present task, in order."""

    def add_reply(self, reply: Reply) -> None:
        """Take in what the model said and thought."""
        used = (reply.usage.prompt_tokens, reply.usage.completion_tokens)
        if reply.reasoning:
            self.turns.append(Turn(kind=TurnKind.THOUGHT, text=reply.reasoning))
        if reply.text.strip() or not reply.tool_calls:
            self.turns.append(Turn(kind=TurnKind.AGENT, text=reply.text.strip(), tokens=used))
        if not self.written:
            self.messages.append(Message("assistant", reply.text, reply.tool_calls))
        elif not reply.tool_calls:
            is_cut_off = reply.finish_reason is FinishReason.LENGTH
            text = shorten_middle(reply.text, _SHORT) if is_cut_off else reply.text
            self.messages.append(Message("assistant", text))

    def add_call(self, call: ToolCall, observation: Observation, reply: Reply | None = None) -> None:
        """Take in a call and what came of it. `reply`: the one whose tokens it is to count."""
        self.calls.append(call)
        self.turns.append(
            Turn(
                kind=TurnKind.TOOL,
                tool=call.name,
                arguments=json.dumps(dict(call.arguments), ensure_ascii=False, default=str),
                observation=observation.text,
                failed=observation.failed,
                tokens=(reply.usage.prompt_tokens, reply.usage.completion_tokens) if reply else None,
            )
        )
        result = quote_later_headings(defuse_markup(observation.text))
        if not self.written:
            self.messages.append(Message("tool", result, tool_call_id=call.id))
            return
        self.messages.append(Message("assistant", call.write()))
        if result:
            self.add_result(result)

    def knows_result(self, call: ToolCall) -> bool:
        """Return whether a call was made before, so that to make it again would tell nothing new."""
        same = [each for each in self.calls if (each.name, each.arguments) == (call.name, call.arguments)]
        return bool(same) and not self.repeats

    def add_words(self, text: str) -> None:
        """Take in what somebody says to the agent: the task from now on; calls may be made again for it."""
        self.turns.append(Turn(kind=TurnKind.USER, text=text))
        self.question = defuse_markup(text)
        self.calls.clear()
        self.messages.append(Message("user", self.question))

    def add_result(self, result: str) -> None:
        """Tell a model that writes its calls what came of one, and the task again."""
        text = render("ace.agent", "tools.result", result=result, question=self.question)
        self.messages.append(Message("user", text))

    def fit(self, budget: int, tools: Sequence[ToolSpec]) -> tuple[Message, ...]:
        """Return the messages in at most `budget` tokens: old results are shortened, the oldest first.

        `tools` count where they are sent beside the messages. Raises ContextError where that is not enough.
        """
        beside = 0
        if not self.written:
            texts = [f"{tool.description} {json.dumps(dict(tool.parameters))}" for tool in tools]
            beside = sum(map(self.count, texts))
        for most in (_SHORT, _SHORTEST):
            for place in range(2, len(self.messages)):
                if self._size() + beside <= budget:
                    return tuple(self.messages)
                message = self.messages[place]
                if message.role != "assistant":
                    self.messages[place] = replace(message, content=shorten_middle(message.content, most))
        tokens = self._size() + beside
        if tokens > budget:
            made = sum(turn.kind is TurnKind.TOOL for turn in self.turns)
            raise ContextError(
                f"After {made} calls the conversation takes {tokens} tokens, of {budget}.",
                hint="Give a larger budget (--budget), or allow fewer steps.",
            )
        return tuple(self.messages)

    def write_text(self) -> str:
        """Return what the agent said and called, a line each."""
        lines = [
            f"{turn.tool}({turn.arguments})" if turn.kind is TurnKind.TOOL else turn.text
            for turn in self.turns
            if turn.kind is not TurnKind.THOUGHT
        ]
        return "\n".join(lines)

    def _size(self) -> int:
        """Count the tokens of all messages and their calls, with what a template puts around them."""
        tokens = TEMPLATE
        for message in self.messages:
            tokens += _EACH_MESSAGE + self.count(message.content)
            tokens += sum(self.count(call.write()) for call in message.tool_calls)
        return tokens
