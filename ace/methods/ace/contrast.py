"""Whether a lesson's words mean what it says, judged by the samples that were seen. No model is asked.

"Returns: SUM(rtn.amt) / 100.0", learned from a question about what returns add up to, also speaks for "How
many returns were refused?", which has nothing to do with rtn.amt. A sample that has a lesson's words and no
use for its meaning is such a bystander: where labels show what right answers are made of, one that lacks the
lesson's condition; otherwise one that touches none of its columns. Knows questions, and what feedback showed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from typing import NamedTuple

from ace.methods.ace.lesson_scope import PLACEHOLDERS, WORD, conditions, names, stem, stems, unnamed
from ace.refine.similar import word_key
from ace.task.types import Sample

SPEAKS_FOR = "would also speak for: "  # the question of a bystander


class _Told(NamedTuple):
    """What a lesson says: its columns, and the words of its meaning where that is one plain condition."""

    columns: frozenset[str]
    meaning: frozenset[str]


def _parsed(lesson: str) -> _Told:
    plain = conditions(lesson) == 1 and not any(place in lesson for place in PLACEHOLDERS)
    meaning = word_key(lesson.partition(":")[2]) if plain else ()
    return _Told(names(lesson), frozenset(meaning))


class Contrast:
    """Indexed by word, so that a lesson is compared only with what shares its rarest one."""

    def __init__(self, samples: Iterable[Sample] = ()) -> None:
        self._questions = {sample.id: sample.question for sample in samples}
        self._stems = {name: stems(text) for name, text in self._questions.items()}
        self._asked = Counter(word for words in self._stems.values() for word in words)
        self._subjects: dict[str, frozenset[str]] = {}
        self._uses: dict[str, tuple[frozenset[str], ...]] = {}
        self._using: dict[str, dict[str, None]] = defaultdict(dict)  # word -> samples seen

    def meet(self, sample: Sample) -> None:
        self._questions[sample.id] = sample.question
        self._stems[sample.id] = stems(sample.question)
        self._asked.update(self._stems[sample.id])

    def saw(self, sample_id: str, subjects: Collection[str], uses: Collection[str]) -> None:
        self._subjects[sample_id] = frozenset(subject.lower() for subject in subjects)
        self._uses[sample_id] = tuple(frozenset(word_key(part)) for part in uses)
        for word in self._stems.get(sample_id, ()):
            self._using[word][sample_id] = None

    def forget(self, sample_id: str) -> None:
        """What was right for a sample may not be any more."""
        self._subjects.pop(sample_id, None)
        self._uses.pop(sample_id, None)
        for word in self._stems.get(sample_id, ()):
            self._using[word].pop(sample_id, None)

    def by(self, lesson: str) -> tuple[str, ...]:
        """Samples whose right answers were made of a plain condition, for questions with its words."""
        told = _parsed(lesson)
        if not told.meaning:
            return ()
        named = (min(words, key=lambda word: len(self._using[word])) for words in _named(lesson) if words)
        near = {sample for word in named for sample in self._using[word]}
        return tuple(s for s in sorted(near) if any(part <= told.meaning for part in self._uses[s]))

    def bystander(self, lesson: str, own: Collection[str]) -> str:
        """The question of a sample, none of `own`, that a lesson would speak for by mistake; or nothing."""
        told = _parsed(lesson)
        for words in _named(lesson):
            rarest = min(words, key=lambda word: (len(self._using[word]), word), default="")
            for other in self._using[rarest]:
                if other not in own and words <= self._stems[other] and self._no_use(other, told):
                    return self._questions[other]
        return ""

    def worded(self, lesson: str, question: str) -> str:
        """A lesson about a unit or a calculation, told apart from others that ask about the same things."""
        return self.apart(lesson, question) if names(lesson) and _calculates(lesson) else lesson

    def apart(self, lesson: str, question: str) -> str:
        """A lesson with the word of its question that tells it from others.

        Of the words that no sample uses which has no use for the lesson (for a unit: which shares a word with
        it, too) the one that most questions have, the last of equals, such as "dollars". If the lesson has it
        already, nothing is added. A condition that has another's words, as "Refused: ord.channel = 'N'",
        gets that word instead of its own.
        """
        words, colon, meaning = lesson.partition(":")
        telling = self._telling(lesson, question)
        if not telling or stem(telling) in stems(words):
            return lesson
        if conditions(lesson) == 1 and self.bystander(lesson, ()):
            return f"{telling.capitalize()}{colon}{meaning}"
        return f"{words} ({telling}){colon}{meaning}"

    def against(self, lesson: str, question: str, other: str) -> str:
        """A lesson with the word of its question, most asked for, that another question has not."""
        words, colon, meaning = lesson.partition(":")
        free = stems(unnamed(question)) - stems(other) - stems(words)
        said = {stem(word): word.lower() for word in WORD.findall(unnamed(question))}
        best = max((word for word in said if word in free), key=lambda word: self._asked[word], default="")
        if not best:
            return lesson
        head, mark, tail = words.partition(" (")
        return f"{head} ({said[best]}{f' {tail}' if mark else ')'}{colon}{meaning}"

    def _telling(self, lesson: str, question: str) -> str:
        shared = stems(question if conditions(lesson) == 1 else lesson.partition(":")[0])
        near = {other for word in shared for other in self._using[word]}
        told = _parsed(lesson)
        others = {other for other in near if self._no_use(other, told)}
        asked = stems(question)
        said = {stem(word): word.lower() for word in WORD.findall(unnamed(question))}
        free = [word for word in said if word in asked and not others & self._using[word].keys()]
        best = max(reversed(free), key=lambda word: self._asked[word], default="")
        return said.get(best, "") if self._asked[best] > 1 else ""

    def _no_use(self, sample_id: str, told: _Told) -> bool:
        """What a right answer to it is made of does not include what the lesson says."""
        uses = self._uses[sample_id]
        if not uses or not told.meaning:
            return self._foreign(sample_id, told.columns)
        return not any(part <= told.meaning or told.meaning <= part for part in uses)

    def _foreign(self, sample_id: str, columns: frozenset[str]) -> bool:
        """It touches columns, and none of these."""
        subjects = self._subjects[sample_id]
        return bool(columns) and any("." in subject for subject in subjects) and not subjects & columns


def _named(lesson: str) -> list[frozenset[str]]:
    """The words of each of its names."""
    return [frozenset(stems(name)) for name in lesson.partition(":")[0].split(", ")]


def _calculates(lesson: str) -> bool:
    meaning = lesson.partition(":")[2]
    return not conditions(lesson) and any(character.isdigit() for character in meaning)
