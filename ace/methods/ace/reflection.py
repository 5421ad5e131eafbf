"""Reflect on failed attempts: a diagnosis first, then candidates for the playbook (ACE, arXiv 2510.04618,
section 3).

`full` sees the whole case and returns an analysis, a kind of failure, up to three candidates and votes on the
lessons that were shown. `small`, for models that lose the thread, sees a short case and writes one line.
Neither sees a verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, cast

from pydantic import BaseModel, Field

from ace.llm.client import Client, FinishReason, Request, Role, Subject
from ace.llm.prompts import messages, question, quote_field, quote_text, render
from ace.methods.ace.pool import Labelled
from ace.methods.ace.reflector import MAX_TOKENS, Lesson, quote_outcome, split_lesson
from ace.methods.protocol import Trial
from ace.playbook.model import Bullet
from ace.settings import Profile
from ace.task.team import Reader
from ace.task.trajectory import show_trajectory
from ace.task.types import Attempt

SECTIONS = ("strategies", "conventions", "formats", "pitfalls", "tools", "facts")
DEFAULT_SECTION = "lessons"
_MAX_TOKENS = {Profile.SMALL: MAX_TOKENS, Profile.FULL: 2_000}
_LONGEST_SIMILAR = 2_000  # characters of the question of a sample that is shown beside
_LONGEST = {Profile.SMALL: 8_000, Profile.FULL: 32_000}  # characters of an attempt, or of its outcome
_LONGEST_CONTENT = 1_500  # characters
_MOST_CANDIDATES = 3


class FailureType(StrEnum):
    """Say why an attempt failed. Only GAP and FORMAT are cured by a lesson as a rule."""

    GAP = "gap"  # something was not known
    SLIP = "slip"  # it was known, and not done
    FORMAT = "format"  # the answer was right in another form
    CAPABILITY = "capability"  # the model cannot do it, told or not
    BAD_LABEL = "bad_label"  # the right answer is wrong
    VARIANCE = "variance"  # another attempt would be right


# The docstrings of schemas go into requests: to edit one makes recordings and unfinished runs useless.
class Draft(BaseModel):
    """One proposed edit of the playbook."""

    op: Literal["add", "revise", "remove"] = "add"
    id: str = ""
    section: str = ""
    when: str = Field(default="", max_length=300)
    content: str = Field(default="", max_length=_LONGEST_CONTENT)
    reason: str = Field(default="", max_length=400)


class Tag(BaseModel):
    """Whether a lesson that was shown helped or did harm."""

    id: str
    helped: bool


class Diagnosis(BaseModel):
    """Why the attempt failed, and what the playbook should say."""

    analysis: str = Field(max_length=3_000)
    failure: FailureType = FailureType.GAP
    candidates: list[Draft] = Field(default_factory=list, max_length=_MOST_CANDIDATES)
    used: list[Tag] = Field(default_factory=list, max_length=40)


@dataclass(frozen=True, slots=True)
class Refuted:
    """Hold what was proposed before and did not help."""

    contents: tuple[str, ...]
    """The texts that it would have added or put in place of others."""

    answer: str = ""
    """That of the attempt which was made with it and failed; "" where it failed elsewhere."""

    beside: str = ""
    """Identifies the bullets that were in use then: beside others it may help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Hold what a reflector is shown of a failure."""

    trial: Trial
    """The failure itself."""

    bullets: Sequence[Bullet] = ()
    """Some of those in use; drafts may revise or remove them by their ids."""

    refuted: Sequence[Refuted] = ()
    """What was tried for it and did not help."""

    flaws: Sequence[str] = ()
    """Why earlier drafts could not be tried."""

    contrast: Attempt | None = None
    """An attempt at the same sample that was right."""

    others: Sequence[Trial] = ()
    """Further failures to be explained together with this one."""

    similar: Sequence[Labelled] = ()
    """Like questions with their right answers."""

    reader: Reader = Reader()  # noqa: RUF009 (it is frozen)
    """Whom the lessons are for; drafts get sections of theirs."""


@dataclass(frozen=True, slots=True)
class Reflection:
    """Hold a diagnosis."""

    failure: FailureType
    """Why the attempt failed."""

    drafts: tuple[Draft, ...] = ()
    """Edits that are proposed, each with a section and a content unless it removes something."""

    tags: tuple[Tag, ...] = ()
    """Which of the bullets that were shown helped or did harm, by id."""


@dataclass(frozen=True, slots=True)
class Reflect:
    """Ask a model what a failure teaches."""

    client: Client
    """The reflector's model."""

    profile: Profile
    """The form that it can follow: FULL asks for a `Diagnosis`, SMALL for a `Lesson`."""

    def __call__(self, case: Case, *, draw: int = 0, temperature: float = 0.0, seed: int = 0) -> Reflection:
        """Return a diagnosis with its drafts, which have a section and a content unless they remove
        something.

        Raises MalformedReply when the model gives no usable reply, ModelError as the client does.
        """
        trial, profile = case.trial, self.profile
        longest = _LONGEST[profile]
        schema = Diagnosis if profile is Profile.FULL else Lesson
        location: dict[str, object] = {"lines": (), "unsaid": ""}
        if trial.answer_location is not None:
            lines = [quote_text(line) for line in trial.answer_location.lines]
            location = {"lines": lines, "unsaid": quote_text(", ".join(trial.answer_location.unsaid))}
        user = render(
            "ace.methods.ace",
            f"reflect.{profile}.user",
            case=_describe(trial, longest),
            others=[_describe(other, longest // 4) for other in case.others],
            similar=[
                (question(other.sample.question, _LONGEST_SIMILAR), quote_text(other.sentence))
                for other in case.similar
            ],
            bullets=[(bullet.id, quote_field(bullet.content)) for bullet in case.bullets],
            contrast=quote_field(case.contrast.answer, longest // 4) if case.contrast else "",
            refuted=[
                (quote_field(" ".join(edit.contents)), quote_field(edit.answer)) for edit in case.refuted
            ],
            flaws=[quote_text(flaw) for flaw in case.flaws],
            location=location,
            reader=case.reader.name,
        )
        request = Request(
            role=Role.REFLECTOR,
            messages=messages(
                render("ace.methods.ace", f"reflect.{profile}.system", sections=SECTIONS), user
            ),
            schema=schema,
            temperature=temperature,
            seed=seed,
            max_tokens=_MAX_TOKENS[profile],
            subject=Subject(
                sample=trial.sample,
                bullets=tuple(bullet.content for bullet in case.bullets),
                attempt=trial.attempt,
                feedback=trial.feedback,
                draw=draw,
            ),
        )
        reply = self.client.complete(request)
        return _read_reply(cast(Lesson | Diagnosis, reply.parsed), case.reader)  # what `schema` promises


def _describe(trial: Trial, longest: int) -> dict[str, object]:
    """Return the fields of a failure as a template takes them; no trajectory where the answer is all."""
    feedback, attempt = trial.feedback, trial.attempt
    is_bare = attempt.text.strip() in ("", attempt.answer.strip())
    has_more = not is_bare or attempt.turns or attempt.reasoning
    repeats_answer = feedback.text.strip() in ("", attempt.answer.strip(), attempt.summary)
    return {
        "question": question(trial.sample.question),
        "answer": quote_field(attempt.answer or attempt.error),
        "trajectory": quote_field(show_trajectory(attempt), longest) if has_more else "",
        "cut_off": attempt.finish_reason == FinishReason.LENGTH,
        "wrong": feedback.passed is False or feedback.ran is False,
        "score": f"{feedback.score:g}" if feedback.score and feedback.score < 1 else "",
        "outcome": "" if repeats_answer else quote_outcome(feedback, longest),
        "expected": quote_text(feedback.right_answer),
        "missing": [quote_text(fact.text) for fact in feedback.missing],
    }


def _read_reply(reply: Lesson | Diagnosis, reader: Reader) -> Reflection:
    """Return a reply as a diagnosis whose drafts say in their content when they apply.

    A short reply that is empty says that there is nothing to learn. Drafts of a long one that neither say
    nor remove anything are left out; those in a section that nobody offered go to the default one.
    """
    drafts: list[Draft] = []
    if isinstance(reply, Lesson):
        for sentence in split_lesson(reply):
            drafts.append(Draft(section=reader.name_section(DEFAULT_SECTION), content=sentence))
        return Reflection(FailureType.GAP if drafts else FailureType.VARIANCE, tuple(drafts))
    for draft in reply.candidates:
        content = draft.content.strip()
        when = " ".join(draft.when.split()).rstrip(":.")
        if when and content and when.casefold() not in content.casefold():
            content = f"{when}: {content}"
        section = draft.section.strip().casefold()
        if section not in SECTIONS:
            section = DEFAULT_SECTION
        section = reader.name_section(section)
        if content or draft.op == "remove":
            drafts.append(draft.model_copy(update={"content": content, "section": section}))
    return Reflection(reply.failure, tuple(drafts), tuple(reply.used))
