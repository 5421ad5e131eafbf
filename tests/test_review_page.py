"""The review pages over HTTP: what they show, what a decision writes, whom they refuse."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the review pages need starlette (extra `serve`)")

import httpx
from hypothesis import given
from hypothesis import strategies as st

from ace.errors import InputError
from ace.loop import learn
from ace.playbook.model import Add, Move, Pin, Promote, Quarantine, Remove, Revise, Status
from ace.report.html_page import read_style
from ace.report.review_queue import WaitKind, list_waiting
from ace.runs.records import Step
from ace.servers.books import Books
from ace.servers.http_place import LONGEST_BODY, HttpPlace
from ace.servers.review import library
from ace.settings import Settings
from ace.store import Store
from ace.text.word_diff import Change, diff_words
from tests.cli import Ace
from tests.pace import patience
from tests.review_world import EVIL, HERE, Browser, fill
from tests.unwritable import unwritable_folder
from tests.world import team, world

ROOT = Path(__file__).parent.parent
MAIN = "import sys; sys.argv[0] = 'ace'; from ace.cli.main import main; main()"
TOKEN = "a-token-that-nobody-guesses"
PAGES = (
    "queue?kind=proposed", "queue?kind=probation", "queue?kind=quarantined", "queue?kind=conflict",
    "queue?kind=suspect", "playbook", "playbook?status=removed", "bullet/tried", "bullet/evil", "bullet/key",
    "history", "history?all=yes", "version/2", "version/before-review", "compare?a=1&b=3", "names", "runs",
    "run/1", "accuracy", "search", "search?q=refund", "episode/ep-wrong",
)  # fmt: skip


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("template") / "shop.db")


@pytest.fixture
def file(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(template, tmp_path))


@pytest.fixture
def browser(file: Path) -> Browser:
    return Browser(file)


def head(file: Path, branch: str = "main") -> Any:
    """Return the newest version and its operations, from a file that must be whole."""
    with Store.open(file, read_only=True, branch=branch) as store:
        assert store.verify() == []
        version = store.head()
        return version, store.operations(version.number)


# What waits


def test_the_queue_has_every_kind(file: Path, browser: Browser) -> None:
    with Store.open(file, read_only=True) as store:
        queue = list_waiting(store, store.checkout(), store.proofs())
        names = {kind.value: [entry.name for entry in entries] for kind, entries in queue.items()}
    assert names == {
        "proposed": ["new", "evil", "key"],
        "probation": ["trial"],
        "quarantined": ["tried"],
        "conflict": [],
        "suspect": ["ep-label"],
    }
    page = browser.get("queue")  # the first kind that has anything
    assert "Refunds above 500 need a manager." in page and "a client says so" in page and "mcp:client" in page
    assert "in the records only" in page
    assert "Blue is twice 35015." in browser.get("queue?kind=probation")


def test_an_entry_shows_its_diff_its_author_and_its_attempts_side_by_side(browser: Browser) -> None:
    page = browser.get("queue?kind=quarantined")
    assert "<del>35009</del><ins>35012</ins>" in page and "the number was off" in page
    assert "by <span" in page and ">curator<" in page
    side = page[page.index('<div class="side">') :]
    assert side.index("no idea") < side.index("70002") and side.count('<div class="inside">') == 2
    assert 'class="tag wrong"' in side and 'class="tag right"' in side


def test_conflicts_are_looked_for_and_shown_beside_each_other(browser: Browser) -> None:
    assert "On probation</a>" in browser.get("queue")
    for _ in range(100):
        page = browser.get("queue?kind=conflict")
        if "being compared" not in page:
            break
        assert 'hx-trigger="load' in page and "http-equiv" in page
    assert "<ins>ascending</ins>" in page and "<ins>descending</ins>" in page


def test_a_long_list_is_shown_in_pages(tmp_path: Path) -> None:
    path = tmp_path / "long.db"
    with Store.open(path) as store:
        adds = [Add(f"b-{n}", f"s{n % 3}", f"Rule number {n}.") for n in range(120)]
        store.commit((*adds, *(Quarantine(f"b-{n}") for n in range(30))), author="x", reason="y")
    browser = Browser(path)
    first, last = browser.get("playbook"), browser.get("playbook?page=3")
    assert (first.count('class="bullet"'), last.count('class="bullet"')) == (50, 20)
    assert "1 to 50 of\n120" in first and 'rel="next"' not in last
    assert browser.get("queue?page=2").count('class="card"') == 10
    assert browser.get("playbook?section=s1").count("Rule number") == 40
    assert "50 to" not in browser.get("version/1?page=3") and "101 to 150 of\n150" in browser.get(
        "version/1?page=3"
    )
    browser.get("playbook?page=x", 400)


# What is decided


@pytest.mark.parametrize(
    ("bullet", "action", "fields", "operations"),
    [
        ("new", "promote", {}, (Promote("new"),)),
        ("tried", "edit", {"text": "Mauve is 1.\r\nAlways."}, (Revise("tried", "Mauve is 1.\nAlways."),)),
        ("tried", "edit_promote", {"text": "Mauve."}, (Revise("tried", "Mauve."), Promote("tried"))),
        ("trial", "pin", {}, (Pin("trial"),)),
        ("sure", "quarantine", {}, (Quarantine("sure"),)),
        ("new", "remove", {}, (Remove("new"),)),
        ("sure", "move", {"section": "numbers"}, (Move("sure", "numbers"),)),
        ("key", "promote", {}, (Add("key", "colours", "The answer is 70002.", ("ep-wrong",)),)),
        ("key", "remove", {}, (Add("key", "colours", "The answer is 70002.", ("ep-wrong",)), Remove("key"))),
        ("evil", "promote", {"anyway": "yes"}, (Promote("evil"),)),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)  # fmt: skip
def test_a_decision_is_a_version_by_the_person_with_a_reason(
    file: Path,
    browser: Browser,
    bullet: str,
    action: str,
    fields: dict[str, str],
    operations: tuple[Any, ...],
) -> None:
    answer = browser.decide(
        bullet, action, reason="I know it", name="Ann Ö", back=f"{browser.book}/queue", **fields
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/p/shop/queue?made=4")
    version, done = head(file)
    assert done == operations
    assert (version.number, version.author, version.reason) == (4, "person:Ann Ö", "I know it")
    page = browser.get(answer.headers["location"])
    assert "has it." in page and 'value="Ann Ö"' in page  # the name is remembered
    browser.decide("c-1", "pin")
    assert head(file)[0].author == "person:Ann Ö" and head(file)[0].reason == "pin on the review page"


def test_what_was_decided_waits_no_longer(file: Path, browser: Browser) -> None:
    for bullet, action in (("new", "promote"), ("key", "remove"), ("trial", "pin"), ("tried", "remove")):
        browser.decide(bullet, action)
    for kind, text in (("proposed", "Refunds above"), ("probation", "Blue is"), ("quarantined", "Mauve")):
        assert text not in browser.get(f"queue?kind={kind}")
    assert "The answer is 70002." not in browser.get("queue?kind=proposed")
    assert "Refunds above" in browser.get("playbook") and "Mauve" in browser.get("playbook?status=removed")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"bullet": "evil", "action": "promote"}, "suspicious"),
        ({"bullet": "tried", "action": "edit_promote", "text": f"{EVIL} x"}, "suspicious"),
        ({"bullet": "sure", "action": "edit", "text": " \n"}, "empty content"),
        (
            {"bullet": "sure", "action": "edit", "text": "sk-live-4f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c"},
            "a secret",
        ),
        ({"bullet": "sure", "action": "edit", "text": "Blue is twice 35015."}, "trial says that already"),
        ({"bullet": "sure", "action": "move", "section": "a\nb"}, "one trimmed line"),
        ({"bullet": "sure", "action": "explode"}, "nothing to do called"),
        ({"bullet": "nobody", "action": "pin"}, "no bullet"),
        ({"bullet": "sure", "action": "pin", "base": "99"}, "no version 99"),
        ({"bullet": "sure", "action": "pin", "base": "x"}, "base is"),
        ({"bullet": "sure", "action": "pin", "reason": "y" * 501}, "501 characters"),
    ],
)
def test_what_cannot_be_done_is_one_clear_page_with_everything_sent(
    file: Path, browser: Browser, fields: dict[str, str], words: str
) -> None:
    answer = browser.send("decide", "bullet/sure", **{"reason": "my reason", **fields})
    assert answer.status_code in (400, 404), answer.text
    page = unescape(answer.text)
    assert words in page and "What you sent" in page and fields.get("text", "").strip() in page
    assert fields.get("reason", "my reason") in page and head(file)[0].number == 3


def test_a_lesson_of_the_records_is_added_once(file: Path, browser: Browser) -> None:
    browser.decide("sure", "edit", text="The answer is 70002.")
    answer = browser.decide("key", "promote")
    assert answer.status_code == 400 and "sure says that already" in answer.text and head(file)[0].number == 4
    browser.decide("sure", "edit", text="Red is 70002.")
    browser.decide("key", "quarantine", reason="let attempts tell")
    with Store.open(file, read_only=True) as store:
        assert store.checkout().bullets["key"].status is Status.QUARANTINED
    assert "The answer is 70002." in browser.get("queue?kind=quarantined")


def test_nothing_to_do_makes_no_version(file: Path, browser: Browser) -> None:
    answer = browser.decide("sure", "unpin")
    assert "sure is not pinned." in browser.get(answer.headers["location"]) and head(file)[0].number == 3
    assert "is not pinned" not in browser.get("queue")  # it is said once


def test_two_browsers_that_edit_the_same_bullet(file: Path, browser: Browser) -> None:
    page = browser.get("bullet/sure")
    base = browser.read_field(page, "base")
    Browser(file).decide("sure", "edit", text="Red is 1.", name="Bob", reason="counted")
    Browser(file).decide("c-1", "pin")  # another bullet is in nobody's way
    answer = browser.decide("sure", "edit", text="Red is 2.", reason="mine", base=base, name="Ann")
    assert answer.status_code == 409 and head(file)[0].number == 5
    page = answer.text
    assert "<del>70002</del><ins>1</ins>" in page and "<del>70002</del><ins>2</ins>" in page
    assert "person:Bob" in page and "counted" in page and 'value="mine"' in page
    again = browser.client.post(
        f"{browser.book}/decide",
        data={name: browser.read_field(page, name) for name in ("csrf", "bullet", "base", "reason", "name")}
        | {"action": "edit", "text": "Red is 2."},
    )
    assert again.status_code == 303
    version, done = head(file)
    assert done == (Revise("sure", "Red is 2."),) and version.author == "person:Ann"


def test_a_decision_that_somebody_made_already_is_no_conflict(file: Path, browser: Browser) -> None:
    base = browser.read_field(browser.get("bullet/new"), "base")
    browser.decide("new", "promote")
    answer = browser.decide("new", "promote", base=base)  # a second press of the same button
    assert (answer.status_code, answer.headers["location"]) == (303, "/p/shop/queue?made=4")
    assert browser.decide("new", "remove", base=base).status_code == 409 and head(file)[0].number == 4
    browser.decide("key", "quarantine")  # a lesson of the records
    assert browser.decide("key", "quarantine", base=base).headers["location"].endswith("made=5")
    assert browser.decide("key", "promote", base=base).status_code == 409 and head(file)[0].number == 5


def test_the_playbook_is_rolled_back_unless_it_has_moved(file: Path, browser: Browser) -> None:
    page = browser.get("version/1")
    base = browser.read_field(page, "base")
    assert browser.send("rollback", "version/1", to="1", reason="too early").status_code == 303
    version, _ = head(file)
    assert (version.number, version.reason, version.author) == (4, "too early", "person")
    with Store.open(file, read_only=True) as store:
        assert {b.id for b in store.checkout()} == {"sure", "trial", "c-1", "c-2"}
    answer = browser.send("rollback", "version/1", to="3", base=base)
    assert answer.status_code == 409 and "moved from version 3 to 4" in answer.text
    assert browser.send("rollback", "version/1", to="1").status_code == 303  # nothing to do
    assert "Nothing to do" in browser.get("queue") and head(file)[0].number == 4


def test_one_bullet_is_rolled_back(file: Path, browser: Browser) -> None:
    answer = browser.send("rollback", "bullet/tried", bullet="tried", to="2")
    assert answer.status_code == 303
    assert head(file)[1] == (Revise("tried", "Mauve is 35009,\nunless the page says otherwise."),)
    page = browser.get("bullet/tried")
    assert page.count("<h3>Version") == 3 and "Make the bullet as it was then" in page
    answer = browser.send("rollback", "bullet/tried", bullet="tried", to="1", base=3)
    assert answer.status_code == 409 and head(file)[0].number == 4


def test_the_label_of_a_sample_is_judged_as_feedback(file: Path, browser: Browser) -> None:
    answer = browser.send(
        "label",
        "queue?kind=suspect",
        episode="ep-label",
        right="right",
        expected="70009",
        text="typing error",
    )
    assert answer.status_code == 303
    with Store.open(file, read_only=True) as store:
        (row,) = store.feedback()
    assert (row.episode, row.right, row.expected, row.author) == ("ep-label", True, "70009", "person")
    assert "Nothing waits here." in browser.get("queue?kind=suspect")
    assert browser.send("label", "queue", episode="ep-label").status_code == 400
    assert browser.send("label", "queue", episode="nope", right="wrong").status_code == 404


def test_branches_and_tags(file: Path, browser: Browser) -> None:
    assert browser.send("names", "names", kind="branch", new="trial-run", version="1").status_code == 303
    assert browser.send("names", "names", kind="tag", new="good", version="").status_code == 303
    assert browser.send("names", "names", kind="tag", new="0bad").status_code == 400
    page = browser.get("history")
    assert "tag good" in page and "tag before-review" in page and "branch main" in page
    assert browser.send("names", "names", kind="untag", new="good").status_code == 303
    assert "tag good" not in browser.get("history")
    page = browser.get("bullet/sure?branch=trial-run")
    assert "branch=trial-run" in page and "Refunds" not in browser.get("playbook?branch=trial-run")
    answer = browser.send(
        "decide?branch=trial-run", "bullet/sure?branch=trial-run", bullet="sure", action="pin"
    )
    assert answer.status_code == 303
    assert head(file, "trial-run")[1] == (Pin("sure"),) and head(file)[0].number == 3
    assert "branch trial-run" in browser.get("history?all=yes") and browser.get("queue?branch=none", 404)


# History, runs, search


def test_the_history_is_a_timeline_with_diffs(browser: Browser) -> None:
    page = browser.get("history")
    assert page.index('Version <a href="/p/shop/version/3') < page.index("/p/shop/version/2")
    assert "<del>35009</del><ins>35012</ins>" in page and "All 6 operations" in page
    assert "<del>35009</del><ins>35012</ins>" in browser.get("version/3")
    assert "<ins>Refunds above 500 need a manager.</ins>" in browser.get("compare?a=1&b=before-review")
    browser.get("version/77", 404)


def test_a_run_is_shown_while_it_goes_on_and_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "colours.db"
    with Store.open(path) as store:
        learn(
            world(tests=4),
            store,
            team(wrong=("red",)),
            replace(Settings(batch_size=5, workers=1), validate=False),
        )
        run = store.start_run("learn", "colours", {"base": 0, "models": {}})
        row = {"sample": "s-1", "correct": True, "right": True}
        store.commit(
            (),
            author="a",
            reason="r",
            run=run,
            step=(0, "epoch 1", {"results": [row, {**row, "correct": 0}]}),
        )
    browser = Browser(path)
    page = browser.get(f"run/{run}")
    assert "running" in page and 'hx-trigger="every 2s"' in page and "http-equiv" in page
    assert "1 of 2" in page and "50.0% (95% interval 9.5% to 90.5%)" in page
    done = browser.get("run/1")
    assert "hx-trigger" not in done and "http-equiv" not in done and "epoch 1" in done and "generator" in done
    assert "90.0%" in browser.get("runs") or "of 4" in browser.get("runs")
    page = browser.get("accuracy")
    assert page.count("95% interval") >= 2 and "before" in page and "after" in page
    assert "On probation" in browser.get("queue?kind=probation") and "train-" in browser.get("playbook")
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # where it is missing there are no charts
    report = browser.client.get(f"{browser.book}/run/1/report")
    assert "script-src" not in report.headers["content-security-policy"]
    assert "Fixed and broken" in report.text and "<img" not in report.text


def test_the_page_of_a_run_that_goes_on_reads_only_what_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "colours.db"
    row = {"sample": "s-1", "correct": True, "right": True}
    asked: list[int] = []
    steps = Store.steps

    def count(store: Store, run: int, *, after: int = -1) -> list[Step]:
        rows = steps(store, run, after=after)
        asked.append(len(rows))
        return rows

    monkeypatch.setattr(Store, "steps", count)
    with Store.open(path) as store:
        run = store.start_run("learn", "colours", {"base": 0, "models": {}})
        browser = Browser(path)
        for number in range(3):
            results = {"results": [row], "proposals": ["accepted"], "started": 1.0, "seconds": number}
            store.commit((), author="a", reason="r", run=run, step=(number, "epoch 1", results))
            page = browser.get(f"run/{run}")
            assert f"{number + 1} of {number + 1}" in page
        assert asked == [1, 1, 1]
        store.finish_run(run, "done", None)
    assert "3 of 3" in browser.get(f"run/{run}") and asked[-1] == 3, "once it is over it is read whole"


def test_search_finds_bullets_in_every_status(browser: Browser) -> None:
    browser.decide("c-2", "remove")
    page = browser.get("search?q=descending+date+of+orders")
    assert "Always sort orders by date descending." in page and "removed" in page
    assert 'href="/p/shop/bullet/tried"' in browser.get("search?q=tri")
    assert 'href="/p/shop/episode/ep-right"' in browser.get("search?q=ep-right")
    browser.get(f"search?q={'x' * 2001}", 400)


# Text of models, and what a page loads


class Tags(HTMLParser):
    """Collect tags with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@pytest.mark.parametrize("path", PAGES)
def test_model_text_is_text_and_nothing_comes_from_elsewhere(browser: Browser, path: str) -> None:
    page = browser.get(path)
    tags = Tags(page).tags
    assert [attributes.get("src") for tag, attributes in tags if tag == "script"] == ["/static/htmx.min.js"]
    for tag, attributes in tags:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        for name in ("href", "src", "action", "hx-get", "srcset"):
            value = attributes.get(name)
            assert value is None or re.match(r"/(?!/)|#|data:(image/png|,)", value), (tag, name, value)
        assert tag != "img" or (attributes["src"] or "").startswith("data:image/png")
    assert "\u202e" not in page.replace(unescape("&#8238;"), "\u202e") or "<textarea" in page
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_a_page_says_how_it_may_be_used(browser: Browser) -> None:
    answer = browser.client.get(f"{browser.book}/queue")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy and answer.headers["x-content-type-options"] == "nosniff"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie
    assert answer.headers["cache-control"] == "no-store"
    assert "htmx" in browser.client.get("/static/htmx.min.js").text
    assert browser.client.get("/static/..%2fview.py").status_code == 404


# Whom they refuse


def test_a_foreign_host_or_origin_is_refused(file: Path, browser: Browser) -> None:
    answer = browser.client.get(f"{browser.book}/queue", headers={"host": "evil.example"})
    assert answer.status_code == 421 and "Refunds" not in answer.text
    for headers in ({"origin": "http://evil.example"}, {"origin": "null"}, {"origin": HERE + "0"},
                    {"sec-fetch-site": "cross-site"}):  # fmt: skip
        form = {
            "csrf": browser.read_field(browser.get("queue"), "csrf"),
            "bullet": "new",
            "action": "promote",
        }
        answer = browser.client.post(f"{browser.book}/decide", data=form | {"base": "3"}, headers=headers)
        assert answer.status_code == 403, headers
    assert browser.client.put(f"{browser.book}/queue").status_code == 405
    assert head(file)[0].number == 3


def test_a_form_without_the_secret_of_its_page_is_refused_and_nothing_is_lost(
    file: Path, browser: Browser
) -> None:
    other = Browser(file)  # as after a new start of the server
    form = {
        "csrf": other.read_field(other.get("queue"), "csrf"),
        "bullet": "sure",
        "action": "edit",
        "base": "3",
    }
    answer = browser.client.post(f"{browser.book}/decide", data=form | {"text": "Red is <1>."})
    assert answer.status_code == 403 and "Red is &lt;1&gt;." in answer.text and head(file)[0].number == 3
    fields = {name: browser.read_field(answer.text, name) for name in ("csrf", "bullet", "action", "base")}
    again = browser.client.post(f"{browser.book}/decide", data=fields | {"text": "Red is <1>."})
    assert again.status_code == 303 and head(file)[1] == (Revise("sure", "Red is <1>."),)


def test_an_address_leads_back_to_pages_of_the_playbook_only(browser: Browser) -> None:
    for back in ("https://evil.example/", "//evil.example", "/p/other/queue", "/p/shop/\r\nx: y", "/\\evil"):
        answer = browser.decide("sure", "pin", back=back)
        assert answer.headers["location"].startswith("/p/shop/queue")
        browser.decide("sure", "unpin")


def test_beyond_loopback_a_token_is_needed(file: Path) -> None:
    with pytest.raises(InputError, match=r"needs a token.*ACE_UI_TOKEN"):
        HttpPlace(host="0.0.0.0", variable="ACE_UI_TOKEN")
    browser = Browser(file, token=TOKEN)
    page = browser.get("queue", 401)
    assert "Refunds" not in page and 'type="password"' in page
    form = {"csrf": browser.read_field(page, "csrf")}
    assert browser.client.post("/login", data=form | {"token": "wrong"}).status_code == 401
    assert browser.client.post(f"{browser.book}/decide", data=form | {"bullet": "new"}).status_code == 401
    assert browser.client.post("/login", data=form | {"token": TOKEN}).status_code == 303
    assert "Refunds" in browser.get("queue")
    bearer = {"authorization": f"Bearer {TOKEN}"}
    assert Browser(file, token=TOKEN).client.get("/p/shop/queue", headers=bearer).status_code == 200
    assert (
        Browser(file, token=TOKEN).client.get("/", headers={"authorization": "Bearer x"}).status_code == 401
    )


@pytest.mark.parametrize("kind", ["declared", "in pieces"])
def test_a_huge_upload_is_one_clear_page(file: Path, browser: Browser, kind: str) -> None:
    form = f"csrf={browser.read_field(browser.get('queue'), 'csrf')}&text=".encode() + b"x" * (
        LONGEST_BODY + 1
    )
    headers = {"content-type": "application/x-www-form-urlencoded"}
    content: Any = (
        form if kind == "declared" else (form[at : at + 65_536] for at in range(0, len(form), 65_536))
    )
    answer = browser.client.post(f"{browser.book}/decide", content=content, headers=headers)
    assert answer.status_code == 413 and "1 MB" in answer.text and len(answer.text) < 5_000
    many = "&".join(f"a{number}=1" for number in range(200))
    assert browser.client.post(f"{browser.book}/decide", content=many, headers=headers).status_code == 400
    files = {"file": ("a.txt", b"hello")}
    assert browser.client.post(f"{browser.book}/decide", files=files).status_code == 415


# Files that cannot be used


def test_a_file_that_another_process_holds(
    file: Path, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "_WAIT", 0.1)
    program = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
    program += "db.execute('BEGIN IMMEDIATE'); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", program, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdin and process.stdout.readline() == "held\n"
        assert "Refunds" in browser.get("queue")  # it can be read meanwhile
        answer = browser.decide("sure", "edit", text="Red is 9.", reason="counted")
        assert answer.status_code == 503 and "locked by another process" in answer.text
        assert "Red is 9." in answer.text and "counted" in answer.text and "Try again" in answer.text
        process.stdin.close()
    fields = {name: browser.read_field(answer.text, name) for name in ("csrf", "bullet", "action", "base")}
    again = browser.client.post(f"{browser.book}/decide", data=fields | {"text": "Red is 9."})
    assert again.status_code == 303 and head(file)[1] == (Revise("sure", "Red is 9."),)


@pytest.fixture
def read_only(file: Path) -> Iterator[Path]:
    """The file where nobody may write."""
    with unwritable_folder(file) as folder:
        yield folder / file.name


def test_a_read_only_file_is_shown_and_a_decision_is_refused_with_its_text(read_only: Path) -> None:
    browser = Browser(read_only)
    assert "Refunds" in browser.get("queue")
    answer = browser.decide("sure", "edit", text="Red is 9.")
    assert answer.status_code == 403 and "Red is 9." in answer.text and str(read_only) in answer.text


def test_other_files_are_one_clear_page_each(file: Path, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("hello " * 50, encoding="utf-8")
    with closing(sqlite3.connect(tmp_path / "other.db")) as db:
        db.execute("CREATE TABLE t (x)")
    browser = Browser(tmp_path)
    page = browser.get("/")
    assert page.count("/queue") == 3
    for name in ("text", "other"):
        assert "not" in browser.get(f"/p/{name}/queue", 500)
    assert "There are: other, shop, text." in browser.get("/p/nobody/queue", 404)
    browser.get("/p/..%2f..%2fetc%2fpasswd/queue", 404)
    browser.get("/nowhere", 404)


# The command, a process of its own


def test_the_command_serves_until_it_is_interrupted(file: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", MAIN, "ui", str(file), "--port", "0"]
    with subprocess.Popen(
        command, env=env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr
            line = process.stderr.readline()
            address = line.split()[2]
            assert address.startswith("http://127.0.0.1:"), line
            answer = httpx.get(address, follow_redirects=True, timeout=patience(10))
            assert answer.status_code == 200 and "Refunds above 500" in answer.text
            assert "server" not in answer.headers
            huge = httpx.post(f"{address}/p/shop/decide", content=b"x" * 3_000_000, timeout=patience(20))
            assert huge.status_code == 413
            process.send_signal(signal.SIGINT)
            assert process.wait(patience(20)) in (0, 130)
        finally:
            process.kill()


def test_the_command_names_what_is_wrong(ace: Ace, file: Path) -> None:
    done = ace("ui", "nowhere.db")
    assert done.code == 2 and "There is no playbook nowhere.db" in done.err
    done = ace("ui", str(file), "--host", "0.0.0.0")
    assert done.code == 2 and "ACE_UI_TOKEN" in done.err


def test_books_of_the_same_name_get_numbers(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        fill(tmp_path / folder / "shop.db")
    books = Books([tmp_path / "a", tmp_path / "b" / "shop.db", tmp_path / "a" / "shop.db"])
    assert books.list_paths() == {"shop": tmp_path / "a/shop.db", "shop-2": tmp_path / "b/shop.db"}


# How it looks


def read_colours(scheme: str) -> dict[str, tuple[float, float, float]]:
    """Return the variables of the style in a colour scheme, as shares of red, green and blue."""
    style = read_style() + (ROOT / "ace/servers/review/review.css").read_text("utf-8")
    colours = {}
    for dark, block in re.findall(r"(prefers-color-scheme: dark\) \{\s*)?:root \{([^}]*)\}", style):
        if scheme == "dark" or not dark:
            for name, value in re.findall(r"--([\w-]+): #([0-9a-f]{6})", block):
                colours[name] = tuple(int(value[at : at + 2], 16) / 255 for at in (0, 2, 4))
    return colours


def measure_contrast(first: tuple[float, ...], second: tuple[float, ...]) -> float:
    """Return the contrast of two colours as WCAG 2 defines it."""

    def luminance(colour: tuple[float, ...]) -> float:
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_is_that_of_wcag_aa(scheme: str) -> None:
    colours = read_colours(scheme)
    texts = [(ink, paper) for ink in ("ink", "soft", "link", "good", "bad") for paper in ("paper", "card")]
    texts += [(name, f"{name}-paper") for name in ("good", "bad", "warn")] + [("press-ink", "press")]
    for ink, paper in texts:
        assert measure_contrast(colours[ink], colours[paper]) >= 4.5, (ink, paper)
    for edge in ("edge", "link", "press"):  # of fields and buttons, and of the focus
        for paper in ("paper", "card"):
            assert measure_contrast(colours[edge], colours[paper]) >= 3, (edge, paper)


# Differences, word by word


@given(st.text("ab 1.\n", max_size=40), st.text("ab 1.\n", max_size=40))
def test_pieces_make_up_both_texts(before: str, after: str) -> None:
    pieces = diff_words(before, after)
    assert "".join(p.text for p in pieces if p.change is not Change.NEW) == before
    assert "".join(p.text for p in pieces if p.change is not Change.GONE) == after
    assert all(piece.text for piece in pieces)


def test_endless_texts_are_compared_as_wholes() -> None:
    long = "word " * 5_000
    assert [piece.change for piece in diff_words(long, f"{long}more")] == [Change.GONE, Change.NEW]
    assert [piece.change for piece in diff_words(long, long)] == [Change.SAME]


def test_kinds_are_what_addresses_say(browser: Browser) -> None:
    assert {kind.value for kind in WaitKind} == {
        "proposed",
        "probation",
        "quarantined",
        "conflict",
        "suspect",
    }
    assert "Kinds: proposed" in browser.get("queue?kind=other", 400)
    assert Status.QUARANTINED.value in browser.get("bullet/tried") and EVIL[:20] in browser.get("bullet/evil")
