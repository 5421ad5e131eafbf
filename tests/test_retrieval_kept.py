"""What is kept of a playbook chooses the same bullets as looking at all of them does."""

from __future__ import annotations

import pickle
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ace.llm import connect_embedder
from ace.methods.ace.kept_terms import KeptTerms
from ace.playbook import Add, Playbook, Status, Vote, apply
from ace.playbook.ancestry import find_changed
from ace.playbook.model import Operation
from ace.retrieval.bullets import NAMED, HybridSelector
from ace.text import estimate_tokens, weigh_shared_terms
from tests import plain_selection
from tests.plain_selection import PlainSelector
from tests.strategies import deltas

WORDS = [
    "cancelled",
    "orders",
    "7",
    "9",
    "not",
    "joined",
    "by",
    "ord.st",
    "in",
    "cents;",
    "the",
    "customers'",
    "dates",
]
CONTENTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(" ".join)
SECTIONS = st.sampled_from(["Codes", "Dates", "Joins"])


def embed_coarsely(texts: Sequence[str]) -> Any:
    """Return vectors of few different numbers, whose sums have no rounding, so that many are equally near."""
    rows = []
    for text in texts:
        digits = zlib.crc32(" ".join(sorted(set(text.split()))).encode())
        rows.append([(digits >> 2 * place) % 4 / 4 for place in range(6)])
    return np.array(rows, dtype=np.float32).reshape(len(texts), 6)


@st.composite
def histories(draw: st.DrawFn) -> list[Playbook]:
    """Draw playbooks of which each was made from any one before it."""
    adds = [Add(f"a-{n}", draw(SECTIONS), content) for n, content in enumerate(draw(st.lists(CONTENTS)))]
    history = [apply(Playbook(), adds)[0]]
    for number in range(draw(st.integers(1, 5))):
        base = draw(st.sampled_from(history))
        operations: list[Operation] = [Add(f"b-{number}", draw(SECTIONS), draw(CONTENTS))]
        if base.bullets:
            name = draw(st.sampled_from(sorted(base.bullets)))
            operations.append(Vote(name, helpful=draw(st.integers(0, 60)), harmful=draw(st.integers(0, 60))))
        operations += draw(deltas())
        history.append(apply(base, operations)[0])
    return history


# The whole takes 51 tokens, half of the room, and its lines and headings 52 one by one.
TIGHT = [("Codes", "orders 7 7 customers'"), ("Codes", "cancelled orders 7 7 7 7 7"), ("Dates", "7")]


@settings(max_examples=40)
@example(
    [apply(Playbook(), [Add(f"a-{n}", *words) for n, words in enumerate(TIGHT)])[0]],
    [(0, "cancelled", 102)],
    True,
    None,
)
@given(
    histories(),
    st.lists(st.tuples(st.integers(0, 9), CONTENTS, st.integers(0, 120)), min_size=1, max_size=8),
    st.booleans(),
    st.sampled_from([None, 1, 4]),
)
def test_the_same_is_chosen(
    history: list[Playbook], questions: list[tuple[int, str, int]], ids: bool, most: int | None
) -> None:
    kept, plain = HybridSelector(embed_coarsely), PlainSelector(embed_coarsely)
    kept.expect(question for _, question, _ in questions)
    with (
        patch("ace.retrieval.question_order._NEAREST", 2),
        patch("ace.retrieval.question_order.AMONG", 5),
        patch("ace.retrieval.kept_bullets.AMONG", 5),
        patch("ace.retrieval.kept_bullets._FEW", 3),
        patch("ace.retrieval.kept_bullets._PATIENCE", 1),
        patch("ace.retrieval.kept_bullets._QUESTIONS", 2),
        patch("ace.retrieval.kept_bullets._FIRST", 4),
        patch.object(plain_selection.diversify, "__kwdefaults__", {"penalty": 0.3, "among": 5}),
    ):
        for number, question, room in questions:
            playbook = history[number % len(history)]
            chosen = kept(playbook, question, room, estimate_tokens, ids=ids, most=most)
            expected = plain(playbook, question, room, estimate_tokens, ids=ids, most=most)
            assert replace(chosen, left_out=()) == replace(expected, left_out=())
            assert sorted(map(repr, chosen.left_out)) == sorted(map(repr, expected.left_out))
            order = plain.rank({bullet.id: bullet for bullet in playbook.active}, question)
            assert kept.search(playbook, question, 10**6) == order


@settings(max_examples=40)
@given(histories(), st.data())
def test_what_changed_is_known_and_the_order_is_carried_over(
    history: list[Playbook], data: st.DataObject
) -> None:
    old, new = data.draw(st.sampled_from(history)), data.draw(st.sampled_from(history))
    old.active  # noqa: B018 (so that the order is there to be carried over)
    apart = pickle.loads(pickle.dumps(new))
    changed = find_changed(old, new)
    differ = {name for name in {*old.bullets, *new.bullets} if old.bullets.get(name) != new.bullets.get(name)}
    assert differ <= changed <= {*old.bullets, *new.bullets} and differ <= find_changed(old, apart)
    assert apart == new and hash(apart) == hash(new) and apart.ancestry.parent is None
    assert new.active == apart.active == tuple(b for b in new if b.status is Status.ACTIVE)
    old.quarantined  # noqa: B018
    assert new.quarantined == tuple(b for b in new if b.status is Status.QUARANTINED)
    grown, _ = apply(new, [Add("z-1", "Codes", "z"), *(Add(f"z{n}", "New", "z") for n in range(20))])
    more, _ = apply(grown, [Add("z-2", "Codes", "z", position=0)])
    assert grown.active == tuple(b for b in grown if b.status is Status.ACTIVE)
    assert more.active == tuple(b for b in more if b.status is Status.ACTIVE)


@pytest.fixture(scope="module")
def large() -> Playbook:
    text = "Orders that were sent back {0}: ord.status = {0}, the money is in ord.refund{0}, in cents."
    adds = [Add(f"o-{n:05}", f"section {n % 3}", text.format(n)) for n in range(3_000)]
    return apply(Playbook(), adds)[0]


def test_of_many_without_room_the_best_are_named_and_the_others_counted(large: Playbook) -> None:
    hybrid = HybridSelector(connect_embedder())
    rendered = hybrid(large, "orders with status 77", 4_000, estimate_tokens)
    shown = len(rendered.bullets) + len(rendered.specific)
    assert shown + sum(item.count for item in rendered.left_out) == len(large)
    assert len(rendered.left_out) == NAMED + 1 and rendered.left_out[-1].source.endswith(" more")
    tokens = [item.tokens for item in [*rendered.specific, *rendered.left_out]]
    plain = PlainSelector(connect_embedder())(large, "orders with status 77", 4_000, estimate_tokens)
    assert sum(tokens) == sum(item.tokens for item in [*plain.specific, *plain.left_out])
    assert (rendered.text, rendered.specific) == (plain.text, plain.specific)


def test_a_question_costs_what_it_shows_and_not_what_there_is(large: Playbook) -> None:
    hybrid, counted, embedded = HybridSelector(lambda texts: embed_and_count(texts)), [0], [0]

    def embed_and_count(texts: Sequence[str]) -> Any:
        embedded[0] += len(texts)
        return embed_coarsely(texts)

    def count(text: str) -> int:
        counted[0] += 1
        return estimate_tokens(text)

    for number in range(4):
        candidate, _ = apply(large, [Add(f"new-{number}", "section 0", "A lesson that is new.")])
        counted[0] = embedded[0] = 0
        hybrid.render(candidate, f"orders {number}", 500, count)
        if number:
            assert counted[0] < 20 and embedded[0] < 20


# "not" is as near as "cancelled" and stands before it, and 1 + 1/3 + 1/3 - 1 - 1/3 is less than 1/3.
EQUAL = ["orders", "7", "7", "not", "cancelled", "cancelled not", "cancelled not"]


@example(
    [apply(Playbook(), [Add(f"a-{n}", "Codes", content) for n, content in enumerate(EQUAL)])[0]],
    [(0, "cancelled orders not", 4)],
)
@given(
    histories(), st.lists(st.tuples(st.integers(0, 9), CONTENTS, st.integers(1, 9)), min_size=1, max_size=6)
)
def test_the_terms_that_are_kept_find_the_same_bullets(
    history: list[Playbook], questions: list[tuple[int, str, int]]
) -> None:
    terms = KeptTerms()
    for number, question, most in questions:
        playbook = history[number % len(history)]
        weights = weigh_shared_terms(question, {bullet.id: bullet.content for bullet in playbook.active})
        nearest = sorted(playbook.active, key=lambda bullet: -weights[bullet.id])[:most]
        assert terms.find_nearest(playbook, question, most) == nearest
        said = Counter(bullet.content for bullet in playbook.active)
        for other in history:
            same = said == Counter(bullet.content for bullet in other.active)
            assert (playbook.contents_digest == other.contents_digest) == same


def test_copies_in_other_processes_begin_anew_and_find_the_same(large: Playbook) -> None:
    hybrid, terms = HybridSelector(embed_coarsely), KeptTerms()
    asked = "orders with status 77"
    chosen = hybrid(large, asked, 500, estimate_tokens)
    nearest = terms.find_nearest(large, asked, 3)
    hybrid_there, terms_there, playbook = pickle.loads(pickle.dumps((hybrid, terms, large)))
    assert hybrid_there(playbook, asked, 500, estimate_tokens) == chosen
    assert terms_there.find_nearest(playbook, asked, 3) == nearest
