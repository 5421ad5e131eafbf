"""`ace proxy` as its users run it: the command, its file of projects, and processes that die."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the proxy needs the extra `serve`")

from ace.servers.proxy.projects import hash_key
from ace.servers.proxy.spool import locate_spool
from ace.store import Store
from tests.cli import Ace
from tests.proxy_here import LINE, fill
from tests.proxy_process import run_proxy, wait_until
from tests.wire_server import WireServer

pytest_plugins = ["tests.proxy_fixtures"]
CHAT = "/v1/chat/completions"
ANSWER = "It is seven. 七"


def says(body: dict[str, Any]) -> Any:
    return ANSWER


def ask(question: str) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": question}]}


def read_questions(playbook: Path) -> list[str]:
    with Store.open(playbook, read_only=True) as store:
        assert store.verify() == []
        return sorted(episode.question for episode in store.episodes())


def test_nothing_is_lost_when_a_process_is_killed(tmp_path: Path, wire: WireServer) -> None:
    playbook = fill(tmp_path / "shop.db")
    words = ["--upstream", wire.url, "--playbook", str(playbook)]
    with run_proxy(*words) as proxy:
        _, reply = proxy.post(CHAT, ask("Before?"))
        assert proxy.feedback(reply["id"], right=False, expected="7")[0] in (200, 202)
        proxy.post(CHAT, ask("At once?"))
        proxy.process.kill()  # so soon that it may still be in the open file
        proxy.process.wait()
    with run_proxy(*words) as proxy:
        proxy.post(CHAT, ask("After?"))
        status, kept = proxy.feedback(reply["id"], text="Said once more.")
        assert status == 202 or kept["recorded"], "the ids of replies are known after a new start"
        proxy.stop()
    assert read_questions(playbook) == ["After?", "At once?", "Before?"]
    assert sorted(path.name for path in locate_spool(playbook).iterdir()) == ["replies.db"]
    with Store.open(playbook, read_only=True) as store:
        assert [(row.right, row.text) for row in store.feedback()] == [(False, ""), (None, "Said once more.")]


def test_what_had_no_room_is_said_at_the_end(tmp_path: Path, wire: WireServer) -> None:
    playbook = fill(tmp_path / "shop.db")
    with run_proxy("--upstream", wire.url, "--playbook", str(playbook), "--max-spool", "10") as proxy:
        for question in ("Red?", "Blue?"):
            assert proxy.post(CHAT, ask(question))[0] == 200
        log = proxy.stop()
    assert "2 exchanges and feedbacks were not recorded" in log and str(locate_spool(playbook)) in log
    assert read_questions(playbook) == []


def test_a_recorder_that_dies_is_started_again(tmp_path: Path, wire: WireServer) -> None:
    playbook = fill(tmp_path / "shop.db")
    with run_proxy("--upstream", wire.url, "--playbook", str(playbook)) as proxy:
        proxy.post(CHAT, ask("At first?"))
        children = Path(f"/proc/{proxy.process.pid}/task/{proxy.process.pid}/children")
        if not children.exists():
            pytest.skip("this system does not list the children of a process")
        os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
        _, reply = proxy.post(CHAT, ask("Meanwhile?"))
        proxy.wait_for_log("is started again")
        wait_until(lambda: proxy.feedback(reply["id"], right=True)[0] == 200, proxy.log)
        proxy.stop()
    assert read_questions(playbook) == ["At first?", "Meanwhile?"]


def test_projects_of_a_file_and_no_key_in_any_log(tmp_path: Path, wire: WireServer, ace: Ace) -> None:
    wire.bodies.clear()
    fill(tmp_path / "shop.db")
    file = tmp_path / "proxy.toml"
    file.write_text("# ours\n")
    done = ace("proxy", "add-project", "shop", "--projects", str(file), "--json")
    key = json.loads(done.out)["key"]
    assert ace("proxy", "add-project", "bank", "--playbook", "b.db", "--projects", str(file)).code == 0
    text = file.read_text()
    assert text.startswith("# ours\n") and key not in text and hash_key(key) in text
    refused = ace("proxy", "add-project", "shop", "--projects", str(file))
    assert refused.code == 2 and "already" in refused.err and file.read_text() == text
    with run_proxy("--upstream", wire.url, "--projects", str(file), "--host", "0.0.0.0") as proxy:
        address = proxy.url.replace("0.0.0.0", "127.0.0.1")
        proxy.url = address
        assert proxy.post(CHAT, ask("Red?"), {"x-ace-key": key})[0] == 200
        assert proxy.post(CHAT, ask("Red?"), {"authorization": f"Bearer {key}x"})[0] == 401
        assert proxy.post(CHAT, b'{"messages": [{"role": "user"', {"x-api-key": key})[0] >= 400
        proxy.post(CHAT, ask("Red?"), {"x-api-key": key, "host": key})
        log = proxy.stop()
    assert key not in log and key[4:] not in log, log
    assert LINE in json.dumps(wire.bodies[0]) and (tmp_path / "b.db").exists()
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or key.encode() not in path.read_bytes(), path


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("--playbook a.db", "--upstream"),
        ("--upstream ftp://x --playbook a.db", "upstream"),
        ("--upstream http://key@x --playbook a.db", "without a key"),
        ("--upstream http://x --playbook a.txt", "ends in .db"),
        ("--upstream http://x --playbook a.db --host 0.0.0.0", "keys of projects"),
        ("--upstream http://x --playbook bad.db", "not a playbook"),
        ("--upstream http://x --projects none.toml", "none.toml"),
        ("--upstream http://x --projects bad.toml", "bad.toml"),
        ("--upstream http://x --projects empty.toml", "add-project"),
        ("--upstream http://x --projects key.toml", "no hash of a key"),
        ("--upstream http://x --projects twice.toml", "is a key of 'a', too"),
        ("--upstream http://x --projects same.toml", "the same playbook"),
        ("--upstream http://x --projects word.toml", "playbok"),
        ("--projects good.toml", "--upstream"),
        ("--upstream http://x --projects good.toml --playbook a.db", "--projects"),
        ("--upstream http://x --playbook a.db --task nowhere", "nowhere"),
        ("add-project ../x", "cannot be called"),
    ],
)
def test_what_cannot_be_used_is_said_at_the_start(
    tmp_path: Path, ace: Ace, monkeypatch: pytest.MonkeyPatch, words: str, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    one, two = hash_key("one"), hash_key("two")
    table = '[projects.{}]\nplaybook = "{}"\nkeys = ["{}"]\n'
    good = table.format("a", "a.db", one)
    files = {
        "bad.toml": "[projects",
        "empty.toml": "",
        "key.toml": table.format("a", "a.db", "ace-plain"),
        "twice.toml": good + table.format("b", "b.db", one),
        "same.toml": good + table.format("b", "./a.db", two),
        "word.toml": good.replace("playbook", "playbok"),
        "good.toml": good,
        "bad.db": "no playbook at all",
    }
    for name, text in files.items():
        Path(name).write_text(text)
    done = ace("proxy", *words.split())
    assert done.code in (1, 2) and reason in done.err and "Traceback" not in done.err, done.err
    assert done.err.count("\n") <= 2


def test_an_address_in_use_is_said_so(tmp_path: Path, ace: Ace, wire: WireServer) -> None:
    port = wire.url.rpartition(":")[2]
    playbook = fill(tmp_path / "shop.db")
    done = ace("proxy", "--upstream", wire.url, "--playbook", str(playbook), "--port", port)
    assert done.code == 2 and port in done.err
