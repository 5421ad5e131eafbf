"""Checksums of rows: those in files in the field must be found right for ever."""

from __future__ import annotations

import sqlite3

import pytest

from ace.store import checked_rows
from ace.store.integrity import seals


def test_a_checksum_never_changes() -> None:
    assert checked_rows.checksum(["größe", 1, None, True, 0.5]) == "82220625ee45bda2"
    assert checked_rows.checksum([b"x"]) == "a64f550a697bdc47"  # of a damaged row, where text was


def test_true_is_one_and_no_other_value_is_another() -> None:
    assert checked_rows.checksum([True, False]) == checked_rows.checksum([1, 0])
    different = [[1], ["1"], [1.0], [None], ["None"], ["null"], [""], [], ["", ""], [0], [b"1"]]
    assert len({checked_rows.checksum(values) for values in different}) == len(different)


def test_a_row_of_another_length_is_not_written() -> None:
    with sqlite3.connect(":memory:") as db:
        db.execute("CREATE TABLE tags (id, name, version, created, checksum)")
        db.execute(seals.TABLE)
        seals.seal_table(db, "tags")
        checked_rows.insert(db, "tags", [(1, "prod", 3, "now")])
        with pytest.raises(ValueError, match="shorter"):
            checked_rows.insert(db, "tags", [(1, "prod", 3)])
        assert db.execute("SELECT name, version FROM tags").fetchall() == [("prod", 3)]
    db.close()
