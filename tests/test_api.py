"""The public names, and that what a user would write with them works."""

from __future__ import annotations

import ast
import inspect
import pydoc
import re
import subprocess
import sys
import typing
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import ace
from ace.errors import InputError
from ace.llm import DEFAULT_MODEL, Endpoint
from ace.settings import Command, FeedbackKind, settings_of
from tests.world import client, team, world

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ace.Store]:
    with ace.open_playbook(tmp_path / "colours.db") as store:
        yield store


def test_public_names() -> None:
    """A change here is a change for every user: it belongs in the changelog."""
    assert ace.__all__ == [
        "AceError",
        "Caps",
        "RecordingClient",
        "ReplayClient",
        "Report",
        "RoleModels",
        "Sample",
        "ScriptedClient",
        "Settings",
        "Store",
        "Study",
        "Task",
        "__version__",
        "as_context",
        "compare",
        "connect",
        "define_task",
        "evaluate",
        "learn",
        "learner",
        "learning",
        "list_runs",
        "load_task",
        "online",
        "open_domain",
        "open_playbook",
        "read_router",
        "read_study",
        "serve",
    ]


def test_every_name_is_there_and_documented(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", {"ace-engine": "1.2.3"}.get)
    monkeypatch.delitem(vars(ace), "__version__", raising=False)
    assert ace.__version__ == "1.2.3"
    monkeypatch.delitem(vars(ace), "__version__")
    for name in set(ace.__all__) - {"__version__"}:
        assert getattr(ace, name).__doc__, name
    assert set(ace.__all__) <= set(dir(ace))
    with pytest.raises(AttributeError, match="no attribute 'lern'"):
        ace.lern  # type: ignore[attr-defined]  # noqa: B018


LAZY = ("ace", "ace.memory", "ace.playbook", "ace.task", "ace.text")


@pytest.mark.parametrize("name", LAZY)
def test_what_type_checkers_see_is_what_is_resolved(name: str) -> None:
    package = import_module(name)
    tree = ast.parse(Path(str(package.__file__)).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen: dict[str, set[str]] = {}
    for node in block.body:
        if isinstance(node, ast.ImportFrom):
            seen.setdefault(str(node.module), set()).update(alias.name for alias in node.names)
    assert seen == {module: set(names) for module, names in package._HOMES.items()}
    assert set().union(*seen.values()) == set(package.__all__) - {"__version__"}
    assert all(getattr(package, public) is not None for public in package.__all__)


@pytest.mark.parametrize("name", LAZY)
def test_submodules_do_not_hide_names(name: str) -> None:
    """Importing a module sets it as an attribute of its package."""
    package = import_module(name)
    folder = Path(str(package.__file__)).parent
    assert not {path.stem for path in folder.iterdir()} & set(package.__all__)


def test_importing_brings_nothing_else() -> None:
    """What is used of it is imported then; what a bare import brings is what it takes."""
    program = "import sys; old = set(sys.modules); import ace; print(*set(sys.modules) - old)"
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    modules = run.stdout.split()
    others = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names
    assert others == {"ace"} and len(modules) < 60


@pytest.mark.parametrize(
    ("function", "command"),
    [
        (ace.learn, Command.LEARN),
        (ace.online, Command.ONLINE),
        (ace.serve, Command.SERVE),
        (ace.evaluate, Command.EVAL),
        (ace.compare, Command.COMPARE),
    ],
    ids=lambda part: getattr(part, "__name__", str(part)),
)
def test_settings_are_keywords_with_their_defaults_and_help(
    function: typing.Callable[..., typing.Any], command: Command
) -> None:
    parameters = inspect.signature(function).parameters
    page = pydoc.plain(pydoc.render_doc(function))
    for setting in settings_of(command):
        assert parameters[setting.name].default == setting.default_for(command)
        assert setting.help in page
        assert f"{setting.name}: " in page
    assert not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())


def test_a_client_stands_for_every_role(store: ace.Store) -> None:
    report = ace.learn(world(), store, client(), workers=1, batch_size=5)
    assert report.after and report.after.correct == 10
    assert set(report.models.values()) == {"scripted"}
    assert store.run(report.run).config["batch_size"] == 5


def test_a_team_is_used_as_it_is(store: ace.Store) -> None:
    mine = team()
    report = ace.learn(world(), store, mine)
    assert report.usage == mine.meter.usage
    with pytest.raises(ace.AceError, match=r"RoleModels\.of"):
        ace.learn(world(), store, mine, caps=ace.Caps(calls=1))


def test_a_name_is_connected_for_the_call_and_closed(
    store: ace.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected: list[tuple[str, int]] = []
    closed: list[str] = []

    def connect(name: str, *, slots: int) -> Endpoint:
        connected.append((name, slots))
        return Endpoint(name)

    monkeypatch.setattr("ace.api.connect", connect)
    monkeypatch.setattr(Endpoint, "__exit__", lambda self, *_: closed.append(self.model))
    monkeypatch.setattr(Endpoint, "ask", lambda self, *given, **options: client().ask(*given, **options))
    assert ace.evaluate(world(), store, workers=2).model == DEFAULT_MODEL
    assert ace.evaluate(world(), store, "openai/some").model == "openai/some"
    assert connected == [(DEFAULT_MODEL, 2), ("openai/some", 4)]
    assert closed == [DEFAULT_MODEL, "openai/some"]


def test_caps_stop_a_run(store: ace.Store) -> None:
    report = ace.learn(world(), store, client(), caps=ace.Caps(calls=30), workers=1)
    assert "cap of 30 calls" in report.stopped
    rest = ace.learn(world(), store, client(), workers=1, resume=True)
    assert rest.run == report.run and rest.after and rest.after.correct == 10


def test_online_and_evaluate(store: ace.Store) -> None:
    served = ace.online(world(), store, client(), batch_size=5)
    assert served.after and served.after.total == 10
    scores = [
        ace.evaluate(world(), store, client(), version=version, split="val").after for version in (0, None)
    ]
    assert [score and score.correct for score in scores] == [0, 10]


def test_choices_are_words(store: ace.Store) -> None:
    report = ace.learn(world(), store, client(), feedback="none", measure=False)
    assert store.run(report.run).config["feedback"] == FeedbackKind.NONE
    with pytest.raises(ace.AceError, match=r"feedback is 'label'\. Use labels, execution or none"):
        ace.learn(world(), store, client(), feedback="label")
    with pytest.raises(ace.AceError, match=r"split is 'dev'"):
        ace.evaluate(world(), store, client(), split="dev")


@pytest.mark.parametrize(
    ("keywords", "advice"),
    [
        ({"epoch": 2}, "Did you mean epochs?"),
        ({"resum": True}, "Did you mean resume?"),
        ({"split": "val"}, "It is for eval."),
        ({"colour": "red"}, "There are: method, examples"),
        ({"method": "acme"}, "Choose from: ace, zero_shot"),
    ],
    ids=str,
)
def test_a_keyword_that_is_wrong_says_what_to_do(
    store: ace.Store, keywords: dict[str, typing.Any], advice: str
) -> None:
    with pytest.raises(InputError) as error:
        ace.learn(world(), store, client(), **keywords)
    assert advice in error.value.hint
    assert not store.runs()


def test_a_playbook_as_context(store: ace.Store) -> None:
    assert ace.as_context(store) == ""
    ace.learn(world(), store, client(), measure=False)
    text = ace.as_context(store)
    assert text == ace.as_context(store.checkout()) and text.count("\n- ") == 10
    assert ace.as_context(store, budget=0) == ""
    assert len(ace.as_context(store, 100, count_tokens=len)) <= 100


def test_a_playbook_is_opened_to_read_only_where_it_is(tmp_path: Path) -> None:
    with pytest.raises(ace.AceError):
        ace.open_playbook(tmp_path / "absent.db", read_only=True)
    assert not list(tmp_path.iterdir())


def test_the_page_names_everything() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    table = "".join(line.split(" | ")[0] for line in page.splitlines() if line.startswith("|"))
    assert set(re.findall(r"[`.](\w+)", table)) >= set(ace.__all__)


def test_the_readmes_python_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ace.api.connect", lambda name, slots: Endpoint(name))
    says = ace.ScriptedClient(lambda request: "st = 7")
    monkeypatch.setattr(Endpoint, "ask", lambda self, *given, **options: says.ask(*given, **options))
    names: dict[str, typing.Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL):
        exec(block, names)  # each goes on where the one before it was
    assert "learn filters with local/qwen2.5-coder-1.5b" in capsys.readouterr().out
    assert (tmp_path / "filters.db").exists()
