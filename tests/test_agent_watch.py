"""Calls of openai, anthropic and litellm in a block: the playbook goes in, and episodes come out."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest

import ace
from ace.agent.watch.litellm_calls import _listen
from ace.agent.watch.reply_stream import ReplyBuilder
from ace.agent.watch.wire import Interface, add_context
from ace.playbook import Add
from ace.store import Store
from ace.testing import World
from tests.wire_server import WireServer, serve_wire

anthropic = pytest.importorskip("anthropic", reason="anthropic is not installed")
openai = pytest.importorskip("openai")

LINE = "Red means seven."
ASKED = [{"role": "user", "content": "What is red?"}]
ANSWER = "It is seven. 七"


def says(body: dict[str, Any]) -> Any:
    """Call a tool where there is one whose result is not known yet; else answer."""
    text = json.dumps(body, ensure_ascii=False)
    if "fail with" in text:
        return int(text.split("fail with ")[1][:3])
    if body.get("tools") and "page 3" not in text:
        return ("look_up", '{"word": "red"}')
    return ANSWER


@pytest.fixture(scope="module")
def wire() -> Iterator[WireServer]:
    with serve_wire(says) as server:
        yield server


@pytest.fixture
def server(wire: WireServer) -> WireServer:
    wire.bodies.clear()
    wire.paths.clear()
    return wire


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "agent.db") as store:
        store.commit((Add("b-red", "facts", LINE),), author="person", reason="known")
        yield store


@pytest.fixture(scope="module")
def litellm() -> Any:
    from ace.llm.providers import load_litellm

    return load_litellm()


def clients(server: WireServer) -> dict[str, Any]:
    address = {"api_key": "x", "max_retries": 0}
    return {
        "openai": openai.OpenAI(base_url=f"{server.url}/v1", **address),
        "openai async": openai.AsyncOpenAI(base_url=f"{server.url}/v1", **address),
        "anthropic": anthropic.Anthropic(base_url=server.url, **address),
        "anthropic async": anthropic.AsyncAnthropic(base_url=server.url, **address),
    }


def chat(server: WireServer, messages: Any = ASKED, **more: Any) -> str:
    return str(
        clients(server)["openai"]
        .chat.completions.create(model="m", messages=messages, **more)
        .choices[0]
        .message.content
    )


def list_calls(server: WireServer, litellm: Any) -> dict[str, Callable[[], Any]]:
    """Every way to make a call, each returning the text of the reply."""

    def make(name: str) -> Any:
        return clients(server)[name]  # a client of its own for each event loop

    here = {"model": "openai/m", "messages": ASKED, "api_base": f"{server.url}/v1", "api_key": "x"}
    claude = {"model": "m", "messages": ASKED, "max_tokens": 9}

    def join(stream: Any) -> str:
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)

    async def join_async(stream: Any) -> str:
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])

    async def chat_async() -> str:
        reply = await make("openai async").chat.completions.create(model="m", messages=ASKED)
        return str(reply.choices[0].message.content)

    async def chat_stream_async() -> str:
        made = make("openai async").chat.completions.create(model="m", messages=ASKED, stream=True)
        return await join_async(await made)

    async def responses_async() -> str:
        return str((await make("openai async").responses.create(model="m", input="What is red?")).output_text)

    async def claude_async() -> str:
        return str((await make("anthropic async").messages.create(**claude)).content[0].text)

    async def claude_stream_async() -> str:
        async with make("anthropic async").messages.stream(**claude) as stream:
            return "".join([text async for text in stream.text_stream])

    async def litellm_async() -> str:
        return str((await litellm.acompletion(**here)).choices[0].message.content)

    async def litellm_stream_async() -> str:
        return await join_async(await litellm.acompletion(**here, stream=True))

    def claude_stream() -> str:
        with make("anthropic").messages.stream(**claude) as stream:
            return "".join(stream.text_stream)

    def responses_stream() -> str:
        events = make("openai").responses.create(model="m", input="What is red?", stream=True)
        return "".join(event.delta for event in events if event.type == "response.output_text.delta")

    def chat_helper() -> str:
        with make("openai").chat.completions.stream(model="m", messages=ASKED) as stream:
            return str(stream.get_final_completion().choices[0].message.content)

    def raw_stream() -> str:
        raw = make("openai").chat.completions.with_streaming_response
        with raw.create(model="m", messages=ASKED) as response:
            return str(response.parse().choices[0].message.content)

    raw = make("openai").chat.completions.with_raw_response
    create = make("openai").chat.completions.create
    return {
        "chat": lambda: create(model="m", messages=ASKED).choices[0].message.content,
        "chat, streaming": lambda: join(create(model="m", messages=ASKED, stream=True)),
        "chat, a helper": chat_helper,
        "chat, raw": lambda: raw.create(model="m", messages=ASKED).parse().choices[0].message.content,
        "chat, raw and streaming": raw_stream,
        "chat, async": lambda: asyncio.run(chat_async()),
        "chat, async and streaming": lambda: asyncio.run(chat_stream_async()),
        "responses": lambda: make("openai").responses.create(model="m", input="What is red?").output_text,
        "responses, streaming": responses_stream,
        "responses, async": lambda: asyncio.run(responses_async()),
        "messages": lambda: make("anthropic").messages.create(**claude).content[0].text,
        "messages, streaming": claude_stream,
        "messages, async": lambda: asyncio.run(claude_async()),
        "messages, async and streaming": lambda: asyncio.run(claude_stream_async()),
        "litellm": lambda: litellm.completion(**here).choices[0].message.content,
        "litellm, streaming": lambda: join(litellm.completion(**here, stream=True)),
        "litellm, anthropic": lambda: litellm.completion(
            **{**here, "model": "anthropic/m", "api_base": server.url}
        ).choices[0].message.content,
        "litellm, async": lambda: asyncio.run(litellm_async()),
        "litellm, async and streaming": lambda: asyncio.run(litellm_stream_async()),
    }  # fmt: skip


def without_context(body: dict[str, Any]) -> dict[str, Any]:
    """The body as it would be without the playbook, which stands in one place."""
    body = json.loads(json.dumps(body))
    assert json.dumps(body).count(LINE) == 1
    if LINE in json.dumps(body.get("system", "")):
        del body["system"]
    elif "instructions" in body:
        del body["instructions"]
    else:
        del body["messages"][0]
    return body


def test_every_way_to_call_gets_the_playbook_and_becomes_an_episode(
    store: Store, server: WireServer, litellm: Any
) -> None:
    calls = list_calls(server, litellm)
    plain = {}
    for name, call in calls.items():
        assert call() == ANSWER, name
        plain[name] = server.bodies.pop()
    for name, call in calls.items():
        server.bodies.clear()
        with ace.learning(store, None) as block:
            assert call() == ANSWER, name
            assert len(block.episodes) == 1, name
            assert block.learner.problems == (), name
        (body,) = server.bodies
        assert without_context(body) == plain[name], name
        (episode,) = store.episodes(ids=block.episodes)
        assert (episode.question, episode.attempt.answer) == ("What is red?", ANSWER), name
        assert [turn.kind.value for turn in episode.attempt.turns] == ["user", "assistant"], name
    for name, call in calls.items():  # and everything is as it was
        server.bodies.clear()
        assert call() == ANSWER and server.bodies == [plain[name]], name


def test_a_loop_of_tools_is_one_episode(store: Store, server: WireServer) -> None:
    """In each of the three formats, whole and in pieces."""
    client = clients(server)
    tool = {"name": "look_up", "description": "d"}
    schema = {"type": "object", "properties": {}}

    def chat_loop(stream: bool) -> None:
        messages: list[Any] = [{"role": "system", "content": "Be brief."}, *ASKED]
        tools = [{"type": "function", "function": {**tool, "parameters": schema}}]
        create = client["openai"].chat.completions
        for _ in range(2):
            if stream:
                with create.stream(model="m", messages=messages, tools=tools) as events:
                    message = events.get_final_completion().choices[0].message
            else:
                message = create.create(model="m", messages=messages, tools=tools).choices[0].message
            messages.append(message.model_dump(exclude_none=True, include={"role", "content", "tool_calls"}))
            for call in message.tool_calls or ():
                messages.append({"role": "tool", "tool_call_id": call.id, "content": "page 3"})

    def responses_loop(stream: bool) -> None:
        tools = [{"type": "function", **tool, "parameters": schema, "strict": False}]
        items: Any = "What is red?"
        earlier = openai.NOT_GIVEN
        for _ in range(2):
            made = client["openai"].responses.create(
                model="m", input=items, tools=tools, previous_response_id=earlier, stream=stream
            )
            reply = (
                next(event.response for event in made if event.type == "response.completed")
                if stream
                else made
            )
            earlier = reply.id
            items = [
                {"type": "function_call_output", "call_id": item.call_id, "output": "page 3"}
                for item in reply.output
                if item.type == "function_call"
            ]

    def claude_loop(stream: bool) -> None:
        messages: list[Any] = list(ASKED)
        tools = [{**tool, "input_schema": schema}]
        for _ in range(2):
            options = {"model": "m", "max_tokens": 9, "messages": messages, "tools": tools}
            if stream:
                with client["anthropic"].messages.stream(**options) as events:
                    reply = events.get_final_message()
            else:
                reply = client["anthropic"].messages.create(**options)
            messages = [*messages, {"role": "assistant", "content": reply.content}]
            results = [
                {"type": "tool_result", "tool_use_id": part.id, "content": "page 3"}
                for part in reply.content
                if part.type == "tool_use"
            ]
            messages.append({"role": "user", "content": results})

    for loop in (chat_loop, responses_loop, claude_loop):
        for stream in (False, True):
            with ace.learning(store, None) as block:
                loop(stream)
                assert block.learner.problems == ()
            (name,) = block.episodes
            (episode,) = store.episodes(ids=[name])
            assert episode.attempt.answer == ANSWER, (loop, stream)
            texts = "\n".join(episode.attempt.text.splitlines())
            assert "look_up" in texts and "red" in texts and "page 3" in texts, (loop, stream)
            assert [turn.kind.value for turn in episode.attempt.turns] == [
                "user",
                "tool",
                "tool",
                "assistant",
            ]
    assert all(LINE in json.dumps(body) for body in server.bodies) and len(server.bodies) == 12


def test_feedback_on_the_last_answer_or_by_id(store: Store, server: WireServer) -> None:
    client = World(lessons=lambda _: ["Blue means four."])
    with ace.learning(store, client) as block:
        chat(server)
        assert block.feedback(right=True)
        chat(server, [{"role": "user", "content": "What is blue?"}])
        chat(server, [{"role": "user", "content": "What is pink?"}])
        assert block.feedback(block.episodes[1], right=False, expected="4")
        assert not block.feedback("ep-nobody", right=True)
        assert block.feedback(block.episodes[0], text="said once more")
        assert len(block.learner.problems) == 1
    said = [(feedback.episode, feedback.right) for feedback in store.feedback()]
    assert said == [(block.episodes[0], True), (block.episodes[1], False), (block.episodes[0], None)]
    assert client.calls["reflector"] == 2
    assert any(bullet.content == "Blue means four." for bullet in store.checkout().bullets.values())


def test_a_conversation_goes_on_and_another_begins(store: Store, server: WireServer) -> None:
    with ace.learning(store, None) as block:
        first: list[Any] = [*ASKED]
        chat(server, first)
        chat(server, ASKED)  # somebody else asks the same
        first += [{"role": "assistant", "content": ANSWER}, {"role": "user", "content": "Sure?"}]
        chat(server, [{"role": "system", "content": "Now be long."}, *first])
        first += [{"role": "assistant", "content": "reworded"}, {"role": "user", "content": "Really?"}]
        chat(server, first)
        chat(server, [{"role": "user", "content": "What is blue?"}, *first[1:]])
    assert len(block.episodes) == 3
    kept = {episode.id: episode for episode in store.episodes()}
    lengths = sorted(len(kept[name].attempt.turns) for name in block.episodes)
    assert lengths == [2, 6, 6]


def test_the_same_prompt_many_times_at_once_is_many_episodes(store: Store, server: WireServer) -> None:
    async def main() -> None:
        client = clients(server)["openai async"]
        await asyncio.gather(*(client.chat.completions.create(model="m", messages=ASKED) for _ in range(8)))

    with ace.learning(store, None) as block:
        asyncio.run(main())
        assert block.learner.problems == ()
    assert len(block.episodes) == 8
    assert [episode.attempt.answer for episode in store.episodes(ids=block.episodes)] == [ANSWER] * 8


def test_errors_are_the_same_and_are_kept(store: Store, server: WireServer) -> None:
    messages = [{"role": "user", "content": "fail with 400"}]
    with ace.learning(store, None) as block:
        with pytest.raises(openai.BadRequestError):
            chat(server, messages)
        with pytest.raises(openai.BadRequestError):
            chat(server, messages)  # again: the same conversation
        with pytest.raises(anthropic.InternalServerError):
            clients(server)["anthropic"].messages.create(
                model="m", max_tokens=9, messages=[{"role": "user", "content": "fail with 500"}]
            )
        with pytest.raises(openai.APIConnectionError):
            chat(WireServer("http://127.0.0.1:9"))
        assert block.learner.problems == ()
    errors = [episode.attempt.error for episode in store.episodes(ids=block.episodes)]
    assert len(errors) == 3
    assert {error.split(":")[0] for error in errors} == {
        *("BadRequestError", "InternalServerError", "APIConnectionError")
    }


def test_only_the_block_is_touched(store: Store, server: WireServer, tmp_path: Path) -> None:
    original = openai._base_client.SyncAPIClient.request
    with ThreadPoolExecutor(1) as pool, Store.open(tmp_path / "other.db") as other:
        other.commit((Add("b", "facts", "Inner."),), author="p", reason="r")
        with ace.learning(store, None) as outer:
            pool.submit(chat, server).result()
            assert LINE not in json.dumps(server.bodies.pop())
            pool.submit(copy_context().run, chat, server).result()
            assert LINE in json.dumps(server.bodies.pop())
            with ace.learning(other, None) as inner:
                chat(server)
            sent = json.dumps(server.bodies.pop())
            assert "Inner." in sent and LINE not in sent
            chat(server)
            assert LINE in json.dumps(server.bodies.pop())
        assert (len(outer.episodes), len(inner.episodes)) == (2, 1)
    assert openai._base_client.SyncAPIClient.request is original


def test_one_learner_may_serve_many_blocks(store: Store, server: WireServer) -> None:
    with ace.learner(store, None) as learner:

        def serve(number: int) -> list[str]:
            with ace.learning(learner) as block:
                chat(server, [{"role": "user", "content": f"Question {number}?"}])
                block.feedback(right=True)
            return block.episodes

        with ThreadPoolExecutor(4) as pool:
            ids = [name for names in pool.map(serve, range(12)) for name in names]
        assert learner.problems == () and len(set(ids)) == 12
        with pytest.raises(ace.AceError), ace.learning(learner, budget=10):
            pass
    kept = {episode.id: episode.question for episode in store.episodes()}
    assert [kept[name] for name in ids] == [f"Question {number}?" for number in range(12)]
    assert len(store.runs()) == 1 and len(store.feedback()) == 12


def test_functions_of_litellm_that_were_imported_by_name_count(
    store: Store, server: WireServer, litellm: Any
) -> None:
    completion, acompletion = litellm.completion, litellm.acompletion
    here = {"model": "openai/m", "messages": ASKED, "api_base": f"{server.url}/v1", "api_key": "x"}
    with ace.learning(store, None) as block:
        completion(**here)
        asyncio.run(acompletion(**here))
        completion("openai/m", ASKED, api_base=f"{server.url}/v1", api_key="x")
        with pytest.raises(litellm.BadRequestError):
            completion(**{**here, "messages": [{"role": "user", "content": "fail with 400"}]})
        assert len(block.episodes) == 4 and block.learner.problems == ()
    assert all(json.dumps(body).count(LINE) == 1 for body in server.bodies)
    assert litellm.completion is completion and litellm.acompletion is acompletion
    completion(**here)
    assert LINE not in json.dumps(server.bodies[-1])


def test_who_stops_reading_a_stream_has_an_episode(store: Store, server: WireServer) -> None:
    with ace.learning(store, None) as block:
        client = clients(server)["openai"]
        stream = client.chat.completions.create(model="m", messages=ASKED, stream=True)
        next(iter(stream))
        stream.close()
        del stream
        with client.chat.completions.create(model="m", messages=ASKED, stream=True) as other:
            for chunk in other:
                if chunk.choices[0].delta.content:
                    break
        assert block.learner.problems == ()
    assert len(store.episodes(ids=block.episodes)) == 2


def test_tasks_beside_the_block_are_not_touched(store: Store, server: WireServer) -> None:
    async def ask(client: Any, question: str) -> None:
        await client.chat.completions.create(model="m", messages=[{"role": "user", "content": question}])

    async def main() -> None:
        client = clients(server)["openai async"]
        entered, left = asyncio.Event(), asyncio.Event()

        async def outside() -> None:
            await entered.wait()
            await ask(client, "outside")
            left.set()

        beside = asyncio.create_task(outside())
        with ace.learning(store, None) as block:
            entered.set()
            await left.wait()
            await asyncio.create_task(ask(client, "inside"))
        await beside
        assert len(block.episodes) == 1

    asyncio.run(main())
    touched = {body["messages"][-1]["content"]: LINE in json.dumps(body) for body in server.bodies}
    assert touched == {"outside": False, "inside": True}


def test_other_requests_pass(store: Store, server: WireServer) -> None:
    with ace.learning(store, None) as block:
        with pytest.raises(openai.APIError):
            clients(server)["openai"].models.list()
        assert block.episodes == [] and block.learner.problems == ()


def test_a_fault_of_ours_is_a_plain_call(
    store: Store, server: WireServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("ours")

    for name in ("take_request", "take_reply", "finish"):
        with ace.learning(store, None) as block, monkeypatch.context() as patch:
            patch.setattr(block.conversations, name, broken)
            assert chat(server) == ANSWER
            assert clients(server)["anthropic"].messages.create(
                model="m", max_tokens=9, messages=ASKED
            ).content[0].text == ANSWER  # fmt: skip
            block.feedback(right=True)
        assert "ours" in str(block.learner.problems[0]), name
    for name in ("find_interface", "tee_response", "ReplyBuilder"):
        with ace.learning(store, None) as block, monkeypatch.context() as patch:
            patch.setattr(f"ace.agent.watch.sdk_calls.{name}", broken)
            stream = clients(server)["openai"].chat.completions.create(model="m", messages=ASKED, stream=True)
            assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == ANSWER
            reply = asyncio.run(
                clients(server)["openai async"].chat.completions.create(model="m", messages=ASKED)
            )
            assert reply.choices[0].message.content == ANSWER
        assert "ours" in str(block.learner.problems[0]), name


def test_a_library_that_is_imported_in_the_block_and_one_of_another_shape(tmp_path: Path) -> None:
    program = """
import sys, warnings
import ace
with ace.learning(sys.argv[1], None) as block:
    assert "openai" not in sys.modules and "anthropic" not in sys.modules
    import openai, anthropic
    assert "watch" in openai._base_client.SyncAPIClient.request.__code__.co_filename
    assert "watch" in anthropic._base_client.AsyncAPIClient.request.__code__.co_filename
assert "watch" not in openai._base_client.SyncAPIClient.request.__code__.co_filename
del openai._base_client.AsyncAPIClient.request
with ace.learning(sys.argv[1], None) as block:
    assert "watch" not in openai._base_client.SyncAPIClient.request.__code__.co_filename
print("done")
"""
    command = [sys.executable, "-c", program, str(tmp_path / "a.db")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "done\n", done.stderr
    assert "calls of openai cannot be watched" in done.stderr


def test_what_somebody_else_puts_around_a_patch_stays(store: Store, server: WireServer) -> None:
    client = openai._base_client.SyncAPIClient
    original = client.request
    with ace.learning(store, None):
        ours = client.request

        def theirs(self: Any, *args: Any, **keywords: Any) -> Any:
            return ours(self, *args, **keywords)

        client.request = theirs
    try:
        assert client.request is theirs and chat(server) == ANSWER
    finally:
        client.request = original


@pytest.mark.parametrize("interface", list(Interface))
def test_the_context_stands_behind_the_callers_words_and_nothing_given_changes(interface: Interface) -> None:
    field = "input" if interface is Interface.RESPONSES else "messages"
    items = [{"role": "user", "content": "Q"}]
    system = {"role": "system", "content": "Mine."}
    parts = {"role": "developer", "content": [{"type": "text", "text": "Mine."}]}
    bodies: list[dict[str, Any]] = [{"model": "m", field: items}, {field: "Q"}, {field: []}, {}]
    if interface is Interface.MESSAGES:
        bodies += [{field: items, "system": "Mine."}, {field: items, "system": parts["content"]}]
    else:
        bodies += [{field: [system, *items]}, {field: [system, parts, *items]}]
    if interface is Interface.RESPONSES:
        bodies.append({field: items, "instructions": "Mine."})
    for body in bodies:
        before = json.dumps(body)
        text = json.dumps(add_context(interface, body, "CONTEXT"))
        assert json.dumps(body) == before
        assert text.count("CONTEXT") == 1 and text.count("Mine.") == before.count("Mine.")
        assert text.rfind("Mine.") < text.index("CONTEXT")


@pytest.mark.parametrize("name", ["feed", "end"])
def test_a_fault_while_a_stream_is_read_does_not_reach_its_reader(
    store: Store, server: WireServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("ours")

    async def read() -> str:
        client = clients(server)["openai async"]
        stream = await client.chat.completions.create(model="m", messages=ASKED, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    with ace.learning(store, None) as block, monkeypatch.context() as patch:
        patch.setattr(ReplyBuilder, name, broken)
        stream = clients(server)["openai"].chat.completions.create(model="m", messages=ASKED, stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == ANSWER
        assert asyncio.run(read()) == ANSWER
    assert "ours" in str(block.learner.problems[0])


def test_a_piece_of_another_shape_does_not_end_a_stream_of_litellm() -> None:
    class Pieces:
        def __init__(self) -> None:
            self.rest = iter(["no object of a library", "another"])

        def __next__(self) -> str:
            return next(self.rest)

    problems: list[str] = []

    @contextmanager
    def guard(doing: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            problems.append(f"{doing}: {error}")

    stream: Any = Pieces()
    _listen(stream, ReplyBuilder(Interface.CHAT, lambda reply: None, guard))
    assert [next(stream), next(stream)] == ["no object of a library", "another"]
    assert len(problems) == 2 and "model_dump" in problems[0]


@pytest.mark.parametrize("interface", list(Interface))
def test_bytes_that_are_no_events_are_passed_over(interface: Interface) -> None:
    replies: list[Any] = []
    builder = ReplyBuilder(interface, replies.append, nullcontext)
    for data in (b"data: {", b"\n\xff\xfe: x\n", b"data: [1]\ndata: null\n", b"data: {}\r\n\r\n", b"data"):
        builder.feed(data)
    builder.end()
    builder.end()
    assert len(replies) == 1
