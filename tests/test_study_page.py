"""Studies, runs and playbooks as tables and pages: what they show, and that no text gets out of its place."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

import ace
from ace.errors import InputError
from ace.llm.client import Usage
from ace.playbook import Add
from ace.report import build_study_page
from ace.report.study_page import render_study_page
from ace.runs.study_cells import Cell, CellState, CurvePoint, SampleScore, StudyBasis
from ace.runs.study_report import Study, StudyRows
from ace.runs.text_tables import Table, render_csv, render_html, render_markdown, render_text
from ace.store import Store
from tests.test_runs_page import parsed, structure
from tests.world import client, world

HOSTILE = "</td><script>alert(1)</script><img src=x onerror=y>\u202e| [a](javascript:b) `c` \x1b[2J"
SHOWN = "<script>alert(1)</script>"


def make_study(text: str = "plain", *, cost: float | None = 0.25) -> Study:
    """Return a study whose names, errors and notes are `text`."""
    cells = []
    for method in ("ace", "zero_shot"):
        for seed in (0, 1):
            usage = Usage(calls=6, prompt_tokens=100, cached_tokens=40, completion_tokens=10, cost=cost)
            answers = [
                SampleScore(f"s{n}", method == "ace", float(method == "ace"), usage=usage) for n in range(9)
            ]
            answers.append(SampleScore(text, False, 0.0, error=text, usage=usage))
            cell = Cell(
                method=method,
                seed=seed,
                state=CellState.DONE,
                answers=tuple(answers),
                learning={"generator": usage} if method == "ace" else {},
                scoring={"generator": usage},
                curve=tuple(CurvePoint(n, 9 * n, n, 9, False, n) for n in range(1, 9))
                if method == "ace"
                else (),
                notes=(text,),
                versions={"ace": text},
            )
            cells.append(cell)
    basis = StudyBasis(
        task=text, data={"train samples": text}, models={"generator": text}, settings={"a": text}
    )
    return Study(file=text, basis=basis, cells=tuple(cells))


def test_no_text_gets_out_of_its_place_in_the_page() -> None:
    page = render_study_page(make_study(HOSTILE))
    assert structure(page) == structure(render_study_page(make_study()))
    text = parsed(page).text
    assert SHOWN in text and "\u202e" not in page and "\x1b" not in page and "\\u202e" in text


def test_no_text_gets_out_of_its_place_in_a_notebook(tmp_path: Path) -> None:
    html = make_study(HOSTILE)._repr_html_()
    assert structure(html) == structure(make_study()._repr_html_()) and SHOWN in parsed(html).text
    table = Table(HOSTILE, (HOSTILE, "b"), ((HOSTILE, HOSTILE),), right=(1,))
    assert {tag for tag, _ in structure(render_html([table], HOSTILE))} == {
        "p", "table", "caption", "thead", "tr", "th", "tbody", "td",
    }  # fmt: skip
    with ace.open_playbook(tmp_path / "p.db") as store:
        store.commit((Add("b1", "formats", HOSTILE),), author="person", reason="test")
        assert SHOWN in parsed(store._repr_html_()).text and "<script" not in store._repr_html_()
        assert "version 1, 1 bullets" in store._repr_html_()
    assert "closed" in store._repr_html_()


def test_tables_in_other_forms_keep_a_row_a_row() -> None:
    table = Table("t", ("a", "b"), (("x\ny", HOSTILE), ("1", "2")))
    markdown = render_markdown([table]).splitlines()
    assert len([line for line in markdown if line.startswith("|")]) == 4
    assert all(line.replace("\\|", "").count("|") == 3 for line in markdown if line.startswith("|"))
    assert "\x1b" not in render_text([table]) and "\u202e" not in render_text([table])
    assert render_csv([{"a": "x,y", "b": None}]) == 'a,b\n"x,y",' and render_csv([]) == ""


def test_long_names_and_many_seeds_lose_nothing_in_a_narrow_terminal() -> None:
    name = "ace+no-refine+tries=3+accept=strict"
    table = Table("t", ("method", "right", "by seed"), ((name, "10", " ".join(["100.0%"] * 12)),), right=(1,))
    text = render_text([table], 40)
    assert name in text and text.count("100.0%") == 12 and " 10 " in text


def test_a_study_says_what_it_took() -> None:
    study = make_study()
    text = str(study)
    assert "$0.2500" in text and "unknown" not in text
    assert "unknown" in str(make_study(cost=None)) and "$0" not in str(make_study(cost=None))
    row = study.rows("methods")[0]
    assert (row["learning_tokens_computed"], row["learning_tokens_cached"]) == (120, 80)
    assert study.rows(StudyRows.CELLS)[0]["learning_calls_by_role"] == "generator=6"
    with pytest.raises(InputError, match="no rows 'answers'"):
        study.rows("answers")


def test_the_page_has_four_charts_each_with_words() -> None:
    pytest.importorskip("matplotlib")
    page = build_study_page(make_study())
    images = [attributes for tag, attributes in parsed(page).tags if tag == "img"]
    words = " ".join(str(attributes["alt"]) for attributes in images)
    assert len(images) == 4
    for phrase in (
        "ace 90.0% (",
        "ace less zero_shot: +90.0 points",
        "Right answers while learning",
        "dollars",
    ):
        assert phrase in words
    assert page == build_study_page(make_study())


def test_a_study_without_results_has_a_page_and_a_text() -> None:
    study = make_study()
    planned = tuple(replace(cell, state=CellState.PLANNED, answers=(), curve=()) for cell in study.cells)
    empty = replace(study, cells=planned)
    assert "No cell is done yet" in parsed(render_study_page(empty)).text
    assert "4 of 4 cells are not done" in str(empty) and empty.pairs == ()


def test_runs_and_reports_are_tables(tmp_path: Path) -> None:
    with Store.open(tmp_path / "p.db") as store:
        report = ace.learn(world(), store, client(), workers=1)
        (row,) = ace.list_runs(store).rows()
        assert (row["run"], row["kind"], row["method"], row["after"], row["samples"]) == (
            1,
            "learn",
            "ace",
            1.0,
            10,
        )
        assert row["calls"] == sum(usage.calls for usage in report.usage.values())
        shown = parsed(ace.list_runs(store)._repr_html_()).text
        assert "10 of 10 right" in shown
        text = parsed(report._repr_html_()).text
        assert "reflector" in text and "red means twice" in text and "Scores" in text
        assert "red means twice" in store._repr_html_()


def test_frames_come_with_pandas_or_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    study = make_study()
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match="frames"):
        study.frame()
    monkeypatch.undo()
    pandas = pytest.importorskip("pandas")
    frame = study.frame("samples")
    assert isinstance(frame, pandas.DataFrame) and len(frame) == 40
    assert frame.groupby("method")["right"].mean().to_dict() == {"ace": 0.9, "zero_shot": 0.0}
