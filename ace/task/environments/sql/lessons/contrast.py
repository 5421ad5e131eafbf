"""Judge by the samples seen so far whether a lesson's words mean what it says. No model is asked.

"Returns: SUM(rtn.amt) / 100.0", learned from a question about what returns add up to, also speaks for "How
many returns were refused?", which has nothing to do with rtn.amt. A sample that has a lesson's words and no
use for its meaning is such a bystander: where labels show what right answers are made of, one that lacks the
lesson's condition; otherwise one that touches none of its topics. Knows questions, and what feedback showed.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet
from itertools import combinations, islice
from typing import NamedTuple

from ace.task.environments.sql.lessons.lines import (
    PLACEHOLDERS,
    PREFIX,
    WORD,
    count_conditions,
    find_stems,
    find_topics,
    generalize_lesson,
    list_names,
    remove_names,
)
from ace.task.types import Sample
from ace.text import stem_word, word_key

_FEWEST = 2  # samples with a fact, of which words are told
_TELLING = 0.7  # F1 of a word and a fact
_MOST_WORDS = 6  # of a phrase
_MOST_QUESTIONS = 12  # that a line gets words from
_MOST_PAIRS = 2_000  # of words of a question: a long one has many

Key = tuple[str, ...]

# "follow-up" is one word.
_COMPOUND = re.compile(r"[^\W\d_]{3,}(?:-[^\W\d_]+)*")


class _Meaning(NamedTuple):
    """Hold what a lesson says."""

    topics: frozenset[str]
    """The columns that its meaning mentions, lower case."""

    words: frozenset[str]
    """The words of its meaning where that is one plain condition, else none."""


class Contrast:
    """Index samples by word, so that a lesson is compared only with what shares its rarest one.

    Words are compared by their stems. Not safe to use from several threads.
    """

    def __init__(self, samples: Iterable[Sample] = ()) -> None:
        """Take in the questions of samples; more may be added."""
        self._questions: dict[str, str] = {}
        self._personal: set[str] = set()  # samples that belong to one user
        self._stems: dict[str, frozenset[str]] = {}
        self._asked: Counter[str] = Counter()  # stem -> questions that have it
        self._topics: dict[str, frozenset[str]] = {}
        self._parts: dict[str, tuple[frozenset[str], ...]] = {}  # of the right answer
        # Parts without their question's own values: of each sample seen, and the samples with each.
        self._facts: dict[str, frozenset[Key]] = {}
        self._having: dict[Key, dict[str, None]] = defaultdict(dict)
        self._using: dict[str, dict[str, None]] = defaultdict(dict)  # stem -> samples seen
        for sample in samples:
            self.add_sample(sample)

    def add_sample(self, sample: Sample) -> None:
        """Take in a question, once: a second time would count its words twice."""
        stems = find_stems(sample.question)
        self._questions[sample.id] = sample.question
        if sample.owner:
            self._personal.add(sample.id)
        self._stems[sample.id] = stems
        self._asked.update(stems)

    def record_result(self, sample_id: str, topics: Collection[str], parts: Collection[str]) -> None:
        """Take in what feedback on a sample showed: topics, and what its right answer is made of.

        From then on the sample can be a bystander or a witness. Without labels `parts` is empty.
        """
        self._topics[sample_id] = frozenset(topic.lower() for topic in topics)
        self._parts[sample_id] = tuple(frozenset(word_key(part)) for part in parts)
        question = self._questions.get(sample_id, "")
        for key in self._facts.pop(sample_id, ()):
            self._having[key].pop(sample_id, None)
        self._facts[sample_id] = frozenset(word_key(generalize_lesson(question, part)) for part in parts)
        for key in self._facts[sample_id]:
            self._having[key][sample_id] = None
        for stem in self._stems.get(sample_id, ()):
            self._using[stem][sample_id] = None

    def forget(self, sample_id: str) -> None:
        """Drop what was seen of a sample: what was right for it may not be any more.

        Until its next result it is no bystander and no witness.
        """
        self._topics.pop(sample_id, None)
        self._parts.pop(sample_id, None)
        for key in self._facts.pop(sample_id, ()):
            self._having[key].pop(sample_id, None)
        for stem in self._stems.get(sample_id, ()):
            self._using[stem].pop(sample_id, None)

    def suggest(self, fact: str, question: str) -> str:
        """Return the words of a question that stand for a fact, by the samples seen; "" if they do not say.

        They are words that samples with the fact have and hardly any without it, measured by the harmonic
        mean of both shares (F1). At least two samples must have the fact.
        """
        key = word_key(generalize_lesson(question, fact))
        return self._find_phrase(question, self._having.get(key, {}).keys())

    def reword(self, text: str) -> str:
        """Return a line in words of the samples whose right answers are made of what it says.

        A name stays if hardly any sample with its words lacks the meaning, unless fewer words say as well
        what more samples need. The words that `suggest` finds join it. A join whose words are known is said
        without the condition behind it. A line stays as it is where no words are found, or where something
        stands in it for the values of a question.
        """
        meaning = text.partition(":")[2]
        having = self._having.get(word_key(meaning), {}).keys()
        join, is_composed, _ = meaning.partition(" WHERE ")
        if is_composed and not having:
            meaning, having = f"{join}.", self._having.get(word_key(join), {}).keys()
        phrases: dict[frozenset[str], str] = {}
        is_general = any(place in meaning for place in PLACEHOLDERS)
        for sample in () if is_general else islice(having, _MOST_QUESTIONS):
            if sample in self._personal:
                continue
            phrase = self._find_phrase(self._questions.get(sample, ""), having)
            if phrase:
                phrases.setdefault(find_stems(phrase), f"{phrase[:1].lower()}{phrase[1:]}")
        names: list[str] = []
        for name in list_names(text) if phrases and not is_composed else ():
            using = self._find_using(find_stems(name))
            known = len(using & having)
            is_narrow = any(
                stems < find_stems(name) and len(self._find_using(stems) & having) > known
                for stems in phrases
            )
            if using and known >= _TELLING * len(using) and not is_narrow:
                names.append(name)
        for stems, phrase in phrases.items():
            if not any(stems <= find_stems(name) or find_stems(name) <= stems for name in names):
                names.append(phrase)
        head = ", ".join(names)
        return f"{head[:1].upper()}{head[1:]}:{meaning}" if names else text

    def _find_phrase(self, question: str, having: AbstractSet[str]) -> str:
        """Return the words of a question that samples with a fact have, and hardly any others; "" for none.

        Where two together say it better than any single word, they are taken.
        """
        words = list(_COMPOUND.finditer(question))
        stems = [find_stems(word[0], lists=("asking", "counting")) for word in words]
        places = [place for place in range(len(words)) if stems[place] and len(having) >= _FEWEST]
        telling: list[int] = []
        best = 0.0
        for place in places:
            agreement = max(self._measure_agreement((stem,), having) for stem in stems[place])
            if agreement >= _TELLING:
                telling.append(place)
                best = max(best, agreement)
        is_pair = False
        for pair in islice(combinations(places, 2), _MOST_PAIRS if best < 1 else 0):
            agreement = self._measure_agreement(stems[pair[0]] | stems[pair[1]], having)
            if agreement > max(best, _TELLING):
                best, telling, is_pair = agreement, list(pair), True
        if not telling:
            return ""
        between = range(telling[0] + 1, telling[-1])
        is_close = len(between) + 1 < _MOST_WORDS
        if is_close and not (is_pair and any(stems[place] for place in between)):
            phrase = question[words[telling[0]].start() : words[telling[-1]].end()]
        else:
            phrase = " ".join(words[place][0] for place in telling)
        return f"{phrase[:1].upper()}{phrase[1:]}"

    def _measure_agreement(self, stems: Iterable[str], having: AbstractSet[str]) -> float:
        """Return how nearly the samples with all of the stems are those given, as F1."""
        using = self._find_using(stems)
        return 2 * len(using & having) / (len(having) + len(using))

    def _find_using(self, stems: Iterable[str]) -> AbstractSet[str]:
        """Return the samples seen that have all of the stems; none for no stems."""
        groups = [self._using[stem].keys() for stem in stems]
        return set(groups[0]).intersection(*groups[1:]) if groups else set()

    def find_alike(self, lesson: str) -> tuple[str, ...] | None:
        """Return samples whose right answers are made of a lesson's one plain condition, in any words.

        None for a lesson that says no condition with a constant: it is general by nature.
        """
        meaning = _read_meaning(lesson)
        if not meaning.words:
            return None
        return tuple(
            sample for sample, parts in self._parts.items() if any(part <= meaning.words for part in parts)
        )

    def find_witnesses(self, lesson: str) -> tuple[str, ...]:
        """Return samples with a lesson's words whose right answers were made of its one plain condition.

        They come by their ids, sorted. A lesson that says something else has no witnesses.
        """
        meaning = _read_meaning(lesson)
        if not meaning.words:
            return ()
        near: set[str] = set()
        for name in list_names(lesson):
            stems = find_stems(name)
            if stems:
                rarest = min(stems, key=lambda stem: len(self._using[stem]))
                near.update(self._using[rarest])
        witnesses: list[str] = []
        for sample in sorted(near):
            if any(part <= meaning.words for part in self._parts[sample]):
                witnesses.append(sample)
        return tuple(witnesses)

    def find_bystander(self, lesson: str, own: Collection[str]) -> str:
        """Return the question of a sample, none of `own`, that a lesson speaks for by mistake, or "".

        Only samples with a result can be bystanders. Of several the one counts whose result came first.
        """
        meaning = _read_meaning(lesson)
        for name in list_names(lesson):
            stems = find_stems(name)
            rarest = min(stems, key=lambda stem: (len(self._using[stem]), stem), default="")
            for sample in self._using[rarest]:
                speaks_for = sample not in own and stems <= self._stems[sample]
                if speaks_for and self._is_foreign(sample, meaning):
                    return self._questions[sample]
        return ""

    def narrow(self, lesson: str, question: str) -> str:
        """Return a lesson with the word of its question that tells it from others.

        If the lesson has that word already, nothing is added. A condition that has another's words, as
        "Refused: ord.channel = 'N'", gets the word instead of its own; any other lesson gets it in brackets
        behind them.
        """
        words, colon, meaning = lesson.partition(":")
        word = self._find_telling_word(lesson, question)
        if not word:
            return lesson
        if stem_word(word, prefix=PREFIX) in find_stems(words):
            return lesson
        if count_conditions(lesson) == 1 and self.find_bystander(lesson, ()):
            return f"{word.capitalize()}{colon}{meaning}"
        return f"{words} ({word}){colon}{meaning}"

    def separate(self, lesson: str, question: str, bystander: str) -> str:
        """Return a lesson with the word of its question, most asked for, that a bystander's has not.

        The word stands in brackets behind the lesson's own, before one that stands there already.
        """
        head, colon, meaning = lesson.partition(":")
        free = find_stems(remove_names(question)) - find_stems(bystander) - find_stems(head)
        words = _map_words(question)
        candidates = [stem for stem in words if stem in free]
        if not candidates:
            return lesson
        best = max(candidates, key=lambda stem: self._asked[stem])
        start, mark, rest = head.partition(" (")
        ending = f" {rest}" if mark else ")"
        return f"{start} ({words[best]}{ending}{colon}{meaning}"

    def _find_telling_word(self, lesson: str, question: str) -> str:
        """Return the word of a question that most questions have, the last of equals, such as "dollars".

        No sample without a use for the lesson may have it. Of a unit's lesson only samples that share a word
        with it count.
        """
        is_condition = count_conditions(lesson) == 1
        shared = find_stems(question if is_condition else lesson.partition(":")[0])
        meaning = _read_meaning(lesson)
        foreign: set[str] = set()
        for stem in shared:
            for sample in self._using[stem]:
                if self._is_foreign(sample, meaning):
                    foreign.add(sample)

        asked, words = find_stems(question), _map_words(question)
        free: list[str] = []
        for stem in words:
            if stem in asked and not foreign & self._using[stem].keys():
                free.append(stem)
        best = max(reversed(free), key=lambda stem: self._asked[stem], default="")
        return words.get(best, "") if self._asked[best] > 1 else ""

    def _is_foreign(self, sample_id: str, meaning: _Meaning) -> bool:
        """Return whether what a right answer to a sample is made of leaves out what a lesson says.

        Where that is not known, the sample must touch topics, and none of the lesson's. A lesson without
        topics is foreign to no sample then.
        """
        parts = self._parts[sample_id]
        if parts and meaning.words:
            says_one = any(part <= meaning.words or meaning.words <= part for part in parts)
            return not says_one
        topics = self._topics[sample_id]
        touches_some = any("." in topic for topic in topics)
        return bool(meaning.topics) and touches_some and not topics & meaning.topics


def _read_meaning(lesson: str) -> _Meaning:
    """Read what stands behind the colon. A condition with a placeholder is not plain."""
    has_placeholder = any(place in lesson for place in PLACEHOLDERS)
    is_plain = count_conditions(lesson) == 1 and not has_placeholder
    words = word_key(lesson.partition(":")[2]) if is_plain else ()
    return _Meaning(find_topics(lesson), frozenset(words))


def _map_words(question: str) -> dict[str, str]:
    """Map the stems of a question, its names left out, to its words; of one stem the last word counts."""
    words: dict[str, str] = {}
    for word in WORD.findall(remove_names(question)):
        words[stem_word(word, prefix=PREFIX)] = word.lower()
    return words
