"""A part of a playbook is what the whole one says of it, on every branch, and is read without the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ace.errors import StoreConflict
from ace.playbook import Add, Bullet, Delta, Merge, Move, Quarantine, Remove, Revise, Vote
from ace.playbook.alias import Alias
from ace.store import Store, bullet_history
from tests.cli import Ace
from tests.strategies import deltas

MANY = 2_000
HISTORIES = st.lists(st.tuples(st.sampled_from(["main", "trial"]), deltas()), min_size=1, max_size=4)


def write(path: Path, history: list[tuple[str, Delta]], *, whole: bool) -> list[str]:
    """Commit a history on two branches, and return the hashes of all its versions."""
    with Store.open(path) as store:
        store.commit((Add("a", "one", "first"), Add("b", "two", "second")), author="u", reason="r")
        store.branch("trial")
        for branch, delta in history:
            store.switch(branch)
            store.commit(delta, author="u", reason="r", whole=whole)
        return [version.hash for version in store.log(every_branch=True)]


@given(HISTORIES)
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_part_is_that_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[str, Delta]]
) -> None:
    folder = tmp_path_factory.mktemp("part")
    hashes = write(folder / "whole.db", history, whole=True)
    assert write(folder / "part.db", history, whole=False) == hashes
    with Store.open(folder / "part.db", read_only=True) as store:
        assert store.verify() == []
        for version in range(len(hashes)):
            playbook = store.checkout(version)
            part = store.checkout_part(["a", "never was", "c"], version)
            wanted = {"a", "c"}.intersection(playbook.bullets)
            assert dict(part.bullets) == {name: playbook.bullets[name] for name in wanted}
            assert part.section_names == playbook.section_names
            assert part.next_position == playbook.next_position
            statuses = {name: playbook.bullets[name].status for name in sorted(playbook.bullets)}
            assert list(store.list_ids(version=version).items()) == list(statuses.items())
            assert list(store.count_by_section(version).items()) == [
                (section.name, len(section.bullets)) for section in playbook.sections
            ]
            known = store.known_ids(version)
            assert all(name in known for name in playbook.bullets) and "never was" not in known
            live = {bullet.content for bullet in playbook}
            for bullet in playbook.bullets.values():
                match = store.find_text(bullet.content, version)
                assert (match is not None) == (bullet.content in live)
                assert match is None or (match.live and match.content == bullet.content)


def test_a_commit_without_the_rest_rebases_and_conflicts_as_any(tmp_path: Path) -> None:
    path = tmp_path / "p.db"
    with Store.open(path) as store, Store.open(path) as other:
        base = store.commit((Add("a", "one", "x"), Add("b", "one", "y")), author="u", reason="r").version
        other.commit((Revise("a", "z"),), author="u", reason="r")
        done = store.commit((Revise("b", "w"),), author="u", reason="r", expect=base.number, whole=False)
        assert done.version.number == 3 and set(done.playbook.bullets) == {"b"}
        with pytest.raises(StoreConflict) as conflict:
            store.commit((Revise("a", "v"),), author="u", reason="r", expect=base.number, whole=False)
        assert conflict.value.details["bullets"] == ("a",)
        store.commit((Revise("a", "v"),), author="u", reason="r", whole=False)  # seen by now
        rejected = store.commit((Revise("c", "v"), Vote("b", 1)), author="u", reason="r", whole=False)
        assert [rejection.operation.op for rejection in rejected.rejections] == ["revise"]
        assert {bullet.id: bullet.content for bullet in store.checkout()} == {"a": "v", "b": "w"}
        assert store.verify() == []


def test_aliases_stand_beside_a_part(tmp_path: Path) -> None:
    with Store.open(tmp_path / "p.db") as store:
        store.commit((Add("a", "one", "x"),), author="u", reason="r")
        aliases = [Alias("f", "1", "a", "one", "0"), Alias("f", "2", "never was", "one", "0")]
        store.commit((Vote("a", 1),), author="u", reason="r", aliases=aliases, whole=False)
        assert store.aliases() == store.aliases(alias="1") == store.aliases(bullet="a") == aliases[:1]
        assert store.aliases(alias="2") == store.aliases(bullet="b") == []


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Count the bullets that are read from the file."""
    counts = Counter[str]()

    def count(**fields: Any) -> Bullet:
        counts["bullets"] += 1
        return Bullet(**fields)

    monkeypatch.setattr(bullet_history, "Bullet", count)
    yield counts


COMMANDS = {
    "show": ("playbook", "show", "b-7"),
    "show by an alias": ("playbook", "show", "old-7"),
    "blame": ("playbook", "blame", "b-7"),
    "log": ("playbook", "log", "--limit", "1"),
    "add": ("playbook", "add", "new"),
    "add what is there": ("playbook", "add", "text 7"),
    "edit": ("playbook", "edit", "b-7", "other words"),
    "pin": ("playbook", "pin", "b-7", "b-8"),
    "move": ("playbook", "move", "b-7", "--section", "elsewhere"),
    "remove": ("playbook", "remove", "b-7"),
    "add on a branch": ("playbook", "add", "new", "--branch", "trial"),
    "tag": ("playbook", "tag", "prod"),
    "list": ("playbook", "list"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_on_one_bullet_reads_no_others(ace: Ace, built: Counter[str], name: str) -> None:
    adds = tuple(Add(f"b-{number}", "notes", f"text {number}") for number in range(MANY))
    with Store.open("many.db") as store:
        store.commit(adds, author="u", reason="r", aliases=[Alias("f", "old-7", "b-7", "notes", "0")])
        store.branch("trial")
    built.clear()
    done = ace(*COMMANDS[name])
    assert done.code == 0, done.err
    assert built["bullets"] < 20
    with Store.open("many.db", read_only=True) as store:
        assert store.verify() == []


def test_a_bullet_of_a_large_version_has_its_own_history(tmp_path: Path) -> None:
    with Store.open(tmp_path / "p.db") as store:
        store.commit(tuple(Add(name, "notes", name) for name in "abcd"), author="u", reason="r")
        store.commit((Merge("a", ("b",), "both"), Move("c", "other"), Remove("d")), author="u", reason="r")
        store.commit((Quarantine("a"), Vote("c", 1)), author="u", reason="r")
        touched = {name: [touch.operation.op for touch in store.blame(name)] for name in "abcd"}
    assert touched == {
        "a": ["add", "merge", "quarantine"],
        "b": ["add", "merge"],
        "c": ["add", "move", "vote"],
        "d": ["add", "remove"],
    }
