"""The review pages in Chromium: by keyboard alone, without scripts, narrow and dark, in two windows at once.

Needs playwright (extra `browser`) and the Chromium of the machine's packages (`apt-get install chromium`).
ACE_SCREENSHOTS names a folder for pictures to look at.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ace.playbook.model import Promote, Revise
from ace.store import Store
from tests.pace import patience
from tests.review_world import fill

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
pytest.importorskip("starlette", reason="the review pages need starlette (extra `serve`)")
playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (extra `browser`)")
if not CHROMIUM:
    pytest.skip("needs Chromium: apt-get install chromium", allow_module_level=True)

ROOT = Path(__file__).parent.parent
MAIN = "import sys; sys.argv[0] = 'ace'; from ace.cli.main import main; main()"
LOOKS = {
    "light": {"viewport": {"width": 1100, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1100, "height": 900}, "color_scheme": "dark"},
    "narrow": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"},
    "narrow dark": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
}
PAGES = (
    "queue", "queue?kind=probation", "queue?kind=quarantined", "queue?kind=conflict", "queue?kind=suspect",
    "playbook", "bullet/tried", "bullet/evil", "history", "version/2", "compare?a=1&b=3", "names", "runs",
    "run/1", "accuracy", "search?q=refund", "episode/ep-wrong", "nowhere",
)  # fmt: skip


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return fill(tmp_path / "shop.db")


@pytest.fixture
def address(file: Path) -> Iterator[str]:
    """Where a server of the file is, a process of its own."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", MAIN, "ui", str(file), "--port", "0"]
    process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    with process:
        try:
            assert process.stderr
            yield f"{process.stderr.readline().split()[2]}/p/shop"
        finally:
            process.terminate()


def open_page(chromium: Any, **look: Any) -> Any:
    page = chromium.new_context(**look).new_page()
    page.set_default_timeout(patience(10_000))
    return page


def read_head(file: Path) -> Any:
    with Store.open(file, read_only=True) as store:
        version = store.head()
        return version, store.operations(version.number)


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_fits_and_stays_at_home(chromium: Any, address: str, look: str) -> None:
    page = open_page(chromium, **LOOKS[look])
    asked, complaints = list[str](), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    width = LOOKS[look]["viewport"]["width"]
    for path in PAGES:
        page.goto(f"{address}/{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert page.locator("h1").count() == 1 and page.title()
        nameless = """[...document.querySelectorAll('input:not([type=hidden]), select, textarea, button')]
            .filter(field => !field.labels?.length && !field.textContent && !field.ariaLabel).length"""
        assert page.evaluate(nameless) == 0, path
        if folder := os.environ.get("ACE_SCREENSHOTS"):
            name = path.replace("/", "-").replace("?", "-")
            page.screenshot(path=f"{folder}/{look}-{name}.png", full_page=True)
    host = address.rpartition("/p/")[0]
    assert [url for url in asked if not url.startswith((f"{host}/", "data:"))] == []
    assert [text for text in complaints if "404" not in text] == []


def test_a_lesson_is_approved_by_keyboard_alone(chromium: Any, address: str, file: Path) -> None:
    page = open_page(chromium)
    page.goto(f"{address}/queue")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Skip to the content"
    page.keyboard.press("Enter")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "reason":
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    page.keyboard.type("I know the shop")
    page.keyboard.press("Enter")  # the first button of the form: Approve
    page.wait_for_url("**made=4*")
    version, operations = read_head(file)
    assert operations == (Promote("new"),)
    assert (version.author, version.reason) == ("person", "I know the shop")
    assert "Version 4 has it." in page.locator("[role=status]").inner_text()


def test_everything_works_without_scripts(chromium: Any, address: str, file: Path) -> None:
    page = open_page(chromium, java_script_enabled=False)
    page.goto(f"{address}/queue?kind=quarantined")
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("What it says").fill("Mauve is 35012.\nAlways.")
    page.locator("form", has=page.get_by_role("button", name="Save and approve")).get_by_label(
        "Your name"
    ).fill("Ann")
    page.get_by_role("button", name="Save and approve").click()
    version, operations = read_head(file)
    assert operations == (Revise("tried", "Mauve is 35012.\nAlways."), Promote("tried"))
    assert version.author == "person:Ann"
    page.goto(f"{address}/search")
    page.get_by_label("Words").fill("manager refunds")
    page.get_by_role("button", name="Search").click()
    assert "Refunds above 500 need a manager." in page.inner_text("#results")
    page.goto(f"{address}/version/1")
    page.get_by_role("button", name="Roll the playbook back").click()
    assert read_head(file)[0].number == 5


def test_two_windows_that_edit_one_bullet_see_both_texts(chromium: Any, address: str, file: Path) -> None:
    first, second = open_page(chromium), open_page(chromium)
    for page in (first, second):
        page.goto(f"{address}/bullet/sure")
    first.get_by_label("What it says").fill("Red is 1.")
    first.get_by_role("button", name="Save", exact=True).click()
    second.get_by_label("What it says").fill("Red is 2.")
    second.get_by_role("button", name="Save", exact=True).click()
    text = second.inner_text("main")
    assert "Somebody else edited" in text and "Theirs" in text and "Yours" in text
    assert read_head(file)[1] == (Revise("sure", "Red is 1."),)
    if folder := os.environ.get("ACE_SCREENSHOTS"):
        second.screenshot(path=f"{folder}/light-two-windows.png", full_page=True)
    second.get_by_role("button", name="Write mine over theirs").click()
    second.wait_for_url("**made=5*")
    assert read_head(file)[1] == (Revise("sure", "Red is 2."),)


def test_a_run_is_followed_while_it_goes_on(chromium: Any, address: str, file: Path) -> None:
    row = {"sample": "s", "correct": True, "right": True}
    with Store.open(file) as store:
        run = store.start_run("learn", "colours", {"base": 0, "models": {}})
        page = open_page(chromium)
        page.goto(f"{address}/run/{run}")
        assert "No answer yet." in page.inner_text("#live")
        store.commit((), author="a", reason="r", run=run, step=(0, "epoch 1", {"results": [row, row]}))
        page.get_by_text("2 of 2").wait_for()
        store.finish_run(run, "done", None)
        page.locator("#live:not([hx-trigger])").wait_for()
    page.goto(f"{address}/search")
    page.get_by_label("Words").press_sequentially("blue")
    page.locator("#results", has_text="Blue is twice 35015.").wait_for()
