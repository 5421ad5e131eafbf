"""What texts are made of: words, stems, sentences, mentions, word lists."""

from __future__ import annotations

import errno
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import example, given
from snowballstemmer import stemmer

from ace.errors import InputError
from ace.text import (
    estimate_tokens,
    find_mentions,
    singularize,
    split_sentences,
    split_words,
    stem_word,
    stop_words,
    word_list,
)
from ace.text.plain_file import name_faults
from ace.text.word_lists import CLOSED_CLASSES
from tests.strategies import texts


def test_words_are_folded_and_lose_their_possessive() -> None:
    assert split_words("Maria\u2019s order, isn't it?") == ["maria", "order", "isn't", "it"]
    assert split_words("Maria's Order", keep_case=True) == ["Maria", "Order"]


def test_names_with_dots_stay_whole_only_when_asked_for() -> None:
    assert split_words("ord.status = 3.5") == ["ord", "status", "3", "5"]
    assert split_words("ord.status = 3.5", whole_names=True) == ["ord.status", "3.5"]


@example("a\u3000 b \u00a0c d\x1c e  f\ud800 \u6f22")
@given(texts())
def test_tokens_are_estimated_by_letters_and_bytes(text: str) -> None:
    words = re.findall("[A-Za-z]+", text)
    others = len(text.encode("utf-8", "surrogatepass")) - sum(map(len, words))
    lone_spaces = len(re.findall(r"(?<=\S) (?=\S)", text))
    assert estimate_tokens(text) == sum(-(-len(word) // 4) for word in words) + others - lone_spaces


def test_scripts_without_spaces_are_split_by_character() -> None:
    assert split_words("\u9000\u6b3e 7") == ["\u9000", "\u6b3e", "7"]


def test_stems_join_inflections_irregular_forms_and_other_languages() -> None:
    assert stem_word("Deliveries") == stem_word("delivery")
    assert stem_word("kept") == stem_word("keep")
    assert stem_word("Rechnungen", "german") == stem_word("Rechnung", "german")
    for code in ("refund17", "dying2", "users'9", "R7", "y0y1"):
        assert stem_word(code) == stemmer("english").stemWord(code.lower())


def test_stems_are_the_same_from_several_threads() -> None:
    """A stemmer keeps the word that it is at, so that two threads must not use it at once."""
    words = [
        f"{start}{end}" for start in "bcdfglmnprst" for end in ("ationalities", "ingness", "eatures", "ied")
    ]
    alone = [stem_word(word) for word in words]
    stem_word.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda _: [stem_word(word) for word in words], range(8)))
    assert together == [alone] * 8


def test_a_prefix_joins_forms_of_a_language_that_nobody_named() -> None:
    assert stem_word("Rechnungen") != stem_word("Rechnung")
    assert stem_word("Rechnungen", prefix=5) == stem_word("Rechnung", prefix=5) == "rechn"
    assert stem_word("AB-1204-77", prefix=5) == "ab-1204-77"


def test_a_plural_is_folded_without_joining_different_nouns() -> None:
    assert [singularize(word) for word in ("sizes", "boxes", "allergies", "address")] == [
        "size",
        "box",
        "allergy",
        "address",
    ]
    assert stem_word("walking") == stem_word("walk")
    assert singularize("walking") != singularize("walk")


def test_sentences_end_neither_after_titles_nor_inside_numbers() -> None:
    text = "Mr. Finch pays 3.5 euros. J. Doe lives at No. 12! Does she? No. She moved\nto Rome"
    assert split_sentences(text) == [
        "Mr. Finch pays 3.5 euros.",
        "J. Doe lives at No. 12!",
        "Does she?",
        "No.",
        "She moved",
        "to Rome",
    ]
    assert split_sentences("Mr. Finch; he pays.", ends=".;", abbreviations=False) == [
        "Mr.",
        "Finch;",
        "he pays.",
    ]


def test_mentions_do_not_overlap() -> None:
    mentions = list(find_mentions("On 5 May 2026 Ana Silva paid $12 for AB-1204."))
    assert [(mention.kind.value, mention.text) for mention in mentions] == [
        ("date", "5 May 2026"),
        ("number", "$12"),
        ("number", "AB-1204"),
        ("name", "On"),
        ("name", "Ana Silva"),
    ]


def test_stop_words_hold_no_negation_and_no_relation_of_time() -> None:
    assert stop_words("english", *CLOSED_CLASSES) < stop_words()
    assert not stop_words() & {*word_list("negations"), "before", "after", "over", "under", "only"}


def test_unknown_languages_and_lists_are_named() -> None:
    with pytest.raises(InputError, match="No word lists for 'klingon'"):
        stop_words("klingon")
    with pytest.raises(InputError, match="No stemmer for 'klingon'"):
        stem_word("qapla", "klingon")
    with pytest.raises(InputError, match="No class 'verbs'"):
        stop_words("english", "verbs")
    with pytest.raises(InputError, match="No word list 'verbs'"):
        word_list("verbs")


@given(texts())
def test_words_and_sentences_are_parts_of_their_text(text: str) -> None:
    assert all(sentence in text for sentence in split_sentences(text))
    for word in split_words(text, keep_case=True):
        assert word in text.replace("\u2019", "'")
        assert isinstance(stem_word(word), str)


def test_a_fault_without_a_name_gets_that_of_the_file() -> None:
    """As that of a full disk, which the system reports for no file."""
    with pytest.raises(OSError, match=r"No space left on device: 'notes\.md'"), name_faults(Path("notes.md")):
        raise OSError(errno.ENOSPC, "No space left on device")
