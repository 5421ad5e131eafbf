"""A playbook as an Agent Skill: valid by the specification, and never over what is not ours."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.errors import InputError
from ace.playbook import Add, Playbook, Quarantine
from ace.playbook.arrange import arrange_bullets
from ace.playbook.formats.skill import FRONT, is_own_text, write_skill
from ace.playbook.model import Bullet
from ace.store import Store
from ace.text import estimate_tokens
from tests.cli import Ace
from tests.strategies import playbooks

FRONT_MATTER = re.compile(r"---\nname: ([^\n]+)\ndescription: (\"[^\n]*\")\n---\n")
LINK = re.compile(r"\]\((references/[a-z0-9-]+\.md)\): (\d+) lessons?$", re.MULTILINE)


def make(sections: dict[str, Sequence[str]]) -> Playbook:
    pairs = [(section, content) for section, contents in sections.items() for content in contents]
    return arrange_bullets(Bullet(f"b-{n}", *pair) for n, pair in enumerate(pairs))


def lessons(count: int, words: str = "Look at the log before you try it again") -> list[str]:
    return [f"{words}, case {number}." for number in range(count)]


def check(files: dict[str, str], name: str) -> str:
    """Check what the specification says of a skill's files, and return its description."""
    front = FRONT_MATTER.match(files[FRONT])
    assert front and front[1] == name and list(files)[-1] == FRONT
    description = json.loads(front[2])
    assert isinstance(description, str)
    assert 0 < len(description) <= 1_024 and description.isprintable() and not {"<", ">"} & set(description)
    assert files[FRONT].count("\n") < 500 and estimate_tokens(files[FRONT]) < 5_000
    assert {path for path, _ in LINK.findall(files[FRONT])} == set(files) - {FRONT}
    assert all(map(is_own_text, files.values()))
    return description


@given(playbooks(), st.text(max_size=40))
def test_every_playbook_becomes_a_skill(playbook: Playbook, description: str) -> None:
    if not playbook.active:
        with pytest.raises(InputError, match="no active bullets"):
            write_skill(playbook, "orders")
        return
    files = write_skill(playbook, "orders", description)
    check(files, "orders")
    assert write_skill(playbook, "orders", description) == files


def test_small_sections_stand_in_the_front_and_large_ones_in_files() -> None:
    playbook = make(
        {"big one": lessons(300), "Übrige": ["Keep it short."], "大": lessons(200), "big-one": lessons(90)}
    )
    files = write_skill(playbook, "my-shop")
    description = check(files, "my-shop")
    assert "my shop: big one, Übrige" in description
    assert "- Keep it short.\n" in files[FRONT]
    first, *others = sorted(files)[1:]
    assert first == "references/big-one.md" and files[first].count("\n- ") == 300
    assert all(re.fullmatch(r"references/(section|big-one)-[0-9a-f]{8}\.md", path) for path in others)
    assert [int(count) for _, count in LINK.findall(files[FRONT])][:2] == [300, 200]


def test_what_is_in_a_bullet_or_a_section_is_no_structure() -> None:
    section = 'x" \n---\nname: evil <b>'.replace("\n", " ")
    files = write_skill(make({section: ["Do it.\n## Not a heading\n- not a bullet\n---"]}), "safe")
    check(files, "safe")
    lines = files[FRONT].splitlines()
    assert lines.count("---") == 2 and "## Not a heading" not in lines and "- not a bullet" not in lines


@pytest.mark.parametrize("name", ["Shop", "a_b", "-a", "a-", "a--b", "", "ü", "a" * 65, "a b"])
def test_a_name_that_no_skill_can_have_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="has the name of its folder"):
        write_skill(make({"s": ["x"]}), name)


def test_a_description_that_is_too_long_is_refused() -> None:
    with pytest.raises(InputError, match="1025 characters"):
        write_skill(make({"s": ["x"]}), "shop", "a" * 1_025)
    check(write_skill(make({f"section {n} of many": ["x"] for n in range(100)}), "shop"), "shop")


@pytest.fixture
def store() -> Store:
    store = Store.open("shop.db")
    many = [Add(f"a-{n}", "strategies", content) for n, content in enumerate(lessons(300))]
    store.commit((*many, Add("b-1", "facts", "7 is cancelled.")), author="person", reason="test")
    return store


def export(ace: Ace, folder: str = "skills/shop", *options: str) -> str:
    done = ace("playbook", "export", "--skill", folder, "--playbook", "shop.db", *options)
    assert done.code == 0, done.err
    return done.out


def snapshot(folder: str = "skills/shop") -> dict[str, bytes]:
    files = [path for path in Path(folder).rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_the_folder_is_written_again_and_what_is_left_goes(ace: Ace, store: Store) -> None:
    assert "301 bullets written to skills/shop: references/strategies.md, SKILL.md" in export(ace)
    before = snapshot()
    export(ace)
    assert snapshot() == before and set(before) == {"SKILL.md", "references/strategies.md"}
    Path("skills/shop/notes.txt").write_text("mine")
    store.commit(tuple(Quarantine(f"a-{n}") for n in range(300)), author="person", reason="test")
    assert "removed: skills/shop/references/strategies.md" in export(
        ace, "skills/shop", "--description", "Shop work."
    )
    assert set(snapshot()) == {"SKILL.md", "notes.txt"}
    assert b'description: "Shop work."' in snapshot()["SKILL.md"]


@pytest.mark.parametrize("foreign", ["SKILL.md", "references/strategies.md", "other.txt", "references"])
def test_what_is_not_ours_is_never_replaced(ace: Ace, store: Store, foreign: str) -> None:
    path = Path("skills/shop") / foreign
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    done = ace("playbook", "export", "--skill", "skills/shop", "--playbook", "shop.db")
    assert done.code == 2 and snapshot() == {foreign: b"mine"}


@pytest.mark.parametrize("edited", ["SKILL.md", "references/strategies.md"])
def test_an_edited_file_is_not_replaced(ace: Ace, store: Store, edited: str) -> None:
    export(ace)
    path = Path("skills/shop") / edited
    path.write_text(path.read_text().replace("Lessons", "My lessons"))
    before = snapshot()
    done = ace("playbook", "export", "--skill", "skills/shop", "--playbook", "shop.db")
    assert done.code == 2 and edited in done.err and snapshot() == before


@pytest.mark.parametrize("link", ["skills/shop", "skills/shop/references", "skills/shop/SKILL.md"])
def test_links_are_not_written_through(ace: Ace, store: Store, link: str) -> None:
    export(ace, "elsewhere/shop")
    Path(link).parent.mkdir(parents=True)
    target = Path("elsewhere/shop") / Path(link).relative_to("skills/shop")
    Path(link).symlink_to(target.absolute())
    before = snapshot("elsewhere")
    assert ace("playbook", "export", "--skill", "skills/shop", "--playbook", "shop.db").code == 2
    assert snapshot("elsewhere") == before


def test_a_skill_has_no_file_and_no_format(ace: Ace, store: Store) -> None:
    done = ace("playbook", "export", "x.md", "--skill", "skills/shop", "--playbook", "shop.db")
    assert done.code == 2 and "Leave out FILE" in done.err


def test_the_reference_validator_agrees(ace: Ace, store: Store) -> None:
    skills_ref = pytest.importorskip("skills_ref", reason="the reference validator is not installed")
    export(ace)
    assert skills_ref.validate(Path("skills/shop")) == []
    odd = "quote \" colon: # hash ' \\ back € 🎉 - {x: [y]} | > * & ! % @ `"
    export(ace, "skills/odd-one", "--description", odd)
    assert skills_ref.validate(Path("skills/odd-one")) == []
    properties = skills_ref.read_properties(Path("skills/odd-one"))
    assert (properties.name, properties.description) == (
        "odd-one",
        odd.replace(">", "").replace("|  *", "| *"),
    )
