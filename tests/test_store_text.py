"""Text and JSON in the file: as people would write it, and always valid JSON."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from ace.errors import FormatError
from ace.store import Store
from ace.store.sqlite_text import parse_strings, to_json, to_text


def test_text_stays_as_it_is_and_half_a_character_becomes_its_escape() -> None:
    assert to_text("größe \x00 \U0001f600") == "größe \x00 \U0001f600"
    assert to_text("half \ud800 of it") == "half \\ud800 of it"
    assert to_json({"größe": ["\ud800", "\n"]}) == '{"größe": ["\\ud800", "\\n"]}'


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_what_no_json_reader_can_read_is_refused_and_nothing_is_written(
    tmp_path: Path, number: float
) -> None:
    with Store.open(tmp_path / "playbook.db") as store:
        with pytest.raises(ValueError, match="JSON"):
            store.start_run("learn", "shop", {"rate": number})
        assert store.runs() == [] and store.verify() == []


def test_other_readers_of_the_file_can_read_what_it_says(tmp_path: Path) -> None:
    with Store.open(tmp_path / "playbook.db") as store:
        store.start_run("learn", "größe", {"Größe": "ü"})
    with contextlib.closing(sqlite3.connect(tmp_path / "playbook.db")) as db:
        assert db.execute("SELECT task, config FROM runs").fetchall() == [("größe", '{"Größe": "ü"}')]


@pytest.mark.parametrize("text", ["{}", "5", '"text"', "null"])
def test_a_list_is_a_list(text: str) -> None:
    assert parse_strings('["a", "b"]') == ("a", "b") and parse_strings("[]") == ()
    with pytest.raises(FormatError) as caught:
        parse_strings(text)
    assert caught.value.message == f"{text!r} is not a list."
