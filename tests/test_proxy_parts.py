"""Parts of the proxy by themselves: edits of JSON text, what a reply shows by rule, the spool, the file."""

from __future__ import annotations

import asyncio
import errno
import gzip
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace.agent.watch.wire import Interface, add_context, find_session, find_user, insert_context
from ace.errors import AceError
from ace.servers.http_place import is_host_of, list_hosts
from ace.servers.proxy import recorder, shown
from ace.servers.proxy import spool as spool_module
from ace.servers.proxy.projects import Project, add_project, hash_key, read_projects, require_distinct
from ace.servers.proxy.recorder import decode_reply
from ace.servers.proxy.shown import ShownTexts
from ace.servers.proxy.signals import Remark, Signal, find_flaw, judge_reply, make_feedback
from ace.servers.proxy.spool import (
    Ending,
    Exchange,
    FeedbackNote,
    SpoolWriter,
    list_spooled,
    locate_spool,
    measure_folder,
    read_entry,
    set_aside,
    split_entries,
)
from ace.text.json_edit import extend_text, insert_value
from tests.byte_server import say, serve_bytes
from tests.proxy_here import fill

CONTEXT = 'Red means "seven".\nBlue: \\4 七'
TEXTS = st.text(st.characters(codec="utf-8"), max_size=6)
PARTS = st.lists(
    st.builds(
        lambda text, cached: {"type": "text", "text": text, **cached},
        TEXTS,
        st.sampled_from([{}, {"cache_control": {"type": "ephemeral"}}, {"cache_control": None}]),
    ),
    max_size=3,
)  # fmt: skip
CONTENTS = st.one_of(TEXTS, PARTS)
MESSAGES = st.lists(
    st.builds(
        lambda role, content: {"role": role, "content": content},
        st.sampled_from(["system", "developer", "user", "assistant"]),
        CONTENTS,
    ),
    max_size=4,
)


@given(
    st.sampled_from(Interface), MESSAGES, st.none() | CONTENTS, st.booleans(), st.none() | st.integers(0, 3)
)
def test_a_context_in_the_text_is_the_one_in_the_value(
    interface: Interface, messages: list[Any], system: Any, is_last: bool, indent: int | None
) -> None:
    """Two ways to put it in agree, and the text without it is what was given, byte for byte."""
    field = "input" if interface is Interface.RESPONSES else "messages"
    body: dict[str, Any] = {field: messages, "n": 1.0}
    named = "system" if interface is Interface.MESSAGES else "instructions"
    if system is not None and (interface is Interface.MESSAGES or isinstance(system, str)):
        body = {**body, named: system} if is_last else {named: system, **body}
    text = json.dumps(body, indent=indent, ensure_ascii=is_last)
    changed = insert_context(interface, text, body, CONTEXT)
    assert json.loads(changed) == add_context(interface, body, CONTEXT)
    written = json.dumps(CONTEXT, ensure_ascii=False)[1:-1]
    assert changed.count(written) == 1
    before = next((place for place in range(len(text)) if text[place] != changed[place]), len(text))
    rest = text[before:]
    assert changed.endswith(rest), "something is put in, and nothing else changes"


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ("[]", 0, "[9]"),
        ("[ ]", 3, "[9]"),
        ("[1,2]", 0, "[9, 1,2]"),
        ("[1,\n 2]", 1, "[1,\n 9, 2]"),
        ("[1,2 ]", 2, "[1,2, 9 ]"),
        ("[1,2]", 7, "[1,2, 9]"),
    ],
)
def test_a_value_goes_into_a_list_and_all_else_stays(text: str, place: int, expected: str) -> None:
    assert insert_value(text, (), place, 9) == expected
    assert insert_value(f'{{"a": {text}}}', ("a",), place, 9) == f'{{"a": {expected}}}'


def test_only_a_text_can_be_extended_and_only_a_list_inserted_into() -> None:
    assert extend_text('{"a" : "\\u00e9\\ud83d"}', ("a",), '"') == '{"a" : "\\u00e9\\ud83d\\""}'
    for wrong in ("{}", '{"a": 1}', '{"a": {}}', '{"a": null}'):
        with pytest.raises(KeyError):
            extend_text(wrong, ("a",), "x")
        with pytest.raises(KeyError):
            insert_value(wrong, ("a",), 0, "x")


def test_sessions_and_users_of_a_body() -> None:
    claude = {"metadata": {"user_id": json.dumps({"device_id": "d", "session_id": "s"})}}
    assert (find_session(claude), find_user(claude)) == ("s", "d")
    for body, session in (
        ({"prompt_cache_key": "k"}, "k"),
        ({"metadata": {"session_id": "m"}, "prompt_cache_key": "k"}, "m"),
        ({"metadata": {"user_id": "ann"}}, ""),
        ({"metadata": {"user_id": "{"}}, ""),
        ({"metadata": "odd", "prompt_cache_key": 7}, ""),
    ):
        assert find_session(body) == session


SCHEMA = {"type": "object", "required": ["code"], "properties": {"code": {"type": "integer"}}}
CHAT_FORM = {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}}
TOOL = {"name": "look_up", "parameters": SCHEMA}


def chat(content: Any = None, finish: str = "stop", arguments: str = "") -> dict[str, Any]:
    """Return a chat completion."""
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if arguments:
        message["tool_calls"] = [{"id": "1", "function": {"name": "look_up", "arguments": arguments}}]
    return {"choices": [{"message": message, "finish_reason": finish}]}


def response(text: str, **more: Any) -> dict[str, Any]:
    """Return a response."""
    part = {"type": "output_text", "text": text}
    return {"output": [{"type": "message", "role": "assistant", "content": [part]}], **more}


RESPONSE_FORM = {"text": {"format": {"type": "json_schema", "schema": SCHEMA}}}
CLAUDE_TOOL = {"tools": [{"name": "look_up", "input_schema": SCHEMA}]}
CUT = {"incomplete_details": {"reason": "max_output_tokens"}}


def claude_call(**arguments: Any) -> dict[str, Any]:
    """Return a message with a call of a tool."""
    return {"content": [{"type": "tool_use", "id": "1", "name": "look_up", "input": arguments}]}


@pytest.mark.parametrize(
    ("interface", "body", "reply", "signals"),
    [
        (Interface.CHAT, CHAT_FORM, chat('{"code": 7}'), []),
        (Interface.CHAT, CHAT_FORM, chat('{"code": "7"}'), [Signal.SCHEMA]),
        (Interface.CHAT, CHAT_FORM, chat("seven"), [Signal.SCHEMA]),
        (Interface.CHAT, CHAT_FORM, chat('{"code"', finish="length"), [Signal.CUT_OFF, Signal.SCHEMA]),
        (Interface.CHAT, {"tools": [{"function": TOOL}]}, chat(arguments='{"code": 7}'), []),
        (Interface.CHAT, {"tools": [{"function": TOOL}]}, chat(arguments='{"kode": 7}'), [Signal.TOOL]),
        (Interface.CHAT, {}, chat("seven"), []),
        (Interface.RESPONSES, RESPONSE_FORM, response('{"code": 7}'), []),
        (Interface.RESPONSES, RESPONSE_FORM, response("seven"), [Signal.SCHEMA]),
        (Interface.RESPONSES, {}, response("seven", **CUT), [Signal.CUT_OFF]),
        (Interface.MESSAGES, CLAUDE_TOOL, claude_call(code=7), []),
        (Interface.MESSAGES, CLAUDE_TOOL, claude_call(code="7"), [Signal.TOOL]),
        (Interface.MESSAGES, {}, {"content": [], "stop_reason": "max_tokens"}, [Signal.CUT_OFF]),
        (
            Interface.MESSAGES,
            {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
            {"content": [{"type": "text", "text": "[]"}]},
            [Signal.SCHEMA],
        ),
    ],
)
def test_what_a_reply_shows_by_rule(
    interface: Interface, body: Any, reply: Any, signals: list[Signal]
) -> None:
    assert [remark.signal for remark in judge_reply(interface, body, reply)] == signals


def test_only_the_last_reply_makes_a_conversation_wrong() -> None:
    broken, cut = Remark(Signal.TOOL, "it"), Remark(Signal.CUT_OFF)
    assert make_feedback("e", (), ()) is None
    last, earlier, remark = (
        make_feedback("e", (broken,), ()),
        make_feedback("e", (), (broken,)),
        make_feedback("e", (cut,), ()),
    )
    assert last and earlier and remark
    assert (last.right, earlier.right, remark.right) == (False, None, None)
    assert "By rule: a call does not fit the tool: it." in earlier.text


def test_a_schema_that_nobody_can_use_says_nothing() -> None:
    for schema in ({"type": 7}, {"$ref": "http://127.0.0.1:9/none"}, {"$ref": "#/nowhere"}):
        assert find_flaw(schema, "{}") == ""


def test_a_schema_without_end_is_given_up_and_nothing_is_fetched() -> None:
    slow = {"type": "object", "properties": {"a": {"pattern": "^(a+)+$"}}}
    assert find_flaw(slow, json.dumps({"a": "a" * 60 + "!"})) == ""
    twice = {f"n{n}": {"allOf": [{"$ref": f"#/$defs/n{n + 1}"}] * 2} for n in range(60)}
    assert find_flaw({"$defs": {**twice, "n60": {}}, "$ref": "#/$defs/n0"}, "7") == ""
    assert find_flaw(SCHEMA, "7"), "what comes next is judged"
    with serve_bytes(say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")) as server:
        assert find_flaw({"$ref": f"{server.url}/schema"}, "{}") == ""
        assert server.requests == []


def test_a_reply_that_unpacks_to_more_than_fits_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "_LONGEST_REPLY", 1_000_000)

    def pack(size: int) -> Exchange:
        return Exchange(interface="x", session="", encoding="gzip", reply=gzip.compress(bytes(size)))

    assert decode_reply(pack(100_000)) == bytes(100_000)
    with pytest.raises(ValueError, match="larger than"):
        decode_reply(pack(7_000_000))


def test_many_threads_choose_what_conversations_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shown, "_MOST", 1)
    texts = ShownTexts([Project(playbook=fill(tmp_path / "p.db"), upstream="http://127.0.0.1:9")])

    def choose(thread: int) -> set[int]:
        bodies = ({"messages": [{"role": "user", "content": f"{thread} {n}"}]} for n in range(500))
        return {texts.choose("agent", "", Interface.CHAT, body).version for body in bodies}

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(choose, range(8))) == [{1}] * 8
    finally:
        sys.setswitchinterval(interval)


def test_entries_of_the_spool_come_back_and_half_of_one_is_none(tmp_path: Path) -> None:
    playbook = tmp_path / "shop.db"
    spool = SpoolWriter(playbook)
    exchange = Exchange(
        interface=Interface.CHAT.value, session="s é", bullets=("a", "b"), version=3, status=200, kind="x",
        ending=Ending.HUNG_UP, request=b'{"a": 1}\n\x00', reply=bytes(range(256)),
    )  # fmt: skip
    note = FeedbackNote(reply="r", right=False, score=0.5, expected="7", text="no\n")
    names = [spool.put(exchange), spool.put(note)]
    assert list_spooled(locate_spool(playbook), 9) == [], "its process goes on"
    spool.seal()
    (path,) = list_spooled(locate_spool(playbook), 9)
    assert path.stat().st_mode & 0o077 == 0 and path.parent.stat().st_mode & 0o077 == 0
    written = path.read_bytes()
    assert [read_entry(entry) for entry in split_entries(written)] == list(
        zip(names, (exchange, note), strict=True)
    )
    for cut in range(len(written)):
        entries = list(split_entries(written[:cut]))
        assert len(entries) <= 1 and all(read_entry(entry) == (names[0], exchange) for entry in entries)
    spool.put(note)
    (left,) = locate_spool(playbook).glob("*.open")
    dead = left.with_name(left.name.replace(str(os.getpid()), "999999999"))
    left.rename(dead)
    assert list_spooled(locate_spool(playbook), 9) == [path, dead]


def test_an_earlier_process_of_the_same_number_and_half_an_entry_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    playbook = tmp_path / "shop.db"
    notes = [FeedbackNote(reply=f"r{number}", right=True) for number in range(4)]
    SpoolWriter(playbook).put(notes[0])  # and that process is killed
    spool = SpoolWriter(playbook)
    assert len(list_spooled(locate_spool(playbook), 9)) == 1
    spool.put(notes[1])

    def refuse(*arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def write_half(file: int, written: memoryview) -> int:
        if len(pieces) == 1:
            refuse()
        pieces.append(written[: len(written) // 2])
        return write(file, pieces[0])

    write, pieces = os.write, list[memoryview]()
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write_half)
        patch.setattr(os, "ftruncate", refuse)
        spool.put(notes[2])
    spool.put(notes[3])
    spool.seal()
    paths = list_spooled(locate_spool(playbook), 9)
    entries = [read_entry(entry)[1] for path in paths for entry in split_entries(path.read_bytes())]
    assert entries == notes


def test_a_folder_has_a_bound_and_what_comes_while_it_is_full_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(spool_module, "_PAUSE", 0.0)
    monkeypatch.setattr(spool_module, "_RARE", 0)
    spool = SpoolWriter(tmp_path / "shop.db", most=10_000)

    def put(count: int) -> list[bool]:
        entry = Exchange(interface="x", session="", reply=bytes(1_000))
        kept = [bool(spool.put(entry)) for _ in range(count)]
        spool.seal()
        return kept

    assert put(12) == [True] * 8 + [False] * 4
    asyncio.run(spool.count_again())
    assert put(2) == [False] * 2 and spool.dropped == 6
    assert measure_folder(spool.folder) <= 10_000
    for path in list_spooled(spool.folder, 9):
        path.unlink()
    asyncio.run(spool.count_again())
    for _ in range(10):  # what was recorded takes no room, however much it was
        assert put(5) == [True] * 5
        for path in list_spooled(spool.folder, 9):
            path.unlink()
        asyncio.run(spool.count_again())
    messages = [record.message for record in caplog.records]
    assert len(messages) == 2 and "10 kB" in messages[0] and "6 that came meanwhile" in messages[1]
    assert put(9)[-1] is False, "an earlier process counts what another one left"
    later = SpoolWriter(tmp_path / "shop.db", most=10_000)
    assert later.put(Exchange(interface="x", session="", reply=bytes(3_000))) == ""


def test_entries_that_nobody_can_use_have_a_bound_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "_MOST_UNREAD", 100)
    asides = [set_aside(tmp_path / "1-2.exchanges", bytes(40)) for _ in range(4)]
    assert [aside is not None for aside in asides] == [True, True, False, False]
    assert len(list(tmp_path.glob("*.unread"))) == 2 and measure_folder(tmp_path) == 0


def test_a_file_of_projects_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "proxy.toml"
    key = add_project(file, "shop.eu", Path('odd "name".db'))
    text = (
        file.read_text()
        + 'upstream = "https://api.anthropic.com/"\nrate = 5\nbudget = 100\nmodel = "openai/m"\n'
    )
    file.write_text(text)
    assert file.stat().st_mode & 0o077 == 0
    add_project(file, "bank", Path("bank.db"))
    assert file.read_text().startswith(text)
    defaults = Project(playbook=Path(), upstream="http://127.0.0.1:1", rate=9.0)
    shop, bank = read_projects(file, defaults)
    assert (shop.name, shop.playbook.name, shop.keys) == ("shop.eu", 'odd "name".db', (hash_key(key),))
    assert (shop.upstream, shop.rate, shop.budget, shop.model) == (
        "https://api.anthropic.com",
        5.0,
        100,
        "openai/m",
    )
    assert (bank.upstream, bank.rate, bank.playbook) == ("http://127.0.0.1:1", 9.0, tmp_path / "bank.db")
    (tmp_path / "link.db").symlink_to(tmp_path / "bank.db")
    with pytest.raises(AceError, match="same playbook"):
        require_distinct([bank, Project(name="two", playbook=tmp_path / "link.db", upstream="")])
    before = file.read_text()
    for same in ("bank.db", "./bank.db", str(tmp_path / "link.db")):
        with pytest.raises(AceError, match="'bank' has the playbook"):
            add_project(file, "two", Path(same))
    assert file.read_text() == before
    with pytest.raises(AceError) as caught:
        read_projects(tmp_path / "none.toml", defaults)
    assert "none.toml" in str(caught.value) and "add-project" in caught.value.hint


def test_a_name_that_was_allowed_may_have_any_port_and_any_case() -> None:
    hosts = list_hosts("127.0.0.1", 8787, ["Agents.example"])
    for host in ("127.0.0.1:8787", "LOCALHOST:8787", "agents.example", "Agents.Example:443", "[::1]:8787"):
        assert is_host_of(host, hosts), host
    for host in ("", "localhost", "127.0.0.1:1", "agents.example.evil", "agents.example:x", "evil:8787"):
        assert not is_host_of(host, hosts), host
