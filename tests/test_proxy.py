"""The proxy over real connections: what passes as it is, what is recorded, who may come in."""

from __future__ import annotations

import errno
import gzip
import json
import socket
import sqlite3
import threading
import time
import urllib.error
import urllib.request
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the proxy needs the extra `serve`")
pytest.importorskip("uvicorn", reason="the proxy needs the extra `serve`")

from ace.errors import StoreUnwritable
from ace.hooks.session_lessons import HEADING
from ace.loop import AgentLearner
from ace.playbook import Add
from ace.playbook.model import Status
from ace.servers.proxy.forward import Limits
from ace.servers.proxy.projects import Project, hash_key
from ace.servers.proxy.spool import Exchange, SpoolWriter, locate_spool, measure_folder
from ace.store import Store
from ace.testing import World
from tests.byte_server import exchange_bytes, say, serve_bytes
from tests.pace import patience
from tests.proxy_here import LINE, ProxyHere, RecorderThread, fill, serve_here
from tests.wire_server import WireServer

pytest_plugins = ["tests.proxy_fixtures"]
CHAT = "/v1/chat/completions"
ASKED = {"model": "m", "messages": [{"role": "user", "content": "What is réd?"}]}
ANSWER = "It is seven. 七"
KEY, OTHER_KEY = "ace-key-of-the-first-project-0123456789", "ace-key-of-the-second-project-9876543210"


def says(body: dict[str, Any]) -> Any:
    """Answer, or fail where that is asked for."""
    return 500 if "fail" in json.dumps(body) else ANSWER


def post(proxy: ProxyHere, path: str, body: Any, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    """Return the status of a reply, and its JSON."""
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(proxy.url + path, payload, headers or {})
    try:
        with urllib.request.urlopen(request, timeout=patience(30)) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def read_episodes(playbook: Path) -> list[Any]:
    with Store.open(playbook, read_only=True) as store:
        assert store.verify() == []
        return store.episodes()


def wait_for_episodes(playbook: Path, count: int) -> list[Any]:
    end = time.monotonic() + patience(20)
    while len(episodes := read_episodes(playbook)) < count:
        assert time.monotonic() < end, f"{len(episodes)} of {count} episodes"
        time.sleep(0.05)
    return episodes


def request_bytes(path: str, body: bytes, *lines: str, port: int = 80) -> bytes:
    """Return a request as bytes, after whose reply the connection ends."""
    head = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Content-Length: {len(body)}", *lines]
    return "\r\n".join([*head, "Connection: close", "", ""]).encode() + body


def split_reply(reply: bytes) -> tuple[bytes, list[bytes], bytes]:
    """Return the status line, the headers but that of the connection, and the body.

    A server may write the names of headers as it likes.
    """
    head, _, body = reply.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    headers = [b": ".join((name.lower(), value)) for name, value in (line.split(b": ", 1) for line in lines)]
    return status, [header for header in headers if not header.startswith(b"connection")], body


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, b'{"model":"m", "n" : 1e0,\n "messages":[{"role":"user","content":"\\u00e9\\ud83d"}]}'),
        (CHAT, '{"messages": [{"role": "system", "content": "Kürz \\"x\\""}, {"role": "user"}]}'.encode()),
        (
            "/v1/messages?beta=true",
            b'{"system":[{"type":"text","text":"A","cache_control":{"type":"ephemeral"}},'
            b'{"type":"text","text":"B"}],"messages":[]}',
        ),
        ("/v1/messages", b'{"max_tokens": 1000000000000000000000, "messages": [] , "system": "Mine"}'),
        ("/v1/messages/count_tokens", b'{"messages": []}'),
        ("/v1/responses", b'{"input": "hello", "instructions": null}'),
    ],
)  # fmt: skip
def test_a_request_is_the_same_but_for_the_playbook(playbook: Path, path: str, body: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    with (
        serve_bytes(say(answer)) as upstream,
        serve_here(Project(playbook=playbook, upstream=upstream.url)) as proxy,
    ):
        exchange_bytes(
            proxy.port, request_bytes(path, body, "anthropic-beta: a,b", "x-Odd: é", port=proxy.port)
        )
        ((head, sent),) = upstream.requests
    lines = head.split(b"\r\n")
    assert lines[0] == f"POST {path} HTTP/1.1".encode()
    assert b"anthropic-beta: a,b" in lines and "x-Odd: é".encode() in [
        line.replace(b"x-odd", b"x-Odd") for line in lines
    ]
    text = (HEADING + f"## facts\n- {LINE}\n").replace("\n", "\\n").encode()
    before, found, after = sent.partition(text)
    assert found, sent
    without = next(
        (
            joined
            for wrap in WRAPS
            if (joined := before.removesuffix(wrap[0]) + after.removeprefix(wrap[1])) == body
        ),
        b"",
    )
    assert without == body or json.loads(body).get("instructions", 0) is None
    if b"cache_control" in body:
        assert sent.index(b"ephemeral") < len(before) < sent.index(b'"B"')


WRAPS = [
    (b'{"role": "system", "content": "', b'"}, '),
    (b"\\n\\n", b""),
    (b', {"type": "text", "text": "', b'"}'),
    (b'{"type": "text", "text": "', b'"}, '),
    (b', "system": "', b'"'),
]
"""What stands around a text that is put into a body."""


REPLIES = {
    "gzip": [
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n",
        gzip.compress(
            json.dumps(
                {"id": "c", "choices": [{"message": {"role": "assistant", "content": "zipped"}}]}
            ).encode()
        ),
    ],
    "headers that stand twice": [
        b"HTTP/1.1 201 Made\r\nX-One: 1\r\nX-One: 2\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
        b"Date: never\r\nServer: odd\r\nContent-Length: 3\r\n\r\n\x00\xff{",
    ],
    "malformed events": [
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n",
        b"data: {\n\nevent: \xff\xfe\ndata\n\n: hm\r\rdata: [DONE]",
    ],
    "an error": [
        b"HTTP/1.1 429 Slow Down\r\nRetry-After: 7\r\nContent-Type: text/plain\r\n"
        b"Content-Length: 4\r\n\r\nslow"
    ],
    "no content": [b"HTTP/1.1 204 No Content\r\n\r\n"],
    "a redirect": [b"HTTP/1.1 307 Go\r\nLocation: http://example.org/\r\nContent-Length: 0\r\n\r\n"],
    "cut off": [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"],
    "cut off in a chunk": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n10\r\nhalf"],
}


@pytest.mark.parametrize("name", REPLIES)
def test_a_reply_is_the_same_byte_for_byte(playbook: Path, name: str) -> None:
    body = json.dumps(ASKED).encode()
    with (
        serve_bytes(say(*REPLIES[name])) as upstream,
        serve_here(Project(playbook=playbook, upstream=upstream.url)) as proxy,
    ):
        direct = split_reply(exchange_bytes(upstream.port, request_bytes(CHAT, body)))
        passed = split_reply(exchange_bytes(proxy.port, request_bytes(CHAT, body, port=proxy.port)))
        proxy.stop()
    if name == "cut off in a chunk":
        assert b"hello" in passed[2] and not passed[2].endswith(b"0\r\n\r\n")
        return
    assert passed[0].split(b" ")[:2] == direct[0].split(b" ")[:2]
    chunked = b"transfer-encoding: chunked"
    assert [line for line in passed[1] if line.lower() != chunked] == direct[1]
    if any(line.lower() == chunked for line in passed[1]):
        passed_body = b"".join(passed[2].split(b"\r\n", 1)[1].rsplit(b"\r\n0\r\n\r\n", 1))
        assert passed_body == direct[2]
    else:
        assert passed[2] == direct[2]
    (episode,) = read_episodes(playbook)
    if name == "gzip":
        assert episode.attempt.answer == "zipped"
    else:
        assert episode.attempt.error


def test_what_is_no_call_of_a_model_passes_as_it_is(
    proxy: ProxyHere, wire: WireServer, playbook: Path
) -> None:
    assert post(proxy, "/chat/completions", b'{"messages": "no list"}')[0] == 200
    assert post(proxy, "/v1/threads/7/messages", {"messages": [], "role": "user"})[0] == 200
    assert wire.paths[-2:] == ["/chat/completions", "/v1/threads/7/messages"]
    assert LINE not in json.dumps(wire.bodies)
    proxy.stop()
    assert read_episodes(playbook) == []


def test_feedback_by_the_id_of_a_reply(proxy: ProxyHere, playbook: Path) -> None:
    _, first = post(proxy, CHAT, ASKED)
    _, second = post(proxy, CHAT, {"messages": [{"role": "user", "content": "What is blue?"}]})
    status, answer = post(
        proxy, "/v1/feedback", {"response_id": first["id"], "right": False, "expected": "7"}
    )
    assert (status, answer["recorded"]) == (200, True)
    (episode,) = read_episodes(playbook)
    assert (episode.id, episode.question, episode.attempt.answer) == (
        answer["episode"],
        "What is réd?",
        ANSWER,
    )
    assert episode.context_version == 1
    assert post(proxy, "/v1/feedback", {"response_id": second["id"], "score": 0.5})[0] == 200
    assert post(proxy, "/v1/feedback", {"response_id": "nobody's", "right": True})[0] == 404
    with Store.open(playbook, read_only=True) as store:
        assert [(row.right, row.expected, row.score) for row in store.feedback()] == [
            (False, "7", None),
            (None, "", 0.5),
        ]


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"right": true}', b'{"response_id": "x"}', b'{"response_id": "x", "rigth": true}',
     b'{"response_id": "x", "score": 7}', b'{"response_id": "x", "right": "no"}',
     b'{"response_id": "x", "text": 7}',
     b'{"response_id": 7, "right": true}', b"[" * 100_000],
)  # fmt: skip
def test_feedback_that_cannot_be_used_is_refused(playbook: Path, wire: WireServer, body: bytes) -> None:
    with serve_here(Project(playbook=playbook, upstream=wire.url)) as proxy:
        status, answer = post(proxy, "/v1/feedback", body)
    assert (status, answer["error"]["type"]) == (400, "invalid_feedback")
    words = "score" if b"score" in body else "response_id"
    assert words in answer["error"]["message"]


def test_a_session_is_one_conversation_and_others_are_not(proxy: ProxyHere, playbook: Path) -> None:
    def ask(session: str, *texts: str) -> str:
        roles = ("user", "assistant")
        messages = [{"role": roles[place % 2], "content": text} for place, text in enumerate(texts)]
        _, reply = post(proxy, CHAT, {"messages": messages}, {"x-session-id": session})
        return str(reply["choices"][0]["message"]["content"])

    first = ask("s-1", "What is red?")
    ask("s-2", "What is red?", first, "Sure?")  # continues what another session began: not its conversation
    ask("s-1", "What is red?", first, "Sure?")
    proxy.stop()
    lengths = sorted(len(episode.attempt.turns) for episode in read_episodes(playbook))
    assert lengths == [4, 4]
    with Store.open(playbook, read_only=True) as store:
        sql = "SELECT event FROM episode_events WHERE number = 0"
        with closing(sqlite3.connect(playbook)) as db:
            sessions = {json.loads(row[0])["data"]["session"] for row in db.execute(sql)}
        assert sessions == {"s-1", "s-2"} and store.verify() == []


def test_a_conversation_keeps_its_playbook_and_a_new_one_has_the_newest(
    proxy: ProxyHere, wire: WireServer, playbook: Path
) -> None:
    post(proxy, CHAT, ASKED)
    with Store.open(playbook) as store:
        store.commit((Add("b-new", "facts", "Blue means four."),), author="person", reason="new")
    end = time.monotonic() + patience(20)
    while "Blue means four." not in json.dumps(wire.bodies[-1]):
        assert time.monotonic() < end
        time.sleep(0.1)
        post(proxy, CHAT, {"messages": [{"role": "user", "content": "What is blue?"}]})
    more = [{"role": "assistant", "content": ANSWER}, {"role": "user", "content": "Sure?"}]
    post(proxy, CHAT, {"messages": [*ASKED["messages"], *more]})  # type: ignore[misc]
    assert LINE in json.dumps(wire.bodies[-1]) and "Blue" not in json.dumps(wire.bodies[-1])


@pytest.mark.parametrize("carrier", ["x-ace-key", "authorization", "x-api-key"])
def test_keys_name_projects_which_are_apart(
    tmp_path: Path, carrier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = json.dumps(
        {"id": "same", "choices": [{"message": {"role": "assistant", "content": "seven"}}]}
    ).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer)}\r\n\r\n".encode()
    monkeypatch.setenv("UPSTREAM_KEY", "sk-of-the-upstream")

    def headers(key: str) -> dict[str, str]:
        more = {"authorization": "Bearer sk-mine"} if carrier == "x-ace-key" else {}
        return {**more, carrier: f"Bearer {key}" if carrier == "authorization" else key}

    with serve_bytes(say(head, answer)) as upstream:
        first = Project(
            name="one", playbook=fill(tmp_path / "1.db"), upstream=upstream.url, keys=(hash_key(KEY),)
        )
        second = replace(
            first,
            name="two",
            playbook=fill(tmp_path / "2.db", "Blue means four."),
            keys=(hash_key(OTHER_KEY),),
            upstream_key="UPSTREAM_KEY",
        )
        with serve_here(first, second) as proxy:
            assert post(proxy, CHAT, ASKED, headers(KEY))[0] == 200
            assert post(proxy, CHAT, ASKED, headers(OTHER_KEY))[0] == 200
            for bad in ({}, headers("ace-guessed"), headers(hash_key(KEY))):
                status, refusal = post(proxy, CHAT, ASKED, bad)
                assert (status, refusal["error"]["type"]) == (401, "invalid_key")
                assert post(proxy, "/v1/feedback", {"response_id": "same", "right": True}, bad)[0] == 401
            feedback = {"response_id": "same", "right": True}
            assert post(proxy, "/v1/feedback", feedback, headers(KEY))[0] == 200
        heads, bodies = zip(*upstream.requests, strict=True)
    assert [LINE.encode() in body for body in bodies] == [True, False] and b"Blue" in bodies[1]
    assert KEY.encode() not in b"".join(heads) and OTHER_KEY.encode() not in b"".join(heads)
    sent_on = {"x-ace-key": b"sk-mine", "authorization": b"none", "x-api-key": b"none"}[carrier]
    assert (sent_on in heads[0]) == (carrier == "x-ace-key") and b"sk-of-the-upstream" in heads[1]
    with Store.open(first.playbook, read_only=True) as store:
        assert len(store.feedback()) == 1
    with Store.open(second.playbook, read_only=True) as store:
        assert store.feedback() == [] and len(store.episodes()) == 1
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or KEY.encode() not in path.read_bytes(), path


def test_feedback_on_a_reply_of_another_project_is_refused(tmp_path: Path, wire: WireServer) -> None:
    first = Project(name="one", playbook=fill(tmp_path / "1.db"), upstream=wire.url, keys=(hash_key(KEY),))
    second = replace(first, name="two", playbook=fill(tmp_path / "2.db"), keys=(hash_key(OTHER_KEY),))
    with serve_here(first, second) as proxy:
        _, reply = post(proxy, CHAT, ASKED, {"x-ace-key": KEY})
        feedback = {"response_id": reply["id"], "right": False}
        assert post(proxy, "/v1/feedback", feedback, {"x-ace-key": OTHER_KEY})[0] == 404
        assert post(proxy, "/v1/feedback", feedback, {"x-ace-key": KEY})[0] == 200


def test_size_and_rate_are_bounded(playbook: Path, wire: WireServer) -> None:
    wire.bodies.clear()
    project = Project(playbook=playbook, upstream=wire.url, rate=2.0)
    with serve_here(project, limits=Limits(size=1_000)) as proxy:
        huge = request_bytes(CHAT, b"", port=proxy.port).replace(
            b"Content-Length: 0", b"Content-Length: 9999999999"
        )
        assert b" 413 " in exchange_bytes(proxy.port, huge)
        chunks = b"400\r\n" + b"x" * 0x400 + b"\r\n"
        head = (
            huge.partition(b"Content-Length")[0] + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        )
        assert b"request_too_large" in exchange_bytes(proxy.port, head + chunks * 3)
        statuses = [post(proxy, CHAT, ASKED)[0] for _ in range(8)]
        assert statuses[0] == 200 and 429 in statuses
    assert len(wire.bodies) == statuses.count(200)


def test_only_this_server_is_meant_and_no_page_of_another(proxy: ProxyHere) -> None:
    for line, reason in (
        ("Host: evil.example", b"unknown_host"),
        ("Origin: http://evil.example", b"foreign_origin"),
    ):
        request = request_bytes(CHAT, b"{}", line, port=proxy.port)
        if line.startswith("Host"):
            request = request.replace(f"Host: 127.0.0.1:{proxy.port}\r\n".encode(), b"", 1)
        reply = exchange_bytes(proxy.port, request)
        assert b" 403 " in reply and reason in reply


def test_a_silent_upstream_and_none_are_said_so(playbook: Path) -> None:
    def wait(connection: socket.socket, head: bytes, body: bytes) -> None:
        connection.recv(1)  # until the proxy hangs up

    with serve_bytes(wait) as upstream:
        project = Project(playbook=playbook, upstream=upstream.url)
        with serve_here(project, limits=Limits(silence=0.3)) as proxy:
            status, refusal = post(proxy, CHAT, ASKED)
            assert (status, refusal["error"]["type"]) == (504, "upstream_silent")
    with serve_here(replace(project, upstream="http://127.0.0.1:9")) as proxy:
        status, refusal = post(proxy, CHAT, {"messages": [{"role": "user", "content": "Again?"}]})
        assert (status, refusal["error"]["type"]) == (502, "upstream_unreachable")
    errors = {episode.attempt.error for episode in read_episodes(playbook)}
    assert errors == {"the upstream fell silent", "the upstream could not be reached"}


def test_a_key_that_no_header_can_hold_is_in_no_answer_and_no_log(
    playbook: Path, wire: WireServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    project = Project(
        playbook=playbook, upstream=wire.url, keys=(hash_key(KEY),), upstream_key="UPSTREAM_KEY"
    )
    with serve_here(project) as proxy:
        monkeypatch.setenv("UPSTREAM_KEY", "sk-with-a-break\n")
        assert post(proxy, CHAT, ASKED, {"x-api-key": KEY})[0] == 200
        monkeypatch.setenv("UPSTREAM_KEY", "sk-with-a\nbreak")
        status, refusal = post(proxy, CHAT, ASKED, {"x-api-key": KEY})
    assert (status, refusal["error"]["type"]) == (502, "upstream_unreachable")
    assert "no header may" in refusal["error"]["message"]
    assert "sk-with" not in json.dumps(refusal) + caplog.text


def test_an_upstream_that_closes_without_a_reply_is_said_so(playbook: Path) -> None:
    with (
        serve_bytes(say()) as upstream,
        serve_here(Project(playbook=playbook, upstream=upstream.url)) as proxy,
    ):
        status, refusal = post(proxy, CHAT, ASKED)
        assert (status, refusal["error"]["type"]) == (502, "upstream_unreachable")
    (episode,) = read_episodes(playbook)
    assert episode.attempt.error == "the upstream could not be reached" and len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("path", "status", "requests"),
    [
        (CHAT, 200, 2),
        ("/v1/messages/count_tokens", 200, 2),
        ("/v1/files", 502, 1),  # it may have been taken, and taking it twice makes two files
    ],
)
def test_a_call_on_a_kept_connection_that_the_upstream_closes_is_made_again(
    playbook: Path, path: str, status: int, requests: int
) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

    def answer_once(connection: socket.socket, head: bytes, body: bytes) -> None:
        connection.sendall(answer)
        connection.recv(65_536)  # the next request: the connection ends with it

    with (
        serve_bytes(answer_once) as upstream,
        serve_here(Project(playbook=playbook, upstream=upstream.url)) as proxy,
    ):
        assert post(proxy, CHAT, ASKED)[0] == 200
        assert post(proxy, path, ASKED)[0] == status
        assert len(upstream.requests) == requests


def test_a_client_that_takes_nothing_keeps_no_upstream(playbook: Path) -> None:
    ended = threading.Event()

    def pour(connection: socket.socket, head: bytes, body: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                connection.sendall(bytes(100_000))
        finally:
            ended.set()

    project = Project(playbook=playbook, upstream="")
    with serve_bytes(pour) as upstream:
        project = replace(project, upstream=upstream.url)
        with (
            serve_here(project, limits=Limits(silence=0.3)) as proxy,
            socket.create_connection(("127.0.0.1", proxy.port)) as client,
        ):
            client.sendall(request_bytes(CHAT, json.dumps(ASKED).encode(), port=proxy.port))
            assert ended.wait(patience(20))
    assert len(read_episodes(playbook)) == 1


@pytest.mark.parametrize("last", ["write", "unlink"])
def test_a_recorder_that_is_killed_on_the_way_records_nothing_twice(
    playbook: Path, wire: WireServer, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    """It is killed before the playbook has the exchanges, or after, while their files are still there."""
    project = Project(playbook=playbook, upstream=wire.url)
    recorder = RecorderThread([project])
    recorder.recorders.clear()
    with serve_here(project, recorder=recorder) as proxy:
        for question in ("Red?", "Blue?"):
            assert post(proxy, CHAT, {"messages": [{"role": "user", "content": question}]})[0] == 200
    killed = RecorderThread([project]).recorders[0]

    def kill(*arguments: Any, **named: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(*{"write": (AgentLearner, "write"), "unlink": (Path, "unlink")}[last], kill)
        with pytest.raises(KeyboardInterrupt):
            killed.step(0.0)
    assert list(locate_spool(playbook).glob("*.exchanges"))
    later = RecorderThread([project]).recorders[0]
    later.close()
    assert [episode.question for episode in read_episodes(playbook)] == ["Red?", "Blue?"]
    assert not list(locate_spool(playbook).glob("*.exchanges"))


def test_an_entry_that_nobody_can_use_costs_no_other_when_it_cannot_be_set_aside(
    playbook: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the disk is full, what stands beside it is recorded once, and it is named as lost."""
    spool = SpoolWriter(playbook)
    reply = b'{"id": "r-1", "choices": [{"message": {"role": "assistant", "content": "It is seven."}}]}'
    for interface in ("/chat/completions", "/of/nobody"):
        request = json.dumps(ASKED).encode()
        spool.put(Exchange(interface=interface, session="s", status=200, request=request, reply=reply))
    spool.seal()
    recorder = RecorderThread([Project(playbook=playbook, upstream="http://127.0.0.1:9")]).recorders[0]

    def write_half(path: Path, written: bytes) -> int:
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", write_half)
        for _ in range(3):
            recorder.step(1_800.0)
    recorder.close()
    assert [episode.question for episode in read_episodes(playbook)] == ["What is réd?"]
    assert [path.name for path in locate_spool(playbook).iterdir()] == ["replies.db"]
    assert sum("is lost" in record.message for record in caplog.records) == 1


def test_a_client_that_hangs_up_ends_an_upstream_that_never_ends(playbook: Path) -> None:
    ended: list[str] = []

    def talk(connection: socket.socket, head: bytes, body: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        event = b'data: {"id": "c-1", "choices": [{"index": 0, "delta": {"content": "on and "}}]}\n\n'
        try:
            while True:
                connection.sendall(event)
                time.sleep(0.01)
        except OSError:
            ended.append("the proxy hung up")

    with (
        serve_bytes(talk) as upstream,
        serve_here(Project(playbook=playbook, upstream=upstream.url)) as proxy,
    ):
        with socket.create_connection(("127.0.0.1", proxy.port)) as client:
            client.sendall(
                request_bytes(CHAT, json.dumps({**ASKED, "stream": True}).encode(), port=proxy.port)
            )
            received = b""
            while b"on and" not in received:
                received += client.recv(4096)
        end = time.monotonic() + patience(20)
        while not ended:
            assert time.monotonic() < end
            time.sleep(0.02)
        proxy.stop()
    (episode,) = read_episodes(playbook)
    assert episode.attempt.error == "the client hung up" and "on and" in episode.attempt.text


def test_a_playbook_that_another_process_holds_keeps_nobody_waiting(
    playbook: Path, proxy: ProxyHere, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(sqlite3.connect(playbook, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for number in range(5):
            assert (
                post(proxy, CHAT, {"messages": [{"role": "user", "content": f"Number {number}?"}]})[0] == 200
            )
        end = time.monotonic() + patience(20)
        while not any(locate_spool(playbook).glob("*.exchanges")):
            assert time.monotonic() < end
            time.sleep(0.05)
        other.execute("COMMIT")
    proxy.stop()
    assert len(read_episodes(playbook)) == 5
    assert not list(locate_spool(playbook).glob("*.exchanges"))
    problems = [
        record.message for record in caplog.records if "could not record what waits" in record.message
    ]
    assert len(problems) <= 1


def test_a_folder_that_takes_no_files_is_one_record_and_nothing_is_lost(
    playbook: Path, wire: WireServer, caplog: pytest.LogCaptureFixture
) -> None:
    locate_spool(playbook).write_text("a file where the folder should be")
    with serve_here(Project(playbook=playbook, upstream=wire.url)) as proxy:
        for number in range(5):
            assert (
                post(proxy, CHAT, {"messages": [{"role": "user", "content": f"Number {number}?"}]})[0] == 200
            )
        time.sleep(0.3)
        locate_spool(playbook).unlink()
        wait_for_spool = locate_spool(playbook)
        end = time.monotonic() + patience(20)
        while not wait_for_spool.is_dir():
            assert time.monotonic() < end
            time.sleep(0.05)
    assert len(read_episodes(playbook)) == 5
    assert sum("takes no files" in record.message for record in caplog.records) == 1
    assert sum("takes files again" in record.message for record in caplog.records) == 1


def test_a_file_that_cannot_be_written_keeps_what_waits(
    playbook: Path, wire: WireServer, caplog: pytest.LogCaptureFixture
) -> None:
    project = Project(playbook=playbook, upstream=wire.url)
    recorder = RecorderThread([project])

    def refuse() -> Any:
        raise StoreUnwritable(f"{playbook} is read-only.")

    recorder.recorders[0]._open_learner = refuse
    with serve_here(project, recorder=recorder) as proxy:
        assert post(proxy, CHAT, ASKED)[0] == 200
        time.sleep(0.3)
    assert read_episodes(playbook) == [] and len(list(locate_spool(playbook).glob("*.exchanges"))) == 1
    assert sum("read-only" in record.message for record in caplog.records) == 1
    later = RecorderThread([project])
    with serve_here(project, recorder=later):
        pass
    assert [episode.question for episode in read_episodes(playbook)] == ["What is réd?"]


def test_a_full_folder_fails_no_request_and_feedback_that_is_not_kept_is_refused(
    playbook: Path, wire: WireServer, caplog: pytest.LogCaptureFixture
) -> None:
    project = Project(playbook=playbook, upstream=wire.url)
    recorder = RecorderThread([project])
    open_learner = recorder.recorders[0]._open_learner

    def refuse() -> Any:
        raise StoreUnwritable(f"{playbook} is read-only.")

    recorder.recorders[0]._open_learner = refuse
    with serve_here(project, recorder=recorder, limits=Limits(spool=2_000)) as proxy:
        for _ in range(10):
            status, reply = post(proxy, CHAT, ASKED)
            assert status == 200
        assert measure_folder(locate_spool(playbook)) <= 2_000
        status, refusal = post(proxy, "/v1/feedback", {"response_id": reply["id"], "text": "x" * 2_000})
        assert (status, refusal["error"]["type"]) == (503, "spool_full")
        recorder.recorders[0]._open_learner = open_learner
        end = time.monotonic() + patience(20)
        while not any("has room again" in record.message for record in caplog.records):
            assert time.monotonic() < end
            time.sleep(0.05)
        post(proxy, CHAT, {"messages": [{"role": "user", "content": "And blue?"}]})
    questions = [episode.question for episode in read_episodes(playbook)]
    assert 2 <= len(questions) < 10 and "And blue?" in questions
    assert sum("may hold no more" in record.message for record in caplog.records) == 1


def test_a_fault_of_ours_never_fails_a_request(
    playbook: Path, proxy: ProxyHere, wire: WireServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("ours")

    for place in (
        "forward.insert_context",
        "shown.ShownTexts.choose",
        "spool._write",
        "recorder.judge_reply",
    ):
        with monkeypatch.context() as patch:
            patch.setattr(f"ace.servers.proxy.{place}", broken)
            status, reply = post(proxy, CHAT, ASKED)
            assert status == 200 and reply["choices"][0]["message"]["content"] == ANSWER, place
            time.sleep(0.2)
    assert post(proxy, CHAT, ASKED)[0] == 200
    assert list(locate_spool(playbook).glob("*.unread")), "what could not be recorded is kept"


def test_a_reply_that_breaks_its_schema_is_wrong_by_rule(proxy: ProxyHere, playbook: Path) -> None:
    schema = {"type": "object", "required": ["code"], "properties": {"code": {"type": "integer"}}}
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    post(proxy, CHAT, {**ASKED, "response_format": form})
    proxy.stop()
    with Store.open(playbook, read_only=True) as store:
        (row,) = store.feedback()
    assert (row.right, row.author) == (False, "proxy") and "schema" in row.text


def test_a_model_learns_behind_from_feedback(playbook: Path, wire: WireServer) -> None:
    """A lesson of a reply that was called wrong waits in quarantine: nothing has proven it."""
    project = Project(playbook=playbook, upstream=wire.url)
    teacher = World(lessons=lambda request: ["Blue means four."])
    with serve_here(project, recorder=RecorderThread([project], teacher)) as proxy:
        _, reply = post(proxy, CHAT, {"messages": [{"role": "user", "content": "What is blue?"}]})
        assert (
            post(proxy, "/v1/feedback", {"response_id": reply["id"], "right": False, "expected": "4"})[0]
            == 200
        )
        lessons: list[Any] = []
        end = time.monotonic() + patience(30)
        while not lessons:
            assert time.monotonic() < end, "nothing was learned"
            time.sleep(0.05)
            with Store.open(playbook, read_only=True) as store:
                lessons = [bullet for bullet in store.checkout() if bullet.content == "Blue means four."]
    assert [bullet.status for bullet in lessons] == [Status.QUARANTINED]


def test_a_conversation_that_was_silent_for_long_is_over(playbook: Path, wire: WireServer) -> None:
    project = Project(playbook=playbook, upstream=wire.url)
    with serve_here(project, recorder=RecorderThread([project], silence=0.2)) as proxy:
        post(proxy, CHAT, ASKED)
        assert wait_for_episodes(playbook, 1)[0].attempt.answer == ANSWER
