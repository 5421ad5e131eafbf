"""Likeness of texts by runs of characters: a cosine, the same for every order, in any script."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.text.likeness import Likeness

TEXTS = st.dictionaries(st.text(min_size=1, max_size=4), st.text(max_size=40), min_size=2, max_size=6)


def compare(texts: dict[str, str], name: str) -> dict[str, float]:
    likeness = Likeness()
    for key, text in texts.items():
        likeness.add(key, text)
    return likeness.compare(name, [key for key in texts if key != name])


@given(TEXTS)
def test_a_cosine_stands_between_0_and_1_and_depends_on_no_order(texts: dict[str, str]) -> None:
    name = next(iter(texts))
    cosines = compare(texts, name)
    assert set(cosines) == set(texts) - {name} and all(0.0 <= value <= 1.0 for value in cosines.values())
    backwards = dict(reversed(texts.items()))
    assert compare(backwards, name) == pytest.approx(cosines, abs=2e-4)


@pytest.mark.parametrize(
    ("own", "near", "far"),
    [
        ("Which queue for a lost key?", "My key is lost. Which queue?", "When is week 34?"),
        ("Wie hoch ist die Pauschale?", "Die Pauschale: wie hoch?", "Wann wird geliefert?"),
        ("駐車許可証はどの窓口ですか", "駐車許可証が必要です", "週の書き方"),
        ("Сколько стоит хранение?", "Хранение на 3 дня: сколько?", "Какая печать?"),
    ],
)
def test_what_shares_rare_runs_is_nearer(own: str, near: str, far: str) -> None:
    cosines = compare({"own": own, "near": near, "far": far}, "own")
    assert cosines["near"] > cosines["far"]


def test_of_a_number_its_form_counts() -> None:
    cosines = compare({"own": "10h45", "same": "21h30", "other": "10:45 pm"}, "own")
    assert cosines["same"] == 1.0 > cosines["other"]


def test_a_text_that_is_replaced_is_forgotten_and_an_unknown_one_is_like_nothing() -> None:
    likeness = Likeness()
    likeness.add("a", "one thing")
    likeness.add("b", "one thing")
    assert likeness.compare("a", ["b", "c"]) == {"b": 1.0, "c": 0.0}
    likeness.add("b", "zzzzzz")
    assert likeness.compare("a", ["b"]) == {"b": 0.0} and likeness.compare("c", ["a"]) == {"a": 0.0}


def test_lone_surrogates_and_empty_texts_are_read() -> None:
    assert compare({"a": "\ud800 x", "b": ""}, "a") == {"b": 0.0}
