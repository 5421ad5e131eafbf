"""Importing a file again after its first import was reverted, or went to another branch."""

from __future__ import annotations

import json
from pathlib import Path

from ace.playbook import Revise
from ace.store import Store
from tests.cli import Ace

TEXT = (
    "## STRATEGIES\n[str-00001] helpful=5 harmful=1 :: Verify data types\n"
    "[str-00002] helpful=0 harmful=0 :: Edge\n\n## OTHERS\n[oth-00003] helpful=2 harmful=0 :: Round last\n"
)
EDITED = TEXT.replace("Edge", "Edge cases").replace("OTHERS", "REST")


def shown(branch: str = "main") -> list[tuple[str, str]]:
    with Store.open("new.db", branch=branch) as store:
        return [(bullet.section, bullet.content) for bullet in store.checkout()]


def take(ace: Ace, text: str, *options: str) -> list[str]:
    """What an import of this text notes."""
    Path("play.txt").write_text(text, encoding="utf-8")
    done = ace("playbook", "import", "play.txt", "--playbook", "new.db", *options, "--json")
    assert done.code == 0, done.err
    return [note["text"] for note in json.loads(done.out)["notes"]]


def test_what_was_reverted_comes_in_again(ace: Ace) -> None:
    take(ace, TEXT)
    before = shown()
    assert take(ace, EDITED) == [] and shown() != before
    after = shown()
    with Store.open("new.db") as store:
        store.revert(1, author="user", reason="not yet")
    assert shown() == before
    assert take(ace, EDITED) == ["str-00002 does not say here what the file said: the file's text was taken"]
    assert shown() == after
    assert take(ace, EDITED) == [] and shown() == after


def test_what_one_branch_took_another_can_take_too(ace: Ace) -> None:
    take(ace, TEXT)
    with Store.open("new.db") as store:
        store.branch("trial")
    edited = TEXT.replace("Edge", "Edge cases")
    take(ace, edited, "--branch", "trial")
    assert take(ace, edited) == ["str-00002 does not say here what the file said: the file's text was taken"]
    assert shown() == shown("trial")


def test_a_text_learned_here_and_restored_is_not_taken_back(ace: Ace) -> None:
    """The first import stands: what the playbook made of it since is the playbook's."""
    take(ace, TEXT)
    with Store.open("new.db") as store:
        key = store.aliases()[1].bullet
        store.commit((Revise(key, "Learned"),), author="curator", reason="r")
        store.revert(1, author="user", reason="no")
        store.revert(2, author="user", reason="yes")
    before = shown()
    assert take(ace, TEXT) == [] and shown() == before
