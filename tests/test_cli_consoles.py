"""Consoles that are not UTF-8, streams that are closed, and paths that only look like files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ace.playbook import Add
from ace.store import Store
from tests.cli import Ace
from tests.world import write_world

ROOT = Path(__file__).parent.parent
ACE = (sys.executable, "-c", "from ace.cli.main import main; main()")
TEXT = "Grüße 👋 auf 日本語."


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "playbook.db"
    with Store.open(path) as store:
        store.commit((Add("b-1", "notes", TEXT),), author="user", reason="r")
    return path


def run(encoding: str, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    command = [*ACE, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, cwd=ROOT, check=False, env=environment)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1", "utf-16-le", "utf-8"])
def test_a_console_without_a_character_shows_its_escape(encoding: str, file: Path) -> None:
    done = run(encoding, "playbook", "export", "--playbook", file)
    shown = TEXT.encode(encoding, "backslashreplace").decode(encoding)
    assert done.returncode == 0 and shown in done.stdout.decode(encoding)
    assert ("escaped" in done.stderr.decode(encoding)) is (shown != TEXT)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_json_escapes_in_its_own_way(encoding: str, file: Path) -> None:
    done = run(encoding, "playbook", "show", "b-1", "--playbook", file, "--json")
    assert json.loads(done.stdout.decode(encoding))["bullet"]["content"] == TEXT


def test_errors_and_help_are_shown_too(file: Path) -> None:
    done = run("ascii", "playbook", "show", "größe", "--playbook", file)
    assert done.returncode != 0 and b"gr\\xf6\\xdfe" in done.stderr
    assert run("ascii", "--help").returncode == 0


def test_text_of_a_command_line_is_read_where_the_locale_knows_ascii_only(tmp_path: Path) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    file = tmp_path / "größe.db"
    command = [*ACE, "playbook", "add", "Grüße, 日本", "--playbook", str(file)]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=os.environ | ascii_only)
    with Store.open(file) as store:
        assert [bullet.content for bullet in store.checkout()] == ["Grüße, 日本"]


def test_a_text_of_a_command_line_may_have_many_lines(file: Path) -> None:
    lines = "\n".join(f"Line {number}: café" for number in range(300))
    done = run("utf-8", "playbook", "add", lines, "--playbook", file)
    assert done.returncode == 0, done.stderr
    assert b"unexpected" not in done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_streams_that_were_closed_before_the_start(closed: str, file: Path) -> None:
    words = f'"{sys.executable}" -c "from ace.cli.main import main; main()" playbook show --playbook "{file}"'
    done = subprocess.run(f"{words} {closed}", shell=True, capture_output=True, cwd=ROOT, check=False)
    assert done.returncode == 0


KINDS = {"it is a pipe": "pipe", "it is a folder": "folder", "it is a device": os.devnull}


@pytest.mark.parametrize("obstacle", KINDS)
@pytest.mark.parametrize(
    "words",
    [
        "playbook show --playbook {}",
        "playbook add x --playbook {}",
        "playbook import {} --playbook new.db",
        "playbook restore {} --playbook new.db",
        "learn --from-traces {}",
        "memory import {} --playbook new.db",
        "memory extract {} --playbook new.db",
        "documents search x --index {}",
    ],
)
@pytest.mark.timeout(60)
def test_what_is_no_file_is_refused_at_once(words: str, obstacle: str, ace: Ace) -> None:
    os.mkfifo("pipe")
    Path("folder").mkdir()
    done = ace(*words.format(KINDS[obstacle]).split())
    assert done.code in (1, 2) and obstacle in done.err, done.err
    assert not Path("new.db").exists()


@pytest.mark.timeout(60)
def test_an_export_goes_to_pipes_that_are_read_and_to_no_others(file: Path, ace: Ace) -> None:
    os.mkfifo("pipe.md")
    Path("loop.md").symlink_to("loop.md")
    for name, reason in {"pipe.md": "nobody reads", "loop.md": "leads back to itself"}.items():
        done = ace("playbook", "export", name, "--playbook", str(file))
        assert done.code == 1 and reason in done.err and "unexpected" not in done.err
    reader = os.open("pipe.md", os.O_RDONLY | os.O_NONBLOCK)
    assert ace("playbook", "export", "pipe.md", "--playbook", str(file)).code == 0
    assert TEXT.encode() in os.read(reader, 10_000)
    os.close(reader)


def test_a_file_without_text_is_named_and_needs_no_model(ace: Ace) -> None:
    Path("empty.jsonl").touch()
    Path("zeros.md").write_bytes(bytes(100))
    assert (
        ace("memory", "extract", "empty.jsonl", "--playbook", "new.db").out == "empty.jsonl: nothing in it\n"
    )
    assert "it is binary" in ace("playbook", "import", "zeros.md", "--playbook", "new.db").err


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["task.toml", "train.jsonl"])
def test_a_pipe_in_a_task_is_no_file(name: str, ace: Ace) -> None:
    write_world(Path("task"))
    (Path("task") / name).unlink()
    os.mkfifo(Path("task") / name)
    done = ace("tasks", "check", "task")
    assert done.code == 2 and name in done.err
