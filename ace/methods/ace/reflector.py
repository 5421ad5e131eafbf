"""Read a failed attempt and its feedback, and put what was not known into words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from pydantic import BaseModel, Field, create_model

from ace.context.answer_location import AnswerLocation
from ace.llm.client import Client, Reply, Request, Role, Subject
from ace.llm.prompts import messages, question, quote_field, quote_text, render
from ace.safety.injection import find_suspicion
from ace.task.types import Attempt, Feedback, FeedbackKind, Sample

MAX_TOKENS = 256
_LONGEST_OUTCOME = 8_000  # characters: a recorded conversation is shown whole, or nearly so
_BETWEEN = re.compile(r"(?<=[.;])\s+(?=[A-Z])")


# A schema's docstring goes into requests: to edit it makes recordings and unfinished runs useless.
class Lesson(BaseModel):
    """One sentence for each thing that was not known, short and general beyond its sample.

    One text and not a list: asked for a list, a small model fills it up with sentences that are not true.
    """

    lesson: str = Field(min_length=1, max_length=1_500)


class Critique(BaseModel):
    """What a model thinks of an attempt that nothing has judged. Without a lesson there is none."""

    wrong: bool
    why: str = Field(max_length=400)
    lesson: str = Field(max_length=600)

    @property
    def verdict(self) -> str:
        """Return what it found, as a clause for the record."""
        verdict = "may be wrong" if self.wrong else "nothing speaks against it"
        return f"its critique: {verdict}, {self.why}"


class WordsFor(BaseModel):
    """Hold one phrase for each numbered part of a right answer; `words_for` makes the fields."""


@cache
def words_for(parts: int) -> type[WordsFor]:
    """Return a schema of one phrase for each part, from "1" on: none can be left out, made up or mistaken."""
    numbers = {
        f"part_{n}": (str, Field(alias=str(n), min_length=1, max_length=80)) for n in range(1, parts + 1)
    }
    return create_model(f"WordsFor{parts}", __base__=WordsFor, **cast(dict[str, Any], numbers))


@dataclass(frozen=True, slots=True)
class Reflector:
    """Ask a model what a failed attempt teaches. It sees feedback only, never a verdict."""

    client: Client
    """Connects to the model that is asked."""

    def __call__(
        self,
        sample: Sample,
        attempt: Attempt,
        feedback: Feedback,
        *,
        prompts: str,
        about: Sequence[str] = (),
        answer_location: AnswerLocation | None = None,
        known: Sequence[str] = (),
        refuted: Sequence[str] = (),
        flaws: Sequence[str] = (),
        draw: int = 0,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> tuple[str, ...]:
        """Return the lessons, one sentence each, in the form "words: meaning.".

        `prompts`: the package that words requests, see `ace.task.wording`. `about`: the meanings, where the
        feedback shows them; the model then says the words.
        `answer_location`: where the right answer stood in what was retrieved. `known`: what the playbook says
        on the question already. `refuted`: lessons for this sample that an attempt has shown not to help.
        `flaws`: what was wrong with those that were not tried. Raises MalformedReply when the model gives no
        usable lesson, ModelError as the client does.
        """
        if about:
            system = render(prompts, "reflector.parts")  # asks for words for given meanings
        elif answer_location:
            system = render("ace.methods.ace", "reflector.found")  # asks what led past a page
        else:
            system = render(prompts, "reflector.lesson")  # asks what was not known
        request = Request(
            role=Role.REFLECTOR,
            messages=messages(
                system,
                render(
                    "ace.methods.ace",
                    "reflector.user",
                    question=question(sample.question),
                    answer=quote_field(attempt.answer or attempt.error),
                    outcome="" if feedback.right_answer else quote_outcome(feedback, _LONGEST_OUTCOME),
                    expected=quote_text(feedback.right_answer),
                    wrong=feedback.passed is False or feedback.ran is False,
                    about=[quote_text(text) for text in about],
                    found=[quote_text(text) for text in answer_location.lines] if answer_location else (),
                    unsaid=quote_text(", ".join(answer_location.unsaid)) if answer_location else "",
                    known=[quote_text(text) for text in known],
                    refuted=[quote_text(text) for text in refuted],
                    flaws=[quote_text(text) for text in flaws],
                ),
            ),
            schema=words_for(len(about)) if about else Lesson,
            temperature=temperature,
            seed=seed,
            max_tokens=MAX_TOKENS,
            subject=Subject(sample, tuple(known), attempt, feedback, draw=draw, parts=tuple(about)),
        )
        return _read_lessons(self.client.complete(request), about)

    def critique(
        self, sample: Sample, attempt: Attempt, *, prompts: str = "ace.methods.ace", seed: int = 0
    ) -> Critique:
        """Return whether an attempt may be wrong, and why, by the model itself, where nothing else is shown.

        Raises MalformedReply when the model gives no usable reply, ModelError as the client does.
        """
        answer = quote_field(attempt.answer or attempt.error)
        user = f"Question: {quote_field(sample.question)}\nAnswer: {answer}"
        request = Request(
            role=Role.REFLECTOR,
            messages=messages(render(prompts, "reflector.critique"), user),
            schema=Critique,
            seed=seed,
            max_tokens=MAX_TOKENS,
            subject=Subject(sample=sample, attempt=attempt),
        )
        reply = self.client.complete(request)
        critique = cast(Critique, reply.parsed)
        return critique.model_copy(update={"lesson": " ".join(critique.lesson.split())})


def quote_outcome(feedback: Feedback, longest: int) -> str:
    """Quote what was shown of an outcome, at most `longest` characters of it, for a prompt.

    With labels its first lines may be what the label says; without, no line may look like one.
    """
    quote = quote_field if feedback.kind is FeedbackKind.EXECUTION else quote_text
    return quote(feedback.text, longest)


def _read_lessons(reply: Reply, about: Sequence[str]) -> tuple[str, ...]:
    """Return the lessons of a reply: one for each meaning that it was `about`, or its sentences."""
    if about:
        phrases = cast(BaseModel, reply.parsed).model_dump().values()
        return tuple(f"{_tidy_phrase(words)}: {part}." for words, part in zip(phrases, about, strict=True))
    return split_lesson(cast(Lesson, reply.parsed))  # what `schema` promises


def split_lesson(lesson: Lesson) -> tuple[str, ...]:
    """Return the sentences of a lesson: split only where all of them have the form "words: meaning"."""
    text = " ".join(lesson.lesson.split())
    sentences = tuple(dict.fromkeys(_BETWEEN.split(text)))
    if all(":" in sentence for sentence in sentences):
        return sentences
    return (text,) if text else ()


def _tidy_phrase(words: str) -> str:
    """Return the words on one line; a model that goes on with ": meaning" is cut off there.

    Not where that would hide from the learner what the words are about.
    """
    if find_suspicion(words):
        return " ".join(words.split())
    plain = " ".join((words.partition(":")[0] or words.replace(":", " ")).split()).rstrip(" .,;")
    return f"{plain[:1].upper()}{plain[1:]}"
