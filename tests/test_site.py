"""Build the documentation site as `just site` does, and look at what a browser would get."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

import ace

ROOT = Path(__file__).parent.parent
SOURCES = (
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
    "zensical.toml",
    "docs",
    "benchmarks",
    "notebooks",
    "playbooks",
    "ace",
)
LOADED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "link": "href",
}
"""Elements for which a browser fetches something by itself, with the attribute that says what."""

FETCHED = re.compile(r"""(?:@import|url\(|fetch\(|import\(|importScripts\(|src\s*=)\s*["']?(?:https?:)?//""")


class Page(HTMLParser):
    """Collect what a page links to, what it loads, the ids it has, and the text of its scripts and styles."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.ids: set[str] = set()
        self.code = ""
        self.order: list[str] = []
        self._inside = ""
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        self._inside = tag
        self.order.append(values.get("http-equiv", tag))
        self.ids |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if LOADED.get(tag) in values:
            self.loads.append(values[LOADED[tag]])
        self.loads += [part.split()[0] for part in values.get("srcset", "").split(",") if part.strip()]
        self.code += values.get("style", "")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside in ("script", "style"):
            self.code += data


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site of a copy of the checkout; a warning is an error."""
    if not (find_spec("zensical") and find_spec("mkdocstrings")):
        pytest.skip("the site needs the extra `docs`: pip install -e '.[docs]'")
    folder = tmp_path_factory.mktemp("site")
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


@pytest.fixture(scope="session")
def pages(site: Path) -> dict[Path, Page]:
    return {file: Page(file) for file in sorted(site.rglob("*.html"))}


def navigation(entries: Any) -> Iterator[str]:
    """Yield the files of `nav`, whatever their titles and sections."""
    if isinstance(entries, str):
        yield entries
    for entry in (
        entries.values() if isinstance(entries, dict) else entries if isinstance(entries, list) else ()
    ):
        yield from navigation(entry)


def listed() -> list[str]:
    project = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]
    return list(navigation(project["nav"]))


def test_every_page_is_in_the_navigation() -> None:
    names = listed()
    missing = {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")} - set(names)
    assert missing == set(), f"add to `nav` in zensical.toml: {', '.join(sorted(missing))}"
    assert [name for name in names if not (ROOT / name).exists()] == []
    assert len(names) == len(set(names))


def test_every_listed_page_is_built(site: Path) -> None:
    names = {name.removesuffix(".md") for name in listed()}
    built = {file.relative_to(site).with_suffix("").as_posix() for file in site.rglob("*.html")}
    moved = {re.sub(r"(^|/)README$", r"\1index", name) for name in names}
    assert moved <= built


def test_nothing_is_loaded_from_another_host(pages: dict[Path, Page]) -> None:
    for file, page in pages.items():
        assert [each for each in page.loads if urlsplit(each).netloc] == [], file
        assert FETCHED.findall(page.code) == [], file


def test_the_browser_is_told_to_load_nothing_else(pages: dict[Path, Page]) -> None:
    """The theme's own scripts name other hosts for diagrams and the like: a policy stands before them all."""
    for file, page in pages.items():
        policy = page.order.index("Content-Security-Policy")
        assert policy < min(
            page.order.index(tag) for tag in ("script", "link", "style") if tag in page.order
        ), file
        text = file.read_text(encoding="utf-8")
        assert "content=\"default-src 'self' file: data: blob: 'unsafe-inline'\"" in text


def test_stylesheets_load_nothing(site: Path) -> None:
    for file in site.rglob("*.css"):
        assert FETCHED.findall(file.read_text(encoding="utf-8")) == [], file


def test_links_lead_to_files_and_headings(site: Path, pages: dict[Path, Page]) -> None:
    broken = []
    for file, page in pages.items():
        for link in {*page.links, *page.loads}:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or file.name == "404.html":
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            target = target / "index.html" if target.is_dir() else target
            anchors = pages[target].ids if target in pages else set()
            if not target.exists() or (parts.fragment and unquote(parts.fragment) not in anchors):
                broken.append(f"{file.relative_to(site)}: {link}")
    assert broken == []


def test_it_is_light_and_dark(pages: dict[Path, Page], site: Path) -> None:
    text = (site / "index.html").read_text(encoding="utf-8")
    assert {"default", "slate"} <= set(re.findall(r'data-md-color-scheme="(\w+)"', text))
    assert "prefers-color-scheme: dark" in text


def test_the_search_finds_pages_without_a_server(site: Path) -> None:
    """The index is a script as well, which a page that was opened as a file can read."""
    items = json.loads((site / "search.json").read_text(encoding="utf-8"))["items"]
    found = {item["location"].partition("#")[0] for item in items}
    assert {"index.html", "docs/learning.html", "docs/reference.html"} <= found
    assert (site / "search.js").read_text(encoding="utf-8").startswith("var __index")


def test_the_reference_shows_every_public_name(pages: dict[Path, Page], site: Path) -> None:
    ids = pages[site / "docs" / "reference.html"].ids
    homes = {name.rpartition(".")[2] for name in ids if name.startswith("ace.")}
    assert {*ace.__all__, "World"} - homes == set()
    page = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    names = re.findall(r"^::: (\S+)$", page, re.MULTILINE)
    assert len(names) == len(set(names))
    assert [name for name in names if name not in ids and name != "ace.errors"] == []


def test_the_reference_explains_every_function_and_class(site: Path) -> None:
    text = (site / "docs" / "reference.html").read_text(encoding="utf-8")
    objects = re.split(r'<div class="doc doc-object doc-', text)[1:]
    empty = re.compile(r'<div class="doc doc-contents (?:first)?\s*">\s*</div>')
    bare = [each for each in objects if empty.search(each) and not each.startswith("attribute")]
    assert [re.findall(r'id="(ace[\w.]*)"', each)[:1] for each in bare] == []
