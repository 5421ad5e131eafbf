"""`ace playbook import` and `export` over real files: which format, what is said, and what is written."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, get_args

import pytest

from ace.cli.exchange_commands import Readable, Writable
from ace.playbook import Add, Pin, Quarantine, Remove, Revise, Vote
from ace.playbook.exchange import Alias
from ace.playbook.formats import FORMATS
from ace.store import Store
from tests.cli import Ace

TEXT = (
    "## STRATEGIES\n[str-00001] helpful=5 harmful=1 :: Verify data types\n"
    "[str-00002] helpful=0 harmful=0 :: Edge\n\n## OTHERS\n"
    "[oth-00003] helpful=2 harmful=0 :: Verify data types\n"
)
SKILLS = {
    "skills": {"s-1": {"content": "Greet briefly", "section": "opening", "helpful": 2, "evidence": "30 runs"}}
}
BROKEN = "## S\n[a-1] helpful=1 harmful=0 :: fine\n[a-2 no bracket\n\nloose\n"


def put(name: str, text: str) -> str:
    Path(name).write_bytes(text.encode())
    return name


def text_of(name: str) -> str:
    return Path(name).read_bytes().decode()


def files(folder: str = ".") -> list[str]:
    """What is there beside the playbook."""
    return [path.name for path in Path(folder).iterdir() if not path.name.startswith("shop.db")]


def said(ace: Ace, *args: str) -> dict[str, Any]:
    done = ace("playbook", *args, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert isinstance(found, dict)
    return found


@pytest.fixture
def file(ace: Ace) -> Path:
    """Four bullets: one with everything, one pinned, one that waits, one that was removed."""
    path = Path("shop.db")
    adds = (Add("a-1", "Orders", "first\nlesson", ("ep-1",)), Add("a-2", "Orders", "second"))
    more = (Add("q-1", "Orders", "unproven"), Add("r-1", "Money", "gone"))
    with Store.open(path) as store:
        rest = (Vote("a-1", 3, 1), Pin("a-2"), Quarantine("q-1"), Remove("r-1"))
        store.commit((*adds, *more, *rest), author="user", reason="made")
    return path


# Import


def test_import_says_which_format_and_everything_it_did(ace: Ace) -> None:
    done = ace("playbook", "import", put("play.txt", TEXT), "--playbook", "new.db")
    assert done.code == 0
    assert done.out == (
        "play.txt is ace: text of the reference ACE, with counts\n"
        "version 1: 2 bullets, 3 operations\n"
        "1 exact duplicate: each kept once, its votes added\n"
        "  play.txt:6: oth-00003 is str-00001\n"
    )


def test_import_twice_is_import_once(ace: Ace) -> None:
    put("play.txt", TEXT)
    first, second = (said(ace, "import", "play.txt", "--playbook", "new.db") for _ in range(2))
    assert (first["version"]["number"], first["operations"], first["bullets"]) == (1, 3, 2)
    assert (second["version"], second["operations"], second["known"]) == (first["version"], 0, 2)
    (twin,) = first["duplicates"]
    assert (twin["line"], twin["alias"], twin["first"]) == (6, "oth-00003", "str-00001")
    assert second["duplicates"] == [twin]


def test_a_bullet_is_found_by_its_id_in_the_file(ace: Ace) -> None:
    ace("playbook", "import", put("play.txt", TEXT), "--playbook", "new.db")
    for alias in ("str-00001", "oth-00003"):
        found = said(ace, "show", alias)
        assert (found["bullet"]["content"], found["bullet"]["helpful"]) == ("Verify data types", 7)
        assert found["aliases"] == [
            {"alias": "str-00001", "source": "play.txt"},
            {"alias": "oth-00003", "source": "play.txt"},
        ]
    assert "alias oth-00003 in play.txt" in ace("playbook", "show", "str-00001").out


def test_an_id_that_two_files_have_asks_for_more(ace: Ace) -> None:
    for name, content in (("one.txt", "x"), ("two.txt", "y")):
        ace("playbook", "import", put(name, f"## S\n[s-1] {content}\n"), "--playbook", "new.db")
    done = ace("playbook", "show", "s-1")
    assert done.code == 2
    assert "2 bullets have the alias s-1" in done.err
    assert "(one.txt)" in done.err and "(two.txt)" in done.err
    assert ace("playbook", "show", "s-2").code == 1


def test_source_says_whose_ids_they_are(ace: Ace) -> None:
    put("one.txt", "## S\n[s-1] x\n")
    put("two.txt", "## S\n[s-1] better\n")
    said(ace, "import", "one.txt", "--playbook", "new.db")
    found = said(ace, "import", "two.txt", "--source", "one.txt")
    assert (found["bullets"], found["known"], found["operations"]) == (1, 1, 1)


def test_ids_go_out_again_as_they_came_in(ace: Ace) -> None:
    ace("playbook", "import", put("play.txt", TEXT), "--playbook", "new.db")
    ace("playbook", "export", "out.txt")
    assert text_of("out.txt") == (
        "## STRATEGIES\n"
        "[str-00001] helpful=7 harmful=1 :: Verify data types\n"
        "[str-00002] helpful=0 harmful=0 :: Edge\n"
    )
    assert said(ace, "import", "out.txt")["operations"] == 0


def test_a_skillbook_comes_in_and_what_has_no_place_is_named(ace: Ace) -> None:
    put("book.json", json.dumps(SKILLS))
    found = said(ace, "import", "book.json", "--playbook", "new.db")
    assert (found["format"], found["not_held"]) == ("kayba", ["evidence of 1"])
    assert "not held: evidence of 1" in ace("playbook", "import", "book.json").out
    ace("playbook", "export", "out.json", "--format", "kayba")
    assert json.loads(text_of("out.json"))["skills"]["s-1"]["helpful"] == 2


def test_bad_lines_are_named_and_the_others_come_in(ace: Ace) -> None:
    put("bad.txt", BROKEN)
    done = ace("playbook", "import", "bad.txt", "--playbook", "new.db")
    assert done.code == 0
    assert "not read: bad.txt:3: this line is no bullet: '[a-2 no bracket'\n" in done.out
    assert "not read: bad.txt:5: this line is no bullet: 'loose'\n" in done.out
    assert [finding["line"] for finding in said(ace, "import", "bad.txt")["unread"]] == [3, 5]


@pytest.mark.parametrize("option", ["--strict", "--replace"])
def test_bad_lines_can_stop_it_all(ace: Ace, option: str) -> None:
    done = ace("playbook", "import", put("bad.txt", BROKEN), "--playbook", "new.db", option)
    assert (done.code, done.out) == (2, "")
    assert "bad.txt:3: " in done.err and "bad.txt:5: " in done.err
    assert not Path("new.db").exists()


def test_an_empty_file_is_no_bullets(ace: Ace) -> None:
    found = said(ace, "import", put("empty.txt", ""), "--playbook", "new.db")
    assert (found["bullets"], found["notes"]) == (
        0,
        [{"line": 1, "text": "the file is empty", "last": 0, "kind": ""}],
    )


def test_quarantine_keeps_an_import_out_of_the_context(ace: Ace, file: Path) -> None:
    said(ace, "import", put("play.txt", TEXT), "--quarantine")
    bullets = {b["content"]: b["status"] for b in said(ace, "show")["bullets"]}
    assert bullets["Edge"] == "quarantined"
    assert bullets["second"] == "active"
    said(ace, "import", put("edit.md", "## Orders\n- changed <!-- id=a-2 -->\n"), "--quarantine")
    shown = {b["content"]: (b["id"], b["status"]) for b in said(ace, "show")["bullets"]}
    assert shown["second"] == ("a-2", "active")
    assert shown["changed"][0] != "a-2" and shown["changed"][1] == "quarantined"


def test_replace_removes_what_the_file_lacks(ace: Ace, file: Path) -> None:
    found = said(ace, "import", put("play.txt", TEXT), "--replace")
    assert found["bullets"] == 2
    assert {b["content"] for b in said(ace, "show")["bullets"]} == {"Verify data types", "Edge"}


def test_a_format_can_be_given(ace: Ace) -> None:
    put("prompt.txt", "Be brief.\n\nBe kind.\n")
    done = ace("playbook", "import", "prompt.txt", "--playbook", "new.db")
    assert done.code == 2
    assert "--format text takes every paragraph as one" in done.err
    assert said(ace, "import", "prompt.txt", "--playbook", "new.db", "--format", "text")["bullets"] == 2
    assert ace("playbook", "import", "prompt.txt", "--format", "xml").code == 2


def test_a_byte_that_is_no_text_is_named_by_its_line(ace: Ace) -> None:
    Path("bad.md").write_bytes(b"- fine\n- \xff\n")
    done = ace("playbook", "import", "bad.md", "--playbook", "new.db")
    assert done.code == 2
    assert "bad.md: line 2 is not UTF-8" in done.err


def test_a_rejected_operation_is_reported(ace: Ace) -> None:
    put("play.txt", TEXT)
    said(ace, "import", "play.txt", "--playbook", "new.db")
    with Store.open("new.db") as store:
        key = store.aliases()[0].bullet
        store.commit((Vote(key, -6, 0),), author="user", reason="less")
    put("play.txt", TEXT.replace("helpful=5", "helpful=0"))
    assert said(ace, "import", "play.txt")["rejected"] == [f"vote {key}: the helpful count is out of range"]
    assert "not applied: vote" not in ace("playbook", "import", "play.txt").out


# Export


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("out.md", []),
        ("out.json", []),
        ("out.jsonl", []),
        ("out.txt", ["pins of 1 bullet", "provenance of 1 bullet", "1 quarantined bullet"]),
        (
            "AGENTS.md",
            ["pins of 1 bullet", "provenance of 1 bullet", "votes on 1 bullet", "1 quarantined bullet"],
        ),
    ],
)
def test_export_names_what_it_could_not_hold(ace: Ace, file: Path, name: str, lost: list[str]) -> None:
    found = said(ace, "export", name)
    assert (found["file"], found["not_held"], found["bullets"]) == (name, lost, 2 if lost else 3)
    done = ace("playbook", "export", name)
    held = f"not held: {', '.join(lost)}\n" if lost else ""
    assert done.out == f"{found['bullets']} bullets written to {name}\n{held}"


@pytest.mark.parametrize("name", ["out.md", "out.json", "out.jsonl", "out.txt", "AGENTS.md"])
def test_an_export_that_nobody_edited_changes_nothing(ace: Ace, file: Path, name: str) -> None:
    ace("playbook", "export", name)
    found = said(ace, "import", name)
    assert (found["operations"], found["rejected"], found["version"]["number"]) == (0, [], 1)


def test_export_to_stdout_says_the_rest_beside_it(ace: Ace, file: Path) -> None:
    done = ace("playbook", "export", "--format", "appworld")
    assert done.out == "## Orders\n[a-1] first&#xa;lesson\n[a-2] second\n"
    assert done.err.startswith(
        "not held: pins of 1 bullet, provenance of 1 bullet, votes on 1 bullet, 1 quar"
    )
    found = said(ace, "export", "--format", "appworld")
    assert (found["text"], "file" in found) == (done.out, False)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["out.xml"], "its name stands for no format"),
        (["out.txt", "--format", "text"], "'text' is not one of"),
        (["--format", "cheatsheet"], "'cheatsheet' is not one of"),
    ],
)
def test_what_cannot_be_written_is_refused(ace: Ace, file: Path, args: list[str], says: str) -> None:
    done = ace("playbook", "export", *args)
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert not Path("out.txt").exists()


def test_the_options_name_the_formats_there_are() -> None:
    names = {each.name for each in FORMATS}
    assert set(get_args(Readable)) == {"auto"} | names
    assert set(get_args(Writable)) == {"auto"} | {each.name for each in FORMATS if each.write}


# Files of instructions


def test_the_block_is_put_in_and_kept_current(ace: Ace, file: Path) -> None:
    before, after = "# Mine\r\n\r\nText", "\r\nMore\r\n```\r\n<!-- ace:begin -->\r\n```"
    put("AGENTS.md", before)
    ace("playbook", "export", "AGENTS.md")
    assert text_of("AGENTS.md").startswith(before + "\r\n\r\n<!-- ace:begin -->\r\n## Lessons\r\n")
    Path("AGENTS.md").write_bytes(Path("AGENTS.md").read_bytes() + after.encode())
    with Store.open(file) as store:
        store.commit((Revise("a-2", "better"),), author="user", reason="edit")
    ace("playbook", "export", "AGENTS.md")
    text = text_of("AGENTS.md")
    assert text.startswith(before) and text.endswith(after)
    assert "- better <!-- id=a-2 -->\r\n" in text
    assert "second" not in text and "unproven" not in text


@pytest.mark.parametrize("text", ["<!-- ace:begin -->\n", "a <!-- ace:end -->\n", "```\nopen\n"])
def test_a_damaged_file_is_left_as_it_is(ace: Ace, file: Path, text: str) -> None:
    put("AGENTS.md", text)
    done = ace("playbook", "export", "AGENTS.md")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("ace: AGENTS.md:1: ")
    assert text_of("AGENTS.md") == text
    assert files() == ["AGENTS.md"]


def test_a_file_in_another_encoding_is_left_as_it_is(ace: Ace, file: Path) -> None:
    Path("AGENTS.md").write_bytes(b"caf\xe9\n")
    assert ace("playbook", "export", "AGENTS.md").code == 2
    assert Path("AGENTS.md").read_bytes() == b"caf\xe9\n"


def test_a_new_skill_can_be_found(ace: Ace, file: Path) -> None:
    Path("skills").mkdir()
    ace("playbook", "export", "skills/SKILL.md")
    assert text_of("skills/SKILL.md").startswith(
        "---\nname: shop\ndescription: Lessons learned about shop.\n---\n"
    )
    put("skills/SKILL.md", "")
    ace("playbook", "export", "skills/SKILL.md")
    again = text_of("skills/SKILL.md")
    assert again.startswith("---\n")
    ace("playbook", "export", "skills/SKILL.md")
    assert text_of("skills/SKILL.md") == again


# Files


def test_a_file_is_replaced_whole_with_its_rights_and_links(ace: Ace, file: Path) -> None:
    Path("real").mkdir()
    put("real/out.md", "old")
    Path("real/out.md").chmod(0o640)
    Path("out.md").symlink_to("real/out.md")
    ace("playbook", "export", "out.md")
    assert Path("out.md").is_symlink()
    assert text_of("real/out.md").startswith("# Playbook")
    assert stat.S_IMODE(Path("real/out.md").stat().st_mode) == 0o640
    assert files("real") == ["out.md"]


def test_a_new_file_has_the_rights_of_any_other(ace: Ace, file: Path) -> None:
    put("other", "")
    ace("playbook", "export", "out.md")
    assert Path("out.md").stat().st_mode == Path("other").stat().st_mode


def test_a_write_that_fails_leaves_the_old_file(
    ace: Ace, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("out.md", "old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    done = ace("playbook", "export", "out.md")
    assert done.code == 1
    assert "No space left" in done.err
    assert text_of("out.md") == "old"
    assert files() == ["out.md"]


def test_a_device_is_written_to_as_it_is(ace: Ace, file: Path) -> None:
    assert ace("playbook", "export", "/dev/null", "--format", "markdown").code == 0
    assert not Path("/dev/null").is_file()


# The aliases in the file


def alias(name: str, bullet: str, *, helpful: int = 0) -> Alias:
    return Alias("f", name, bullet, "S", "hash", helpful, 0)


def test_aliases_are_stored_with_their_version_in_order_and_brought_up_to_date(ace: Ace, file: Path) -> None:
    with Store.open(file) as store:
        store.commit((), author="user", reason="x", aliases=[alias("z", "a-1"), alias("b", "a-2")])
        assert store.head().number == 1
        store.commit(
            (), author="user", reason="x", aliases=[alias("z", "a-2", helpful=2), alias("n", "nobody")]
        )
        assert store.aliases() == [alias("z", "a-2", helpful=2), alias("b", "a-2")]
        assert store.verify() == []
    with Store.open(file, read_only=True) as store:
        assert len(store.aliases()) == 2


def test_an_alias_without_its_bullet_is_found(ace: Ace, file: Path) -> None:
    import sqlite3

    with Store.open(file) as store:
        store.commit((), author="user", reason="x", aliases=[alias("z", "a-1")])
    db = sqlite3.connect(file)
    db.execute("UPDATE aliases SET bullet = 'nobody'")
    db.commit()
    db.close()
    with Store.open(file) as store:
        found = [problem.text for problem in store.verify()]
        assert "The alias z of f is for nobody, a bullet that never was." in found


COMMAND = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from ace.cli.main import main; main()"
)


def write_long_file(count: int, size: int) -> None:
    """Write lines.jsonl: so many bullets, each of so many characters and more."""
    with Path("lines.jsonl").open("w") as out:
        for number in range(count):
            out.write(json.dumps({"id": f"long-{number}", "content": f"Rule {number}. " + "x" * size}) + "\n")


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal is a pty here")
def test_a_long_import_shows_on_a_terminal_how_far_it_is(ace: Ace) -> None:
    write_long_file(30, 40_000)
    ours, theirs = os.openpty()
    command = [sys.executable, "-c", COMMAND, "playbook", "import", "lines.jsonl", "--playbook", "seen.db"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, check=True)
    os.close(theirs)
    shown = b""
    while part := _read_terminal(ours):
        shown += part
    os.close(ours)
    assert b"version 1: 30 bullets" in done.stdout
    for bar in (b"reading characters", b"checking bullets", b"writing operations", b"30/30"):
        assert bar in shown
    for more in ((), ("--json",)):
        assert ace("playbook", "import", "lines.jsonl", *more).err == ""


def _read_terminal(ours: int) -> bytes:
    """Return what a terminal was sent; nothing once the other side is closed."""
    try:
        return os.read(ours, 65536)
    except OSError:
        return b""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
@pytest.mark.parametrize("delay", [0.0, 0.1, 0.25, 0.5])
def test_an_interrupted_import_leaves_all_of_a_version_or_none(ace: Ace, delay: float) -> None:
    write_long_file(3000, 200)
    arguments = ("playbook", "import", "lines.jsonl", "--playbook", "shop.db")
    process = subprocess.Popen([sys.executable, "-c", COMMAND, *arguments], stderr=subprocess.PIPE)
    while not Path("shop.db").exists():  # it exists from the moment at which the lines were read
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    process.communicate()
    code = process.returncode
    assert code in (0, 130)
    shown = ace("playbook", "verify")
    if shown.code == 0:
        with Store.open(Path("shop.db")) as store:
            assert len(store.checkout()) in ((0, 3000) if code else (3000,))
            assert len(store.log()) <= 2
    assert ace(*arguments).code == 0
    with Store.open(Path("shop.db")) as store:
        assert len(store.checkout()) == 3000
    assert ace("playbook", "verify").code == 0


def test_an_odd_bullet_does_not_cost_a_canonical_file(ace: Ace, file: Path) -> None:
    """It is named with its number and reason, as lines of the other formats are; --strict takes nothing."""
    ace("playbook", "export", "whole.json", "--playbook", str(file))
    whole = json.loads(text_of("whole.json"))
    good = whole["bullets"][0]
    odd = [
        3,
        None,
        good,
        {**good, "id": "b-1", "helpful": -1},
        {**good, "id": "b-2", "content": " "},
        {**good, "id": "b-3", "votes": 1},
        {**good, "id": "b-4", "section": "nowhere"},
        {**good, "id": "b-5", "position": 10**6},
        {**good, "id": "b-6", "status": ["lost"]},
        {"id": "b-7"},
        {**good, "id": {"a": 1}},
        {**good, "id": "b-8", "content": "\ud800"},
    ]
    put("odd.json", json.dumps({**whole, "bullets": [*whole["bullets"], *odd]}))
    found = said(ace, "import", "odd.json", "--playbook", "new.db")
    assert found["bullets"] == len([b for b in whole["bullets"] if b["status"] != "removed"])
    reasons = [finding["text"] for finding in found["unread"]]
    assert len(reasons) == len(odd)
    for name in ("b-1", "b-2", "b-3", "b-4", "b-5", "b-6", "b-7", "b-8", good["id"]):
        assert any(repr(name) in reason for reason in reasons), (name, reasons)
    done = ace("playbook", "import", "odd.json", "--playbook", "again.db")
    assert f"{len(odd)} parts of the file not read: {len(odd)} bullet" in done.out
    assert ace("playbook", "import", "odd.json", "--strict", "--playbook", "third.db").code == 2


TOKEN = "ghp_" + "0123456789abcdefghij" + "ABCDEFGHIJ012345"


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("AGENTS.md", f"# Git\n\n- Push often.\n- Use the token {TOKEN} to push.\n", "line 4"),
        ("their.txt", f"## S\n[s-1] helpful=1 harmful=0 :: Use the token {TOKEN} to push.\n", "line 2"),
        ("ours.md", f"## S\n\n- Use the token {TOKEN} to push. <!-- id=s-00000001 -->\n", "s-00000001"),
        ("lines.jsonl", json.dumps({"content": f"Use the token {TOKEN} to push."}) + "\n", ""),
    ],
)
def test_a_secret_in_a_file_is_hidden_and_its_place_named(ace: Ace, name: str, text: str, place: str) -> None:
    put(name, text)
    done = ace("playbook", "import", name, "--playbook", "shop.db")
    assert done.code == 0
    assert "1 bullet with what looks like a secret, now hidden: " + place in done.out
    assert "Use the token [hidden] to push." in ace("playbook", "show", "--playbook", "shop.db").out
    assert all(TOKEN.encode() not in path.read_bytes() for path in Path().glob("shop.db*"))
    again = json.loads(ace("playbook", "import", name, "--playbook", "shop.db", "--json").out)
    assert (again["operations"], again["version"]["number"], len(again["hidden"])) == (0, 1, 1)
