"""A model for tests and examples, written as a few functions of a request: no prompt is parsed, no key is
needed.

    from ace.testing import World

    client = World(generator=lambda request: "12", lessons=lambda request: ["Dozens: 12."])
    report = ace.learn(task, store, client)
    client.calls  # how often each role was asked

A function is given the `Request`: `request.role`, `.messages`, `.sample` (id, question, data; None where
there is none), `.bullets` (contents of the bullets that the request was shown), `.attempt`, `.feedback`
(reflector), `.draw` (which attempt, or which try, from 0). It answers in plain words; the schema that a role
asks for is spoken here.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, is_dataclass, replace
from typing import Any

from pydantic import BaseModel

from ace.agent.self_refine import SelfFeedback
from ace.llm import asking
from ace.llm.client import Reply, Request, Role, ToolCall, Usage
from ace.methods.ace.curator import Curation
from ace.methods.ace.reflection import Diagnosis, FailureType
from ace.methods.ace.reflector import Critique, Lesson, WordsFor
from ace.methods.published import Additions, PublishedReflection
from ace.playbook.model import Operation
from ace.text import word_key

Says = Callable[[Request], str | ToolCall | Sequence[ToolCall] | Reply]
Lessons = Callable[[Request], str | Sequence[str]]
Operations = Callable[[Request], Sequence[Operation | Mapping[str, Any]]]


class World:
    """Answer as functions of the request say, one for each role. Thread-safe, if the functions are.

    `generator` returns an answer, a call of a tool that the request offers, or several. `lessons` returns
    candidates, the best first; a plain string is one candidate, an empty list says that there is nothing to
    learn. `operations` returns what a curator proposes, as operations or as JSON objects; the curator that
    may only add asks `lessons`. `writer` returns whole texts: a playbook that is written anew, a cheatsheet
    in its marks, an instruction. `criticism` returns what the generator has against its own answer, "" for
    nothing. Any of them may be left out. An exception that a function raises is raised by the call.

    `tries` is how often an answer that does not fit its schema is asked for. With `writes_calls` its calls
    stand for lines of text, as a small model's. `complete` raises MalformedReply when no answer fits.
    """

    def __init__(
        self,
        generator: Says | None = None,
        lessons: Lessons | None = None,
        operations: Operations | None = None,
        *,
        writer: Says | None = None,
        criticism: Callable[[Request], str] | None = None,
        model: str = "world",
        tries: int = 3,
        writes_calls: bool = False,
    ) -> None:
        self.model, self.tries = model, tries
        self.writes_calls = writes_calls
        """Whether a call of a tool is a line of text, as an embedded model writes it."""
        self.calls: Counter[str] = Counter()
        """How many requests each role has made, by its name: "generator", "reflector", "curator"."""
        self.requests: list[Request] = []
        """Every request, in order."""
        self._generator = generator or (lambda request: "I do not know.")
        self._lessons = lessons or (lambda request: ())
        self._operations = operations or (lambda request: ())
        self._writer = writer or (lambda request: "Nothing is known yet.")
        self._criticism = criticism or (lambda request: "")
        self._lock = threading.Lock()

    def complete(self, request: Request) -> Reply:
        """Answer as a real model would be made to: what does not fit the schema is asked for again."""
        return asking.complete(self.ask, request, tries=self.tries)

    def ask(self, request: Request) -> Reply:
        """Answer one request, as the function of its role says.

        Tokens are four characters each. Raises what the function raises.
        """
        with self._lock:
            self.calls[str(request.role)] += 1
            self.requests.append(request)
        spoken = self._speak(request)
        if isinstance(spoken, Reply):
            return spoken
        calls: tuple[ToolCall, ...] = ()
        if isinstance(spoken, ToolCall):
            calls = (spoken,)
        elif not isinstance(spoken, str):
            calls = tuple(spoken)
        numbered = enumerate(calls, start=1)
        calls = tuple(call if call.id else replace(call, id=f"call_{number}") for number, call in numbered)
        text = spoken if isinstance(spoken, str) else ""
        written = len(text) + sum(len(call.write()) for call in calls)
        prompt = sum(len(message.content) for message in request.messages)
        # Four characters count as a token.
        usage = Usage(calls=1, prompt_tokens=prompt // 4, completion_tokens=written // 4)
        return Reply(text, usage=usage, tool_calls=calls)

    def _speak(self, request: Request) -> str | ToolCall | Sequence[ToolCall] | Reply:
        """Return the words of the function that a request is for, in the form of its schema."""
        schema = request.schema
        if schema is not None and issubclass(schema, SelfFeedback):
            criticism = self._criticism(request)
            return json.dumps({"criticism": criticism, "fine": not criticism})
        if request.role not in (Role.REFLECTOR, Role.CURATOR):
            return self._generator(request)
        if schema is None:
            return self._writer(request)
        if issubclass(schema, Curation):
            operations = [_as_json(operation) for operation in self._operations(request)]
            return json.dumps({"operations": operations})
        lessons = self._lessons(request)
        candidates = [lessons] if isinstance(lessons, str) else list(lessons)
        chosen = candidates[min(request.draw, len(candidates) - 1)] if candidates else ""
        if issubclass(schema, Additions):
            added = [{"type": "ADD", "section": "others", "content": text} for text in candidates]
            return json.dumps({"reasoning": "It is not there.", "operations": added})
        if issubclass(schema, PublishedReflection):
            helped = [{"id": tag, "tag": "helpful"} for tag in request.parts]
            return json.dumps({"reasoning": "It is so.", "key_insight": chosen, "bullet_tags": helped})
        if issubclass(schema, Diagnosis):
            drafts = [{"content": text} for text in candidates[request.draw :][:3] or candidates[-1:]]
            failure = FailureType.GAP if drafts else FailureType.VARIANCE
            return json.dumps({"analysis": "It was not known.", "failure": failure, "candidates": drafts})
        if issubclass(schema, Critique):
            why = "it goes against a lesson" if chosen else "nothing speaks against it"
            return json.dumps({"wrong": bool(chosen), "why": why, "lesson": chosen})
        if issubclass(schema, WordsFor):
            numbered = enumerate(request.parts, start=1)
            return json.dumps({str(number): _words_for(part, candidates) for number, part in numbered})
        if issubclass(schema, Lesson):
            return json.dumps({"lesson": chosen or " "})
        return self._generator(request)


def _words_for(part: str, candidates: Sequence[str]) -> str:
    """Return the words of the candidate that means `part`, or else of the first one."""
    for candidate in candidates:
        words, colon, meaning = candidate.partition(":")
        if colon and set(word_key(part)) <= set(word_key(meaning)):
            return words
    return candidates[0].partition(":")[0] if candidates else " "


def _as_json(operation: Operation | Mapping[str, Any]) -> dict[str, Any]:
    """Return an operation as the curator of a model would write it."""
    if isinstance(operation, BaseModel):
        return operation.model_dump(mode="json")
    if is_dataclass(operation) and not isinstance(operation, type):
        return {key: value for key, value in asdict(operation).items() if value is not None}
    return dict(operation)
