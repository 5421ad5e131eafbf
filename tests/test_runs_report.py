"""A report survives JSON, carries the promised keys, and reads well."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.llm.client import Usage
from ace.playbook.model import Bullet, Status
from ace.runs.report import Report, Score
from ace.runs.run_text import align_columns, format_cost, format_score, render_report

PROMISED = {
    "task", "model", "playbook", "before", "after", "p_value", "bullets", "versions", "proposed", "accepted",
    "rejected", "seconds", "usage",
}  # fmt: skip

BULLET = Bullet("status-1a2b", "orders", "orders.status 3 means shipped", tuple(f"e{n}" for n in range(6)))
REPORT = Report(
    kind="learn",
    task="shop_sql",
    model="local/small",
    models={"generator": "local/small", "reflector": "openai/large"},
    playbook="my shop.db",
    before=Score(2, 60),
    after=Score(41, 60, errors=1),
    p_value=1.2e-9,
    bullets=1,
    versions=3,
    proposed=40,
    accepted=16,
    rejected=24,
    seconds=412.4,
    usage={"generator": Usage(3, 2_123_123, 3, 4, 5.0, 0.0), "reflector": Usage(1, 2, 0, 4, 5.0, None)},
    run=7,
    selected=3,
    verified=True,
    learned=(BULLET,),
)

scores = st.integers(0, 99).flatmap(lambda n: st.builds(Score, st.integers(0, n), st.just(n)))
usages = st.builds(Usage, cost=st.none() | st.floats(0, 9), seconds=st.floats(0, 9), calls=st.integers(0, 9))
bullets = st.builds(Bullet, provenance=st.lists(st.text()).map(tuple), status=st.sampled_from(Status))
reports = st.builds(
    Report,
    kind=st.sampled_from(["learn", "online", "eval"]),
    task=st.text(min_size=1),
    model=st.text(),
    playbook=st.text(),
    before=st.none() | scores,
    after=st.none() | scores,
    p_value=st.none() | st.floats(0, 1),
    usage=st.dictionaries(st.text(), usages, max_size=3),
    stopped=st.text(),
    learned=st.lists(bullets, max_size=3).map(tuple),
)


@given(reports)
def test_json_round_trip(report: Report) -> None:
    assert Report.from_json(json.loads(json.dumps(report.to_json()))) == report


@given(reports)
def test_every_report_can_be_read(report: Report) -> None:
    assert report.playbook in render_report(report)


def test_json_has_what_is_promised() -> None:
    data = REPORT.to_json()
    assert data.keys() >= PROMISED
    assert data["before"].keys() >= {"correct", "total", "accuracy", "ci95"}
    assert data["usage"]["generator"].keys() == {
        "calls", "prompt_tokens", "cached_tokens", "completion_tokens", "seconds", "cost"
    }  # fmt: skip
    assert data["usage"]["reflector"]["cost"] is None


def test_json_of_a_later_release_is_read() -> None:
    assert Report.from_json(REPORT.to_json() | {"mood": "good"}) == REPORT


def test_closing_text() -> None:
    assert render_report(REPORT, folder="tasks/shop_sql") == (
        """\
learn shop_sql with local/small
  reflector is openai/large
  before   2 of 60 right   3.3%  95% interval 0.9% to 11.4%
  after   41 of 60 right  68.3%  95% interval 55.8% to 78.7%, 1 of them gave no answer
  paired test, exact McNemar: p = 1.2e-09
  selected: version 3, the last one; no validation ran

Learned 1 bullet (40 proposed, 16 accepted, 24 rejected), each with the episodes that prove it
  orders.status 3 means shipped
    status-1a2b: e0, e1, e2, e3 and 2 more

role       calls     prompt  cached  completion  seconds     cost
generator      3  2,123,123       3           4        5       $0
reflector      1          2       0           4        5  unknown
all            4  2,123,125       3           8       10  unknown

my shop.db holds it all: 1 bullet, 3 versions, run 7. It took 6 min 52 s.

Next
  ace playbook show --playbook 'my shop.db'
  ace runs show 7 --rejected --playbook 'my shop.db'
  ace learn tasks/shop_sql --playbook 'my shop.db' --epochs 2"""
    )


def test_str_is_the_closing_text() -> None:
    assert str(REPORT) == render_report(REPORT)


def test_a_stopped_run_says_how_to_go_on() -> None:
    text = render_report(replace(REPORT, stopped="cap on calls: 10"), folder="tasks/shop_sql")
    assert "stopped early: cap on calls: 10" in text
    assert "selected: version 3, the last one so far\n" in text  # whether something validated it is not said
    assert "ace learn tasks/shop_sql --playbook 'my shop.db' --resume" in text


def test_unverified_bullets_are_not_called_proved() -> None:
    assert "unverified" in render_report(replace(REPORT, verified=False))


def test_nothing_learned_and_nothing_measured() -> None:
    text = render_report(Report(kind="learn", task="t", model="m", playbook="t.db"))
    assert "Learned nothing (0 proposed" in text
    assert format_score(None) == "not measured"


@pytest.mark.parametrize(("cost", "text"), [(None, "unknown"), (0.0, "$0"), (0.01234, "$0.0123")])
def test_unknown_cost_is_not_zero(cost: float | None, text: str) -> None:
    assert format_cost(cost) == text


def test_columns() -> None:
    assert align_columns([("a", "1"), ("bbb", "22")], right=(1,)) == "a     1\nbbb  22"
