"""Packing: within budget, nothing lost silently, the stable part before the volatile one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ace.context import Item, pack
from ace.text import estimate_tokens
from tests.strategies import texts

ITEMS = st.lists(
    st.builds(
        Item,
        text=st.just("x"),
        tokens=st.integers(0, 30),
        source=st.uuids().map(str),
        section=st.sampled_from(("", "A", "B")),
        utility=st.integers(0, 2),
        pinned=st.booleans(),
        volatile=st.booleans(),
    ),
    max_size=12,
)


@given(ITEMS, st.integers(0, 120), st.dictionaries(st.sampled_from("AB"), st.integers(0, 9)))
def test_a_pack_fits_and_tells_what_it_left_out(
    items: list[Item], budget: int, headings: dict[str, int]
) -> None:
    packed = pack(items, budget, headings)
    opened = {item.section for item in packed.included}
    spent = sum(item.tokens for item in packed.included) + sum(headings.get(name, 0) for name in opened)
    assert packed.tokens == spent <= budget
    told = [*(item.source for item in packed.included), *(item.source for item in packed.left_out)]
    assert sorted(told) == sorted(item.source for item in items)


@given(ITEMS, st.integers(0, 120))
def test_what_was_left_out_would_not_have_fitted(items: list[Item], budget: int) -> None:
    packed = pack(items, budget)
    assert all(item.tokens > budget - packed.tokens for item in packed.left_out)


@given(ITEMS)
def test_volatile_items_come_last_and_the_rest_keeps_its_order(items: list[Item]) -> None:
    included = pack(items, 10_000).included
    assert list(included) == sorted(items, key=lambda item: item.volatile)


def test_pinned_then_important_then_early_items_get_the_room() -> None:
    items = [
        Item("a", 10, "early"),
        Item("b", 10, "late"),
        Item("c", 10, "important", utility=1),
        Item("d", 10, "pinned", pinned=True),
        Item("e", 11, "big", utility=2),
    ]
    assert [item.source for item in pack(items, 50).included] == ["early", "important", "pinned", "big"]
    assert [item.source for item in pack(items, 10).included] == ["pinned"]
    assert [item.source for item in pack(items, 21).included] == ["pinned", "big"]
    assert [item.source for item in pack(items, 31).included] == ["important", "pinned", "big"]
    assert pack(items, 10).left_out[0].reason == "needs 11 tokens, 0 of 10 are left"


@given(texts(), texts())
def test_the_estimate_is_total_and_grows_with_the_text(a: str, b: str) -> None:
    assert 0 <= estimate_tokens(a) <= len(a.encode())
    assert estimate_tokens(a) <= estimate_tokens(a + "\n" + b)
    assert estimate_tokens("half \ud800") > 0


def test_the_estimate_by_example() -> None:
    assert estimate_tokens("") == 0
    assert estimate_tokens("join on code") == 3
    assert estimate_tokens("cust_ref = 42;\n") == 8
    assert estimate_tokens("é") == 2
