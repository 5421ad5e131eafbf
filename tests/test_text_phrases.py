"""Words are looked for before phrases and secrets: what an expression matches has one of its words."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ace.safety import injection, secret_forms
from ace.text.phrases import Phrases, compile_phrase, fold_case, list_needed_words

INJECTIONS = Path(__file__).parent / "data" / "injections.jsonl"
PHRASES = injection._compile_phrases()._phrases
NAMES = secret_forms._compile_names("names", "short_names", "number_names", "plain_names")
EXPRESSIONS = [part for _, phrase in PHRASES for part in phrase.parts] + [injection._DECODE, NAMES]


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("ignore", {"ignore"}),
        ("https?://", {"http"}),
        (r"\bin(?:structions?|put)\b", {"struction", "put"}),
        (r"(?:a long one|short) words", {" words"}),
        (r"(?:send|post)\b.*\bto", {"send", "post"}),
        (r"(?:send|)\b", {""}),
        (r"(?:send)?mail(?!ing)(?<!air)", {"mail"}),
        (r"ab+c", {"ab"}),
        (r"ab{0,3}c{2,}d", {"d"}),
        (r"\x41\u0042\.\[[^\]x]x", {".["}),
        (r"(?P<name>key)s?", {"key"}),
        (r"one|another|other", {"one", "other"}),
        (r"\w+", {""}),
        ("STOP", {"stop"}),
        (r"caf\w(?i:LATTE)", {"latte"}),
        (r"has[łl]o", {"hasło", "haslo"}),
        (r"one[- ]time (?:code|word)", {"one-time ", "one time "}),
        (r"cv[vc]2?", {"cvv", "cvc"}),
        (r"x[^ab]y|x[a-c]yz|x[ab]?y", {"y"}),
        (r"[abc][def]g[hi]j", {"ghj", "gij"}),
    ],
)
def test_needed_words_are_those_that_say_most(expression: str, words: set[str]) -> None:
    assert list_needed_words(expression) == words


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_matches_has_a_needed_word(data: st.DataObject) -> None:
    expression = data.draw(st.sampled_from(EXPRESSIONS))
    text = data.draw(st.from_regex(expression, fullmatch=True))
    words = list_needed_words(expression.pattern)
    assert any(word in fold_case(text) for word in words)
    if expression is NAMES:
        assert any(word in fold_case(text) for word in secret_forms._list_name_words())


def test_letters_that_match_in_any_case_are_folded_to_the_same() -> None:
    everything = "".join(map(chr, (*range(0xD800), *range(0xE000, sys.maxunicode + 1))))
    words = [word for _, phrase in PHRASES for part in phrase.words for word in part]
    assert [phrase for _, phrase in PHRASES if phrase.words == ({""},)] == []
    assert "" not in injection._DECODE_WORDS | secret_forms._list_name_words()
    for letter in sorted({letter for word in words for letter in word if letter.isalpha()}):
        same = re.findall(re.escape(letter), everything, re.IGNORECASE)
        assert {fold_case(other) for other in same} == {fold_case(letter)}


def test_the_first_phrase_in_order_is_found_in_any_of_the_texts() -> None:
    phrases = [("order", compile_phrase(r"\bdo[^.]{0,20}now")), ("sign", compile_phrase(r"!{3}")), *PHRASES]
    several = Phrases(phrases)
    said = [json.loads(line) for line in INJECTIONS.read_text("utf-8").splitlines()]
    texts = [str(text) for line in said for text in line.values()]
    assert len(texts) > 200
    for text, other in zip(texts, reversed(texts), strict=True):
        expected = (name for name, phrase in phrases if phrase.search(text) or phrase.search(other))
        assert several.find([text, other]) == next(expected, "")
    assert several.find(["nothing!", "do it now!!!"]) == "order"
    assert several.find([]) == ""
