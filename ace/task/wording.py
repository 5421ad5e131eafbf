"""What an environment may know of lessons: how the facts that it explains are put into words, one line each.

Such an environment knows lessons of one form, and checks by their words what would otherwise cost attempts.
The learner asks through `Wording` and knows nothing of the form. Values in and out: texts, and ids for lines.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ace.task.types import Fact, Sample


@dataclass(frozen=True, slots=True)
class Line:
    """Hold one lesson of the playbook: its id and its text."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Flaw:
    """Say in a sentence what speaks against a lesson.

    `question` is that of a sample which the lesson speaks for by mistake, where that is the flaw.
    """

    text: str
    question: str = ""

    @classmethod
    def speaks_for(cls, lesson: str, question: str) -> Flaw:
        """Return the flaw of a lesson that has the words of a question and breaks or misses its answer."""
        return cls(f"{lesson} would also speak for: {question}", question)


@dataclass(frozen=True, slots=True)
class Advice:
    """Say what to make of a lesson: add `text`, or put it in place of the line `id`; else its flaw."""

    text: str = ""
    id: str = ""
    flaw: Flaw | None = None


class Wording(Protocol):
    """Know the words of the lessons of one run. It learns from the questions and results of the run.

    Facts are given by their texts. Results come in the order of the journal, so a resumed run knows the same.
    """

    prompts: str
    """The package whose `prompts/` has `reflector.parts`, `reflector.lesson` and `reflector.critique`."""

    def add_sample(self, sample: Sample) -> None:
        """Take in a question."""
        ...

    def record_result(self, sample_id: str, topics: Collection[str], facts: Collection[str]) -> None:
        """Take in what feedback on a sample showed: topics, and what its right answer is made of."""
        ...

    def forget(self, sample_id: str) -> None:
        """Drop what was seen of a sample: what was right for it may not be any more."""
        ...

    def list_unspoken(
        self, question: str, facts: Iterable[str], texts: Iterable[str] = ()
    ) -> tuple[str, ...]:
        """Return the facts that neither the question nor one of the texts states: those to learn."""
        ...

    def find_speakers(self, question: str, facts: Iterable[str], lines: Iterable[Line]) -> frozenset[str]:
        """Return the lines, by id, that say one of the facts which the question does not state."""
        ...

    def says_part(self, text: str, facts: Iterable[str]) -> bool | None:
        """Return whether a right answer is made of what a text says; None where that cannot be told."""
        ...

    def consider(self, lesson: str, sample: Sample, lines: Sequence[Line], *, widen: bool = True) -> Advice:
        """Return what to make of a lesson that was learned from a sample, beside lines on the same topics.

        `widen`: other words for what a line says join it; otherwise they get a line of their own.
        """
        ...

    def adapt(self, lesson: str, question: str, *, narrow: bool = True) -> str:
        """Return a lesson in words that fit other questions, too; with `narrow`, not more than it is for."""
        ...

    def separate(self, lesson: str, question: str, other: str) -> str:
        """Return a lesson with words of its question that the other question has not."""
        ...

    def join(self, first: str, second: str) -> str | None:
        """Return one line for two that say the same in other words; None where they do not."""
        ...

    def find_doubt(self, text: str, proofs: Collection[str]) -> Flaw | None:
        """Return what speaks against a line that the samples `proofs` prove."""
        ...

    def list_known(self, question: str, texts: Iterable[str]) -> tuple[str, ...]:
        """Return the texts that the whole question asks for by their words."""
        ...

    def list_outdated(self, text: str, newer: str = "") -> tuple[str, ...]:
        """Return samples that count no more once a line says something `newer`."""
        ...

    def list_witnesses(self, text: str) -> tuple[str, ...] | None:
        """Return the samples that have a line's words and whose right answers say what it says.

        None where a line is of a form that cannot be looked up so.
        """
        ...

    def count_shared_words(self, text: str, question: str) -> int:
        """Return how many words a line shares with a question, of those that say what it is for."""
        ...

    def are_rivals(self, first: str, second: str) -> bool:
        """Return whether two lines give the same words different meanings: both cannot hold."""
        ...

    def drop_words(self, text: str, question: str) -> str | None:
        """Return a line without its words for a question, "" where none remain; None: it has none for it."""
        ...


@runtime_checkable
class Worded(Protocol):
    """Environments whose facts can be put into words, one line each."""

    def wording(self, *, newest_wins: bool = False) -> Wording:
        """Return a new wording, for one run. `newest_wins`: rules may change, so the latest label counts."""
        ...


def list_texts(facts: Iterable[Fact]) -> tuple[str, ...]:
    """Return the texts of facts."""
    return tuple(fact.text for fact in facts)
