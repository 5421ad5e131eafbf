"""Know the words of lessons on SQL, and decide what to make of one before it costs an attempt.

A false lesson can pass its own proof beside a true one: "Cancelled orders: SUM(ord.total) / 100.0", learned
from a question about what cancelled orders are worth. So the words of a lesson must be free: if a line says
already what they mean, the lesson corrects it when both speak of the same topics, and is left out otherwise.
Nor may it repeat its own question, or speak for others. Knows texts only.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from ace.task.environments.sql.lessons.contrast import Contrast
from ace.task.environments.sql.lessons.lines import (
    count_conditions,
    find_joined_tables,
    find_repeated_numbers,
    find_stems,
    find_subjects,
    find_topics,
    generalize_lesson,
    have_same_words,
    list_names,
    means_the_same,
)
from ace.task.types import Sample
from ace.task.wording import Advice, Flaw, Line, Wording
from ace.text import word_key

# A constant of SQL: what stands in quotes, or a number.
_LITERAL = re.compile(r"'([^']*)'|(?<![\w.])(\d+(?:\.\d+)?)(?![\w.])")


class SqlWording(Contrast, Wording):
    """Know lessons on conditions, joins and units, such as "Cancelled orders: ord.st = 7".

    `newest_wins`: rules may change, so a lesson may correct the value that a line gives.
    """

    prompts = "ace.task.environments.sql.lessons"

    def __init__(self, *, newest_wins: bool = False) -> None:
        """Begin without samples: `add_sample` and `record_result` tell of them."""
        super().__init__()
        self._newest_wins = newest_wins

    def list_unspoken(
        self, question: str, facts: Iterable[str], texts: Iterable[str] = ()
    ) -> tuple[str, ...]:
        """Return the facts that neither the question nor one of the texts states.

        A question states a fact when every constant of it is there. One without constants can be taught. A
        text states a fact when it has all of its words, in any order, names and days put as NAME and DAY.
        """
        contents = [set(word_key(text)) for text in texts]
        unspoken = []
        for fact in facts:
            constants = [quoted or number for quoted, number in _LITERAL.findall(fact)]
            patterns = [rf"(?<!\w){re.escape(constant)}(?!\w)" for constant in constants]
            has_constants = all(re.search(pattern, question, re.IGNORECASE) for pattern in patterns)
            in_question = bool(constants) and has_constants
            words = set(word_key(generalize_lesson(question, fact)))
            in_texts = any(words <= content for content in contents)
            if not in_question and not in_texts:
                unspoken.append(fact)
        return tuple(unspoken)

    def find_speakers(self, question: str, facts: Iterable[str], lines: Iterable[Line]) -> frozenset[str]:
        """Return the lines that say one of the facts. Neither order nor the side of a join counts.

        Facts that the question states itself have no speakers: nobody needs a lesson for them.
        """
        to_learn = self.list_unspoken(question, facts)
        parts = [set(word_key(generalize_lesson(question, fact))) for fact in to_learn]
        speakers = []
        for line in lines:
            words = set(word_key(line.text))
            if any(part <= words for part in parts):
                speakers.append(line.id)
        return frozenset(speakers)

    def says_part(self, text: str, facts: Iterable[str]) -> bool | None:
        """Return whether the words of a text's meaning hold those of a fact, or a fact's hold them.

        None where there are no facts, or no meaning.
        """
        meaning = frozenset(word_key(text.partition(":")[2]))
        parts = [frozenset(word_key(fact)) for fact in facts]
        if not parts or not meaning:
            return None
        return any(part <= meaning or meaning <= part for part in parts)

    def consider(self, lesson: str, sample: Sample, lines: Sequence[Line], *, widen: bool = True) -> Advice:
        """Return what to make of a lesson, by rules of which the first that applies counts.

        It is known; it corrects the value of a line; it has a flaw that no word of its question cures; it
        says what a line says in other words; it replaces a line of the same words and topics; its words are
        taken.
        """
        asked = find_stems(sample.question)
        for line in lines:
            # It is the lesson, or says the same in words that this question has too.
            speaks_for = any(find_stems(name) <= asked for name in list_names(line.text))
            says_it = means_the_same(line.text, lesson) and speaks_for
            if says_it or word_key(line.text) == word_key(lesson):
                return Advice(flaw=Flaw(f"{lesson} is known"))
        if self._newest_wins:
            for line in lines:
                if self._corrects_value(line.text, lesson, sample):
                    return Advice(lesson, line.id)
        if flaw := self._find_flaw(lesson, sample):
            narrowed = self.narrow(lesson, sample.question)
            if not _has_words(lesson) or self._find_flaw(narrowed, sample):
                return Advice(flaw=flaw)
            lesson = narrowed
        head = lesson.partition(":")[0]
        for line in lines:
            words, _, meaning = line.text.partition(":")
            has_same_words = have_same_words(lesson, line.text)
            if means_the_same(line.text, lesson):
                if not widen:
                    return Advice(lesson)
                if find_stems(head) <= find_stems(words):
                    return Advice(flaw=Flaw(f"{lesson} is known"))
                return Advice(f"{words}, {head[:1].lower()}{head[1:]}:{meaning}", line.id)
            has_same_subjects = bool(find_subjects(line.text) & find_subjects(lesson))
            if has_same_words and has_same_subjects:
                return Advice(lesson, line.id)
            # A condition may not take the words of another topic's. A unit's lesson may ("Weight of tea in
            # kilograms" speaks of tea and of more), and a join's.
            has_words = bool(find_stems(words)) and find_stems(words) <= find_stems(head)
            both_compare = count_conditions(lesson) > 0 and count_conditions(line.text) > 0
            if has_same_words or (has_words and both_compare and not has_same_subjects):
                return Advice(flaw=Flaw(f"{lesson} uses words that are known to mean: {line.text}"))
        return Advice(lesson)

    def adapt(self, lesson: str, question: str, *, narrow: bool = True) -> str:
        """Return a lesson without days and names, a unit or a calculation told apart from others like it.

        A calculation has a number and a column and compares nothing: "Kilograms: art.grams / 1000.0".
        """
        general = generalize_lesson(question, lesson)
        has_digit = any(character.isdigit() for character in general.partition(":")[2])
        is_calculation = has_digit and find_topics(general) and not count_conditions(general)
        if narrow and is_calculation:
            return self.narrow(general, question)
        return general

    def combine(self, missing: Sequence[str], facts: Sequence[str]) -> tuple[str, ...]:
        """Return each missing join with the one condition on its tables, to be said in one line.

        "vst JOIN ptt ON vst.ptn = ptt.kr" and "ptt.qg = 24" give
        "vst JOIN ptt ON vst.ptn = ptt.kr WHERE ptt.qg = 24". A join with several conditions or none is left
        out.
        """
        combined = []
        for fact in missing:
            tables = find_joined_tables(fact)
            conditions = []
            for other in facts:
                owners = {topic.partition(".")[0] for topic in find_subjects(f":{other}")}
                if count_conditions(f":{other}") and owners <= tables:
                    conditions.append(other)
            if len(conditions) == 1:
                combined.append(f"{fact} WHERE {conditions[0]}")
        return tuple(combined)

    def join(self, first: str, second: str) -> str | None:
        """Return one line with the names of both, those of the first in front; None for two meanings.

        A name that both have stands there once. The end is that of the first.
        """
        if not means_the_same(first, second):
            return None
        _, colon, meaning = first.partition(":")
        names = dict.fromkeys((*list_names(first), *list_names(second)))
        return f"{', '.join(names)}{colon}{meaning}"

    def find_doubt(self, text: str, proofs: Collection[str]) -> Flaw | None:
        """Return that a line would speak for another sample than those that prove it, or None."""
        bystander = self.find_bystander(text, proofs)
        if not bystander:
            return None
        return Flaw.speaks_for(text, bystander)

    def list_known(self, question: str, texts: Iterable[str]) -> tuple[str, ...]:
        """Return the texts all of whose words before the colon the question has.

        Words are compared by their stems, so one in the plural is found as well.
        """
        asked = find_stems(question)
        known: list[str] = []
        for text in texts:
            if find_stems(text.partition(":")[0]) <= asked:
                known.append(text)
        return tuple(known)

    def list_outdated(self, text: str, newer: str = "") -> tuple[str, ...]:
        """Return samples whose labels said what a line stops saying; none unless the newest label wins."""
        if not self._newest_wins or means_the_same(text, newer):
            return ()
        return self.find_witnesses(text)

    def list_witnesses(self, text: str) -> tuple[str, ...] | None:
        return self.find_alike(text)

    def count_shared_words(self, text: str, question: str) -> int:
        """Return how many of its words before the colon a line shares with a question, by their stems."""
        words = find_stems(text.partition(":")[0])
        return len(find_stems(question) & words)

    def are_rivals(self, first: str, second: str) -> bool:
        """Return whether two lines have the same words before the colon, and other ends."""
        return have_same_words(first, second) and not means_the_same(first, second)

    def drop_words(self, text: str, question: str) -> str | None:
        """Return a line without the names all of whose words a question has.

        A line without a colon has one name, and loses it for one shared word.
        """
        head, colon, meaning = text.partition(":")
        asked = find_stems(question)
        if not colon:
            return "" if find_stems(head) & asked else None
        names = list_names(text)
        others = [name for name in names if not find_stems(name) or not find_stems(name) <= asked]
        if len(others) == len(names):
            return None
        remaining = ", ".join(others)
        return f"{remaining[:1].upper()}{remaining[1:]}:{meaning}" if others else ""

    def _corrects_value(self, text: str, lesson: str, sample: Sample) -> bool:
        """Return whether the words of a line now mean another value of the same topic.

        There must be samples that had proven the line, and nothing but they may speak against the lesson.
        """
        has_same_subjects = find_subjects(text) == find_subjects(lesson)
        are_values = count_conditions(lesson) == 1 == count_conditions(text)
        if not (have_same_words(lesson, text) and has_same_subjects and are_values):
            return False
        outdated = self.list_outdated(text)
        return bool(outdated) and not self._find_flaw(lesson, sample, outdated)

    def _find_flaw(self, lesson: str, sample: Sample, outdated: Collection[str] = ()) -> Flaw | None:
        """Return what speaks against a lesson from a sample; `outdated` samples have no say."""
        if numbers := find_repeated_numbers(sample.question, lesson):
            return Flaw(f"{lesson} repeats {', '.join(numbers)} of its own question")
        if count_conditions(lesson) > 1:
            return Flaw(f"{lesson} says several things in one line")
        if not _has_words(lesson):
            return Flaw(f"{lesson} has no words of its own")
        if bystander := self.find_bystander(lesson, (sample.id, *outdated)):
            return Flaw.speaks_for(lesson, bystander)
        return None


def _has_words(lesson: str) -> bool:
    """Return whether a lesson has a word before the colon that is no placeholder."""
    return bool(find_stems(lesson.partition(":")[0]))
