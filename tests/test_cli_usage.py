"""Bad usage and failures become one clear message and the right exit code, in one place."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer

from ace import errors
from ace.cli import main as boundary
from ace.settings import Command, Settings, settings_of
from ace.store import Store
from tests.cli import Ace

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["lern"], "learn"),
        (["learn"], "TASK"),
        (["learn", "t", "--workers", "0"], "--workers"),
        (["learn", "t", "--feedback", "some"], "execution"),
        (["learn", "t", "--max-cost", "-1"], "--max-cost"),
        (["learn", "t", "--epochs", "many"], "--epochs"),
        (["learn", "colours", "--method", "acme"], "Choose from: ace"),
        (["eval", "t", "--resume"], "--resume"),
        (["online", "t", "--resume", "--stdin"], "cannot be resumed"),
        (["online", "t", "--resume", "--behind"], "cannot be resumed"),
        (["playbook", "revert"], "VERSION"),
        (["learn", "no/such/task"], "task.toml"),
        (["tasks", "check", "no/such/task"], "task.toml"),
        (["playbook", "show"], "--playbook"),
        (["playbook", "import", "missing.md", "--playbook", "new.db"], "missing.md"),
        (["models", "pull", "local/unheard-of"], "unheard-of"),
    ],
    ids=" ".join,
)
def test_bad_usage_is_2_and_says_what(ace: Ace, args: list[str], said: str) -> None:
    done = ace(*args)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("command", ["show", "log", "export"])
def test_a_missing_playbook_is_a_failure_and_makes_no_file(ace: Ace, command: str) -> None:
    done = ace("playbook", command, "--playbook", "none.db")
    assert done.code == 1
    assert "none.db" in done.err
    assert not Path("none.db").exists()


def test_some_other_file_is_refused(ace: Ace) -> None:
    Path("notes.db").write_text("dear diary " * 100, encoding="utf-8")
    done = ace("playbook", "show")
    assert done.code == 1
    assert "notes.db" in done.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ModelError("it broke", hint="mend it"), 1),
        (errors.InputError("it broke", hint="mend it"), 2),
        (errors.CapReached("it broke", hint="mend it"), 3),
    ],
)
def test_errors_carry_their_exit_code(
    ace: Ace, monkeypatch: pytest.MonkeyPatch, error: errors.AceError, code: int
) -> None:
    monkeypatch.setattr(boundary, "app", raiser(error))
    done = ace()
    assert (done.code, done.err) == (code, "ace: it broke. mend it\n")


def test_version(ace: Ace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", {"ace-engine": "1.2.3"}.get)
    assert ace("--version").out == "ace 1.2.3\n"


def test_a_file_that_cannot_be_written_is_one_line(ace: Ace) -> None:
    Store.open("new.db").close()
    done = ace("playbook", "export", "no/such/folder/out.md")
    assert done.code == 1
    assert done.err.startswith("ace: ")
    assert "no/such/folder/out.md" in done.err
    assert "unexpected" not in done.err


def test_an_unexpected_error_is_one_line(ace: Ace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boundary, "app", raiser(RuntimeError("odd")))
    done = ace()
    assert done.code == 1
    assert done.err == "ace: unexpected RuntimeError: odd. Set ACE_DEBUG=1 to see the traceback.\n"


def test_the_traceback_is_one_variable_away(ace: Ace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACE_DEBUG", "1")
    monkeypatch.setattr(boundary, "app", raiser(RuntimeError("odd")))
    with pytest.raises(RuntimeError, match="odd"):
        ace()


def raiser(error: Exception) -> object:
    def app(**_: object) -> None:
        raise error

    return app


def test_a_terminal_gets_no_escape_codes_from_a_model() -> None:
    from ace.cli.output import make_printable

    assert make_printable("a\x1b[2Jb\n\tc é") == "a\\x1b[2Jb\n\tc é"


def test_the_default_model_is_that_of_the_clients() -> None:
    """It is spelled out in the options so that `--help` imports no client."""
    from ace.cli.options import DEFAULT_MODEL
    from ace.llm import DEFAULT_MODEL as MODEL

    assert DEFAULT_MODEL == MODEL


@pytest.mark.parametrize("command", list(Command))
def test_settings_are_options_with_their_defaults_and_help(command: Command) -> None:
    path = {Command.SERVE: "online", Command.COMPARE: "compare run"}.get(command, command).split()
    parsed: Any = typer.main.get_command(boundary.app)
    for name in path:
        parsed = parsed.commands[name]
    options = {parameter.name: parameter for parameter in parsed.params}
    for setting in settings_of(command):
        option = options[setting.name]
        assert option.default == setting.default_for(command)
        assert option.help == setting.help
        assert f"--{setting.name.replace('_', '-')}" in option.opts


def test_every_setting_is_for_some_command() -> None:
    """What no command takes could be set in no interface."""
    taken = {setting.name for command in Command for setting in settings_of(command)}
    assert taken == {item.name for item in fields(Settings)}


def test_json_of_a_list_is_one_object(ace: Ace) -> None:
    assert json.loads(ace("playbook", "list", "--json").out) == {"playbooks": []}
    listed = json.loads(ace("tasks", "list", "--json").out)
    assert listed["tasks"] == [] and "fresh_sql" in [each["name"] for each in listed["benchmarks"]]


def test_an_address_is_for_models_of_its_provider_only() -> None:
    """Another provider's key must not be sent to it."""
    from ace.cli.options import LearnOptions
    from ace.cli.run_session import address

    options = LearnOptions(task=None, model="hosted_vllm/m", api_base="http://gpu:8000/v1")
    assert address(options, "hosted_vllm/other") == "http://gpu:8000/v1"
    assert address(options, "anthropic/claude-sonnet-4-5") is None


@pytest.mark.parametrize("command", [["mcp"], ["ui"], ["doctor"], ["watch"]])
def test_a_playbook_is_named_as_a_word_or_by_the_option_that_others_have(
    ace: Ace, command: list[str]
) -> None:
    for package in {"mcp": ["mcp"], "ui": ["starlette", "uvicorn"]}.get(command[0], []):
        pytest.importorskip(package)
    as_word, by_option = ace(*command, "nowhere"), ace(*command, "--playbook", "nowhere")
    for done in (as_word, by_option):
        assert done.code and "nowhere" in done.out + done.err, done
    if command != ["ui"]:  # it shows several
        both = ace(*command, "nowhere", "--playbook", "other.db")
        assert both.code == 2 and "Two playbooks are named" in both.err
    assert not list(Path().iterdir())
