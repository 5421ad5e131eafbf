"""Solve with tools: call after call until the agent answers, or comes to a limit.

After Yao et al., "ReAct" (arXiv 2210.03629). A model with function calling may make several calls at once and
ends by answering in words; where somebody speaks to it, they hear that, and may ask for more. A small one
writes a call a line, under a grammar, and ends by calling `done`, whose answer they hear as well. Three rules
keep it from going round in circles: instead of a call that was made before it is asked for another one, it
may be done only after a call that worked, unless somebody hears it, and it is told the task after each
result. Where a call may do something else the next time, as in a game, it may be made again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ace.agent.generator import Draw, Generator, remove_citations
from ace.agent.solver import ENDS_RUN, SingleCall, failed_attempt
from ace.agent.tool_talk import ToolTalk
from ace.context.assemble import Assembled
from ace.llm.client import FinishReason, Message, Reply, Request, Role, Subject, ToolSpec
from ace.llm.written_calls import list_tools, writes_calls
from ace.safety.markup import defuse_markup
from ace.task.solving import Solving
from ace.task.types import Attempt, Failure, Sample, Task
from ace.task.workspace import Conversing, Observation, Workspace
from ace.text import CountTokens

RESERVE = 4_000  # tokens for tools and results, beside the context; a share of a small window at most
_WRITTEN_TOKENS = 400  # of a call that is a line of text
_SAME_AGAIN = 3  # times that a call may be the one before, until the attempt ends
_NO_CALL = Observation.error("that is no call of a function; write one call, and nothing else")
_CUT_OFF = Observation.error("the call was too long and was not made; write a short one")
_REPEATED = Observation.error("this call was made before; its result stands above")


@dataclass(frozen=True, slots=True)
class ToolLoop:
    """Let a model call the tools of a workspace. Where there is none, it is asked once."""

    generator: Generator
    """Words the prompts; its client is the model."""

    count: CountTokens
    """Counts the tokens of a text."""

    steps: int = 20
    """The most replies of the model that are acted on in an attempt."""

    seconds: float = 600.0
    """The most time of an attempt; it is looked at before each step."""

    answers: bool = False
    """Whether a model that writes its calls is asked for an answer in words when it is done."""

    @property
    def reserve(self) -> int:
        """Return how many tokens tools and their results may add to a prompt."""
        return RESERVE

    def solve(self, sample: Sample, context: Assembled, workspace: Workspace | None, draw: Draw) -> Attempt:
        """Return the attempt; see `Solver`. Every call, its result and its tokens are turns of it."""
        if workspace is None:
            return SingleCall(self.generator).solve(sample, context, workspace, draw)
        written = writes_calls(self.generator.client)
        if _converses(workspace) and not self.answers:  # whoever speaks to it must hear something
            return replace(self, answers=True).solve(sample, context, workspace, draw)
        messages = [Message("system", context.system), Message("user", context.user)]
        repeats = getattr(workspace, "repeats", False)
        talk = ToolTalk(messages, defuse_markup(sample.question), self.count, written, repeats)
        ended: Attempt | None = None
        try:
            if written:
                offered = workspace.tools()
                tools = list_tools([*offered, self._describe_end(offered)])
                system = self.generator.frame(sample, tools).system(context.playbook)
                messages[0] = Message("system", system)
            ended = self._run(sample, context, workspace, draw, talk)
        except ENDS_RUN:
            raise
        except Exception as error:  # a sample becomes a record: it counts as wrong, with its reason
            ended = failed_attempt(sample, error)
        answer = remove_citations(ended.answer) if self.generator.cite else ended.answer
        return Attempt(
            sample.id,
            answer,
            text=talk.write_text(),
            error=ended.error,
            failure=ended.failure,
            finish_reason=ended.finish_reason,
            turns=tuple(talk.turns),
        )

    def _run(
        self, sample: Sample, context: Assembled, workspace: Workspace, draw: Draw, talk: ToolTalk
    ) -> Attempt:
        """Go on until the attempt ends; return how. Raises what goes wrong."""
        ends = time.monotonic() + self.seconds
        most = self.generator.task.max_tokens
        if talk.written:
            most = min(most, _WRITTEN_TOKENS)
        was_cut_off = False
        for step in range(self.steps):
            if time.monotonic() > ends:
                return _stop(sample, f"it took more than {self.seconds:g} s")
            tools = workspace.tools()
            offered = self._offer(tools, talk, is_free=_converses(workspace))
            request = Request(
                role=Role.GENERATOR,
                messages=talk.fit(context.budget, offered),
                tools=tuple(offered),
                temperature=draw.temperature,
                seed=draw.seed + step,
                max_tokens=most,
                subject=Subject(sample=sample, bullets=context.contents, draw=draw.number),
            )
            reply = self.generator.client.complete(request)
            reply = self._ask_anew(request, reply, talk)
            talk.add_reply(reply)
            is_cut_off = talk.written and reply.finish_reason is FinishReason.LENGTH
            if is_cut_off and was_cut_off:  # it repeats itself, at the price of a whole limit each time
                return _stop(sample, f"two calls in a row were longer than {most} tokens")
            was_cut_off = is_cut_off
            if not reply.tool_calls:
                if not talk.written:
                    heard = workspace.reply(reply.text) if isinstance(workspace, Conversing) else None
                    if heard is None:
                        return _answer(sample, reply)
                    talk.add_words(heard.text)
                    continue
                talk.add_result((_CUT_OFF if is_cut_off else _NO_CALL).text)
            ended = self._act(sample, reply, workspace, talk, self._describe_end(tools).name)
            if ended is not None:
                return ended
        return _stop(sample, f"it was not done after {self.steps} steps")

    def _act(
        self, sample: Sample, reply: Reply, workspace: Workspace, talk: ToolTalk, end: str
    ) -> Attempt | None:
        """Make the calls of a reply, in order; return the attempt where it ends with one of them.

        `end` is the tool by which a model that writes its calls says that it is done.
        """
        counted: Reply | None = reply if not reply.text.strip() else None
        for call in reply.tool_calls:
            if talk.written and call.name == end:
                answer = str(call.arguments.get("answer") or "")
                heard = workspace.reply(answer) if isinstance(workspace, Conversing) else None
                talk.add_call(call, Observation("" if heard else "(done)"), counted)
                if heard is None:
                    return Attempt(sample.id, answer or call.write())
                talk.add_words(heard.text)
                return None
            if talk.written and talk.knows_result(call):
                talk.add_call(call, _REPEATED, counted)
                return _stop(sample, f"it had no new call to make: {call.write():.200}")
            observation = workspace.call(call)
            talk.add_call(call, observation, counted)
            counted = None
            if observation.ends:
                return Attempt(sample.id, observation.text)
            latest = talk.calls[-_SAME_AGAIN:]
            is_stuck = talk.knows_result(call) and len(latest) == _SAME_AGAIN
            if is_stuck and all(
                (each.name, each.arguments) == (call.name, call.arguments) for each in latest
            ):
                return _stop(sample, f"it made the same call {_SAME_AGAIN} times: {call.write():.200}")
        return None

    def _offer(self, tools: Sequence[ToolSpec], talk: ToolTalk, *, is_free: bool) -> list[ToolSpec]:
        """Return the tools for the next reply.

        Where `done` is one of them, only after a call that worked, unless the agent is free to speak at once.
        """
        worked = any(turn.failed is False for turn in talk.turns)
        if talk.written and (worked or is_free or not tools):
            return [*tools, self._describe_end(tools)]
        return list(tools)

    def _ask_anew(self, request: Request, reply: Reply, talk: ToolTalk) -> Reply:
        """Return another reply for a written call that was made before: one of another tool, twice at most.

        Its result is known, so to make it again would tell nothing new.
        """
        tools = request.tools
        while talk.written and len(reply.tool_calls) == 1:
            call = reply.tool_calls[0]
            rest = tuple(tool for tool in tools if tool.name != call.name)
            if not talk.knows_result(call) or not rest or len(rest) < len(request.tools) - 2:
                break
            tools = rest
            reply = self.generator.client.complete(replace(request, tools=tools))
        return reply

    def _describe_end(self, tools: Sequence[ToolSpec]) -> ToolSpec:
        """Return the tool by which a model that writes its calls says that it is done."""
        name = "done" if all(tool.name != "done" for tool in tools) else "end_task"
        if not self.answers:
            return ToolSpec(name, "The task is finished.", {"type": "object", "properties": {}})
        answer = {"type": "string", "description": "what the task asks for"}
        schema = {"type": "object", "properties": {"answer": answer}, "required": ["answer"]}
        return ToolSpec(name, "The task is finished.", schema)


def build_tool_loop(generator: Generator, task: Task, count: CountTokens) -> ToolLoop:
    """Return the solver, with the limits that the task sets."""
    choice = task.solver if isinstance(task.solver, Solving) else Solving(kind="tools")
    return ToolLoop(generator, count, choice.steps, choice.seconds, choice.answers)


def _converses(workspace: Workspace) -> bool:
    """Return whether somebody in a workspace speaks to the agent; one that passes words on says so itself."""
    return bool(getattr(workspace, "converses", isinstance(workspace, Conversing)))


def _answer(sample: Sample, reply: Reply) -> Attempt:
    """Return the attempt that ends with an answer in words."""
    text = reply.text.strip()
    if text:
        return Attempt(sample.id, text, finish_reason=reply.finish_reason)
    error = f"the model answered nothing (finish reason: {reply.finish_reason})"
    return Attempt(sample.id, "", error=error, failure=Failure.EMPTY, finish_reason=reply.finish_reason)


def _stop(sample: Sample, why: str) -> Attempt:
    """Return the attempt that a limit ended, without an answer."""
    return Attempt(sample.id, "", error=why, failure=Failure.LIMIT)
