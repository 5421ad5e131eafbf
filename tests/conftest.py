"""What holds for every test."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer.main
from hypothesis import HealthCheck, Phase, settings

from tests.cli import Ace, Done
from tests.pace import slowness

if TYPE_CHECKING:
    from ace.store import Store
    from tests.model_server import ModelServer

# Slow is not wrong: on a busy machine a deadline, or a check how fast examples are made, fails at random.
settings.register_profile("ace", deadline=None, suppress_health_check=(HealthCheck.too_slow,))
# Few examples, always the same, none made smaller: for mutants by the thousand (docs/mutation-testing.md).
settings.register_profile(
    "few",
    deadline=None,
    max_examples=20,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=tuple(HealthCheck),
)
settings.load_profile(os.environ.get("ACE_TEST_PROFILE", "ace"))


@pytest.hookimpl(tryfirst=True)  # before pytest-timeout reads its option
def pytest_configure(config: pytest.Config) -> None:
    """Give tests more time where the machine is slow, or busy. A limit that somebody gave stands."""
    if config.getoption("timeout", None) is None and "PYTEST_TIMEOUT" not in os.environ:
        config.option.timeout = float(config.getini("timeout")) * slowness()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a recipe ask for what takes minutes."""
    parser.addoption("--long", action="store_true", help="run the tests that take minutes, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what takes minutes, unless somebody asks for it."""
    if not config.getoption("long"):
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="it takes minutes: give --long"))


def pytest_report_header() -> str:
    """Say by how much."""
    return f"limits: {slowness():g} times those of an idle machine"


@pytest.fixture(scope="session", autouse=True)
def own_config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes what its user trusts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACE_CONFIG", str(tmp_path_factory.mktemp("config")))
        yield


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where a playbook can be made: in a file, and on a server, for what must hold on both."""
    if request.param == "sqlite":
        return tmp_path / "playbook.db"
    from tests.postgres_server import shared_server

    return shared_server().address()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A playbook file with nothing in it."""
    from ace.store import Store

    with Store.open(tmp_path / "playbook.db") as store:
        yield store


@pytest.fixture
def server() -> Iterator[ModelServer]:
    """A model on loopback."""
    from tests.model_server import ModelServer

    server = ModelServer()
    yield server
    server.close()


@pytest.fixture
def colours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task folder in the current folder, no keys, and no patience with servers that are down."""
    from ace.llm import Retry
    from tests.world import write_world

    write_world(tmp_path / "colours")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    impatient = partial(Retry, attempts=2, first_wait=0.01)
    monkeypatch.setattr(importlib.import_module("ace.llm.connect"), "Retry", impatient)


read_command_line = cache(typer.main.get_command)
"""Reads the options of every command from its function, once: that takes longer than most commands."""


@pytest.fixture
def ace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ace:
    """The `ace` command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(typer.main, "get_command", read_command_line)

    def run(*args: str) -> Done:
        from ace.cli.main import run as run_command_line

        monkeypatch.setattr("sys.argv", ["ace", *map(str, args)])
        try:
            code: object = run_command_line()
        except SystemExit as stop:
            code = stop.code or 0
        out, err = capsys.readouterr()
        assert isinstance(code, int)
        return Done(code, out, err)

    return run
