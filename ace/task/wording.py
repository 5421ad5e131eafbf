"""What an environment may know of lessons: how the facts that it explains are put into words, one line each.

Such an environment knows lessons of one form, and checks by their words what would otherwise cost attempts.
The learner asks through `Wording` and knows nothing of the form. Values in and out: texts, and ids for lines.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from ace.task.team import Team
from ace.task.types import Fact, Sample


@dataclass(frozen=True, slots=True)
class Line:
    """Hold one lesson of the playbook."""

    id: str
    """That of its bullet."""

    text: str
    """Its content."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """Say in a sentence what speaks against a lesson."""

    text: str
    """The sentence, for people and for the model that words the lesson anew."""

    question: str = ""
    """That of a sample which the lesson speaks for by mistake, where that is the flaw."""

    @classmethod
    def speaks_for(cls, lesson: str, question: str) -> Flaw:
        """Return the flaw of a lesson that has the words of a question and breaks or misses its answer."""
        return cls(f"{lesson} would also speak for: {question}", question)


@dataclass(frozen=True, slots=True)
class Advice:
    """Say what to make of a lesson: add it, put it in place of a line, or leave it out for a flaw."""

    text: str = ""
    """The lesson as it is to be written down; "" where there is a flaw."""

    id: str = ""
    """The line whose place it takes; "" where it is added."""

    flaw: Flaw | None = None
    """What speaks against the lesson."""


class Wording(Protocol):
    """Know the words of the lessons of one run. It learns from the questions and results of the run.

    Facts are given by their texts. Results come in the order of the journal, so a resumed run knows the same.
    The methods stand in the order in which a learner needs them:

    * What it sees: `add_sample`, `record_result`, `forget`.
    * What is to learn of a failure, and which lines helped: `list_unspoken`, `find_speakers`, `says_part`.
    * How a lesson is worded: `consider`, `adapt`, `separate`, `suggest`, `reword`, `combine`, `join`.
    * Whether it still holds, later: `find_doubt`, `list_known`, `list_outdated`, `list_witnesses`,
      `count_shared_words`, `are_rivals`, `drop_words`.

    No method asks a model or makes an attempt. Where the words do not tell, the answer is empty, None, or the
    text as it was.
    """

    prompts: str
    """The package whose `prompts/` has `reflector.parts`, `reflector.lesson` and `reflector.critique`."""

    def add_sample(self, sample: Sample) -> None:
        """Take in a question, before anything is asked about it. Its result may come later, or never."""
        ...

    def record_result(self, sample_id: str, topics: Collection[str], facts: Collection[str]) -> None:
        """Take in what feedback on a sample showed: topics, and what its right answer is made of.

        A later result of a sample takes the place of an earlier one. `facts` is empty without labels.
        """
        ...

    def forget(self, sample_id: str) -> None:
        """Drop what was seen of a sample: what was right for it may not be any more.

        Its question is still known.
        """
        ...

    def list_unspoken(
        self, question: str, facts: Iterable[str], texts: Iterable[str] = ()
    ) -> tuple[str, ...]:
        """Return the facts that neither the question nor one of the texts states: those to learn.

        `texts` are lessons. The facts stay in their order. Of "How many orders have status 7?" the fact
        "ord.st = 7" is stated; of "How many orders were cancelled?" it is to learn, unless a lesson
        "Cancelled: ord.st = 7" is among the texts.
        """
        ...

    def find_speakers(self, question: str, facts: Iterable[str], lines: Iterable[Line]) -> frozenset[str]:
        """Return the lines, by id, that say one of the facts which the question does not state.

        They are what the playbook can have helped with: of the fact "ord.st = 7" the line
        "Cancelled: ord.st = 7" speaks, and "Refunds: ord.st = 9" does not.
        """
        ...

    def says_part(self, text: str, facts: Iterable[str]) -> bool | None:
        """Return whether a right answer is made of what a text says; None where that cannot be told.

        `facts` are those of the right answer. One of them is enough: the text need not say all of it.
        """
        ...

    def consider(self, lesson: str, sample: Sample, lines: Sequence[Line], *, widen: bool = True) -> Advice:
        """Return what to make of a lesson that was learned from a sample, beside lines on the same topics.

        The advice may change the lesson's words, so that it speaks for its own sample only. `widen`: other
        words for what a line says join it; otherwise they get a line of their own. So "Revoked: ord.st = 7"
        beside "Cancelled orders: ord.st = 7" becomes "Cancelled orders, revoked: ord.st = 7" in its place.
        """
        ...

    def adapt(self, lesson: str, question: str, *, narrow: bool = True) -> str:
        """Return a lesson in words that fit other questions, too; with `narrow`, not more than it is for.

        "Orders of Ann Lee: cus.name = 'Ann Lee'", from a question about her, becomes
        "Orders of NAME: cus.name = 'NAME'".
        """
        ...

    def separate(self, lesson: str, question: str, other: str) -> str:
        """Return a lesson with words of its question that the other question has not.

        Where there are no such words, the lesson comes back as it is. "Cancelled: ...", from a question about
        cancelled invoices, is told from one about cancelled trips as "Cancelled (invoices): ...".
        """
        ...

    def suggest(self, fact: str, question: str) -> str:
        """Return the words of a question that stand for a fact, by the samples seen so far; "" if unknown."""
        ...

    def reword(self, text: str) -> str:
        """Return a line in the words that the samples seen so far have for it; as it is if they do not say.

        "Barley: ord.st = 7", of which barley was only in the first question, becomes "Cancelled: ord.st = 7".
        """
        ...

    def combine(self, missing: Sequence[str], facts: Sequence[str]) -> tuple[str, ...]:
        """Return missing facts put together with what they need, each to be said in one line.

        `facts` are all those of the right answer. Where each fact is of use alone there are none.
        """
        ...

    def join(self, first: str, second: str) -> str | None:
        """Return one line for two that say the same in other words; None where they do not.

        "Cancelled orders: ord.st = 7" and "Revoked: ord.st = 7" give "Cancelled orders, Revoked: ord.st = 7".
        """
        ...

    def find_doubt(self, text: str, proofs: Collection[str]) -> Flaw | None:
        """Return what speaks against a line that the samples `proofs`, given by their ids, prove.

        None where nothing does, as far as the questions and results so far tell.
        """
        ...

    def list_known(self, question: str, texts: Iterable[str]) -> tuple[str, ...]:
        """Return the texts that the whole question asks for by their words.

        All words that say what such a text is for are words of the question.
        """
        ...

    def list_outdated(self, text: str, newer: str = "") -> tuple[str, ...]:
        """Return samples, by id, that count no more once a line says something `newer`.

        Nothing where rules do not change, and where both lines say the same.
        """
        ...

    def list_witnesses(self, text: str) -> tuple[str, ...] | None:
        """Return the samples whose right answers say what a line says, in whatever words they ask.

        None where a line is of a form that cannot be looked up so.
        """
        ...

    def count_shared_words(self, text: str, question: str) -> int:
        """Return how many words a line shares with a question, of those that say what it is for.

        What the line says of them does not count. It tells which of several lines a question is nearest to.
        """
        ...

    def are_rivals(self, first: str, second: str) -> bool:
        """Return whether two lines give the same words different meanings: both cannot hold.

        So do "Cancelled: ord.st = 7" and "Cancelled: ord.st = 5".
        """
        ...

    def drop_words(self, text: str, question: str) -> str | None:
        """Return a line without its words for a question, "" where none remain; None: it has none for it.

        "Cancelled orders, revoked: ord.st = 7" without its words for "Which orders were cancelled?" is
        "Revoked: ord.st = 7".
        """
        ...


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Hold a lesson that an environment words itself, and the section that it belongs into."""

    section: str
    """The one that the lesson belongs into."""

    text: str
    """The lesson."""

    replaces: str = ""
    """The known lesson whose place it takes; "" where it is a further one."""

    reader: str = ""
    """The agent of a team that it is for; "" where it is for all, or where there is one agent only."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Say for whom lessons are written where a team attempts the samples."""

    team: Team
    """The agents."""

    known: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What each agent reads already, by its name."""


Suggest = Callable[..., Sequence[Sequence[Suggestion]]]
"""The method of `Suggesting`."""


@runtime_checkable
class Suggesting(Protocol):
    """Environments that can word lessons from right answers. A learner tries them before it asks a model."""

    def suggest(
        self,
        sample: Sample,
        similar: Sequence[Sample],
        known: Sequence[str],
        audience: Audience | None = None,
    ) -> Sequence[Sequence[Suggestion]]:
        """Return lessons for a sample, the best first; those of one entry belong together.

        `similar` are other samples whose right answers were shown, the nearest first; `known` is what the
        playbook says. With an `audience` each lesson is for one agent of a team, or for all, and what they
        know stands there. Read from labels: a learner asks only where it is shown those of the sample, too.
        """
        ...


@runtime_checkable
class Worded(Protocol):
    """Environments whose facts can be put into words, one line each."""

    def wording(self, *, newest_wins: bool = False) -> Wording:
        """Return a new wording, for one run, which knows no sample yet.

        `newest_wins`: rules may change, so the latest label counts.
        """
        ...


def list_texts(facts: Iterable[Fact]) -> tuple[str, ...]:
    """Return the texts of facts: what `Wording` knows them by."""
    return tuple(fact.text for fact in facts)
