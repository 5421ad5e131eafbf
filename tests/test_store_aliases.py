"""Aliases of bullets in other tools' files, and the earlier texts of bullets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ace.playbook import Add, Move, Remove, Revise, Vote
from ace.playbook.exchange import Alias
from ace.store import Store
from tests.postgres_server import as_anybody

WHO: dict[str, Any] = {"author": "user", "reason": "import"}
ONE = Alias("theirs.txt", "str-1", "a", "S", "0" * 64, 2, 1)
TWO = Alias("theirs.txt", "str-2", "b", "S", "1" * 64)
SAME_ID = Alias("other.txt", "str-1", "b", "T", "2" * 64, 0, 3)


@pytest.fixture
def store(place: Path | str) -> Iterator[Store]:
    with Store.open(place) as store:
        store.commit((Add("a", "S", "one"), Add("b", "S", "two")), aliases=[ONE, TWO, SAME_ID], **WHO)
        yield store


def test_aliases_come_back_as_they_were_in_the_order_they_came(store: Store) -> None:
    assert store.aliases() == [ONE, TWO, SAME_ID]
    assert store.verify() == []


def test_a_file_that_is_imported_again_says_what_it_says_now(store: Store) -> None:
    again = Alias("theirs.txt", "str-1", "b", "T", "3" * 64, 9, 8)
    store.commit((), aliases=[again], **WHO)
    assert store.aliases() == [again, TWO, SAME_ID]
    assert store.verify() == []


def test_an_alias_of_a_bullet_that_was_refused_is_not_kept(store: Store) -> None:
    ghost = Alias("theirs.txt", "str-9", "c", "S", "4" * 64)
    done = store.commit((Add("c", "S", " "),), aliases=[ghost], **WHO)
    assert len(done.rejections) == 1
    assert store.aliases() == [ONE, TWO, SAME_ID]


def test_an_alias_that_was_tampered_with_is_found(store: Store) -> None:
    with as_anybody(store.path) as db:
        db.execute("UPDATE aliases SET bullet = 'ghost' WHERE alias = 'str-2'")
    assert [str(problem) for problem in store.verify()] == [
        "Row 2 of aliases is not what was written.",
        "The alias str-2 of theirs.txt is for ghost, a bullet that never was.",
    ]


def test_what_bullets_said_is_told_oldest_first_and_by_branch(store: Store) -> None:
    store.branch("trial")
    store.commit((Revise("a", "one more"), Vote("b", 1)), **WHO)
    store.commit((Move("a", "T"),), **WHO)
    store.commit((Revise("a", "one"), Remove("b")), **WHO)
    store.commit((Move("a", "S"),), **WHO)
    told = store.bullet_texts(["a", "b", "ghost"])
    assert told == {"a": [("S", "one"), ("S", "one more"), ("T", "one more"), ("T", "one"), ("S", "one")]} | {
        "b": [("S", "two")]
    }
    assert store.bullet_texts(["b"]) == {"b": [("S", "two")]}
    assert store.bullet_texts([]) == {}
    store.switch("trial")
    assert store.bullet_texts(["a"]) == {"a": [("S", "one")]}
