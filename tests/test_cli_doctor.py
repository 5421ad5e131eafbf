"""`ace doctor`: what it finds on this machine, and what it finds where something is broken on purpose."""

from __future__ import annotations

import json
import re
import sqlite3
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from ace.cli.doctor import packages, user_settings
from ace.playbook import Add
from ace.store import Store, table_sizes
from tests.cli import Ace, Done
from tests.model_server import ModelServer
from tests.test_architecture import ROOT

SECRET = "sk-proj-Zx81hHk2LmQp0Vd7Rt5Yw9Bn3Cf6"


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key and no variable of ours is set, and every package counts as installed."""
    import os

    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_TOKEN")) or (name.startswith("ACE_") and name != "ACE_CONFIG"):
            monkeypatch.delenv(name)


def findings(done: Done) -> dict[str, list[dict[str, Any]]]:
    by_topic: dict[str, list[dict[str, Any]]] = {}
    for finding in json.loads(done.out)["findings"]:
        by_topic.setdefault(finding["topic"], []).append(finding)
    return by_topic


def test_a_sound_machine_is_told_what_there_is(ace: Ace) -> None:
    done = ace("doctor")
    assert done.code == 0, done.out
    for topic in (
        "python",
        "packages",
        "extras",
        "weights",
        "machine",
        "disk",
        "sqlite",
        "terminal",
        "settings",
    ):
        assert f" {topic} " in done.out
    assert done.out.rstrip().splitlines()[-1].startswith("0 broken, ")
    assert not list(Path().iterdir())  # its probes are gone
    topics = findings(ace("doctor", "--json"))
    assert {finding["health"] for finding in topics["python"]} <= {"ok", "note"}
    assert all(finding["text"] for group in topics.values() for finding in group)


def test_keys_are_named_and_never_shown(ace: Ace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("ANTHROPIC_API_KEY", f"{SECRET}\n")
    monkeypatch.setenv("GEMINI_API_KEY", f'"{SECRET}"')
    monkeypatch.setenv("GROQ_API_KEY", " ")
    for done in (ace("doctor"), ace("doctor", "--json")):
        assert done.code == 0 and SECRET not in done.out + done.err
    keys = {finding["text"]: finding["health"] for finding in findings(done)["keys"]}
    assert keys == {
        "set: OPENAI_API_KEY": "ok",
        "ANTHROPIC_API_KEY begins or ends with a space or a line break": "warning",
        "GEMINI_API_KEY has quotation marks in it": "warning",
        "GROQ_API_KEY is empty": "warning",
    }


def test_settings_that_nobody_reads_are_named(
    ace: Ace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.mkdir()
    (config / "trusted.json").write_text("{broken")
    monkeypatch.setenv("ACE_CONFIG", str(config))
    monkeypatch.setenv("ACE_WEIGTHS", "/x")
    monkeypatch.setenv("ACE_WEIGHTS", str(tmp_path / "nothing.gguf"))
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(config))
    (config / "settings.json").write_text('{"hooks": }')
    topics = findings(ace("doctor", "--json"))
    texts = " ".join(f"{finding['text']} {finding['fix']}" for finding in topics["settings"])
    for part in ("ACE_WEIGTHS call it ACE_WEIGHTS", "Not readable", "settings.json of Claude Code"):
        assert part in texts
    assert any("nothing.gguf, which is no file" in finding["text"] for finding in topics["weights"])


def test_every_variable_that_is_read_is_known(ace: Ace, monkeypatch: pytest.MonkeyPatch) -> None:
    own = Path(user_settings.__file__)
    texts = [file.read_text() for file in (ROOT / "ace").rglob("*.py") if file != own]
    names = set(re.findall(r"\bACE_[A-Z_]+\b", " ".join(texts)))
    for name in names:
        monkeypatch.setenv(name, "nowhere")
    settings = findings(ace("doctor", "--json"))["settings"]
    assert "ACE_UI_TOKEN" in names and not [row for row in settings if "nobody reads" in row["text"]]


def test_an_extra_that_is_asked_for_must_be_there(ace: Ace, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "pandas":
            return "1.5"
        if name == "matplotlib":
            raise metadata.PackageNotFoundError(name)
        return metadata.version(name)

    monkeypatch.setattr(packages, "version", version)
    plain = ace("doctor")
    assert plain.code == 0 and "frames: without pandas>=2 (1.5 is here)" in plain.out
    asked = ace("doctor", "--extra", "report")
    assert asked.code == 1 and "pip install 'ace-engine[report]'" in asked.out and "1 broken" in asked.out
    unknown = ace("doctor", "--extra", "nothing")
    assert unknown.code == 1 and "no extra is called 'nothing'" in unknown.out


@pytest.mark.usefixtures("colours")
def test_a_model_is_asked_twice_and_one_that_is_down_is_broken(
    ace: Ace, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    up = ace("doctor", "--model", "openai/m", "--api-base", server.api_base)
    assert up.code == 0 and "openai/m answered in " in up.out and server.calls == 2
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    down = ace("doctor", "--model", "openai/m", "--api-base", "http://127.0.0.1:9/v1")
    assert down.code == 1 and "BROKEN model" in down.out and "Is the server running" in down.out
    assert SECRET not in down.out
    nobody = ace("doctor", "--model", "no-such-model")
    assert nobody.code == 1 and "No provider serves" in nobody.out


def fill(path: Path) -> None:
    with Store.open(path) as store:
        for number in range(30):
            lesson = f"Lesson {number}: " + f"{number} is a number. " * 20
            store.commit((Add(f"b-{number}", "facts", lesson),), author="user", reason="r")


def test_the_size_of_a_playbook_by_table(ace: Ace, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(Path("p.db"))
    exact = json.loads(ace("doctor", "p.db", "--json").out)["sizes"]
    tables = {table["name"]: table for table in exact["tables"]}
    assert (tables["bullets"]["rows"], tables["versions"]["rows"]) == (30, 31)
    has_dbstat = not exact["estimated"]
    if has_dbstat:
        assert sum(table["bytes"] for table in exact["tables"]) + exact["free"] <= exact["file"]
        assert tables["bullets"]["bytes"] > 30 * 350
    monkeypatch.setattr(table_sizes, "_read_dbstat", lambda db: None)
    done = ace("doctor", "p.db")
    assert done.code == 0 and "bytes (estimated)" in done.out and "does not count bytes" in done.out
    rough = {
        table["name"]: table for table in json.loads(ace("doctor", "p.db", "--json").out)["sizes"]["tables"]
    }
    assert rough["bullets"]["bytes"] > 30 * 350 and rough["tags"]["bytes"] == 0
    if has_dbstat:
        assert 0.2 < rough["bullets"]["bytes"] / tables["bullets"]["bytes"] < 1.2


def test_a_playbook_that_cannot_be_read_is_broken(ace: Ace) -> None:
    assert "There is no playbook" in ace("doctor", "missing.db").out
    Path("text.db").write_text("no database " * 100)
    broken = ace("doctor", "text.db")
    assert broken.code == 1 and "BROKEN playbook" in broken.out
    with sqlite3.connect("other.db") as db:
        db.execute("CREATE TABLE mine (x)")
    db.close()
    assert "not a playbook" in ace("doctor", "other.db").out
