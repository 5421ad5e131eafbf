"""Progress without a terminal: a phase's ends always, what lies between now and then."""

from __future__ import annotations

import pytest

from ace.cli import progress
from ace.cli.progress import megabytes


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    out, err = capsys.readouterr()
    assert out == ""
    return err.splitlines()


def test_a_quick_phase_has_two_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.progress() as show:
        for done in range(101):
            show("before", done, 100)
    assert lines(capsys) == ["before 0/100", "before 100/100"]


def test_a_slow_phase_speaks_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter(range(0, 1000, 4))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(seconds))
    with progress.progress() as show:
        for done in range(7):
            show("epoch 1", done, 6, note=f"{done} bullets")
    assert lines(capsys) == [f"epoch 1 {done}/6 {done} bullets" for done in (0, 3, 6)]


def test_every_phase_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.progress() as show:
        for phase in ("before", "epoch 1", "after"):
            show(phase, 1, 5)
    assert lines(capsys) == ["before 1/5", "epoch 1 1/5", "after 1/5"]


def test_downloads_count_megabytes(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.progress() as show:
        megabytes(show)("downloading", 2_500_000, 7_000_000)
    assert lines(capsys) == ["downloading (MB) 2/7"]


def test_a_terminal_gets_a_bar_for_each_phase(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress._bars() as show:
        show("before", 3, 60)
        show("epoch [1]", 1, 2, note="[/not markup]")
    out, err = capsys.readouterr()
    assert out == ""
    for part in ("before", "3/60", "[/not markup]"):
        assert part in err


@pytest.mark.parametrize(
    ("size", "json", "on_terminal", "shows"),
    [
        (10**7, False, True, True),
        (10**7, True, True, False),
        (10**7, False, False, False),
        (10, False, True, False),
    ],
)
def test_work_on_a_large_file_shows_bars_on_a_terminal_only(
    size: int,
    json: bool,
    on_terminal: bool,
    shows: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr("sys.stderr.isatty", lambda: on_terminal)
    with progress.progress_on_terminal(size, json=json) as show:
        show("looking through tables", 3, 15)
    out, err = capsys.readouterr()
    assert out == "" and ("3/15" in err) == shows and bool(err) == shows
