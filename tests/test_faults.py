"""Runs against a provider that fails: every fault is retried, repaired or recorded, and none is silent."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from ace.errors import AceError, ContentRefused
from ace.llm import Endpoint, Meter, Reply, Request, Retry, Role, RoleModels, ScriptedClient
from ace.llm.faults import hide
from ace.loop import learn
from ace.settings import Settings
from ace.store import Store
from ace.task import Sample, Task, define_task
from tests.cli import Ace
from tests.fault_server import FAULTS, IN_ANY_REPLY, IN_JSON, MEGABYTE, ON_THE_WAY, FaultServer
from tests.model_server import ask
from tests.world import reflect

RETRY = Retry(attempts=6, first_wait=0.001, max_wait=0.05)
KEY = "sk-this-key-must-stay-secret"


class Count(BaseModel):
    number: int


def one_fault(fault: str, *, always: bool = False) -> tuple[FaultServer, Endpoint]:
    """A server whose first request, or every one, meets `fault`."""
    server = FaultServer(lambda _: '{"number": 42}', rate=1.0, faults=[fault])
    if not always:
        choose = server._choose

        def first_only(asked: dict[str, Any]) -> str:
            server.rate = 0.0 if server.requests else 1.0
            return choose(asked)

        server._choose = first_only  # type: ignore[method-assign]
    patience = 0.3 if fault == "hangs" else 30.0  # a busy machine is slow without any fault
    return server, Endpoint("openai/m", api_base=server.api_base, api_key=KEY, timeout=patience, retry=RETRY)


@pytest.mark.parametrize("schema", [None, Count], ids=["text", "JSON"])
@pytest.mark.parametrize("fault", sorted(set(FAULTS) - {"policy"}))
def test_one_fault_of_each_kind_is_overcome_and_told(fault: str, schema: type[BaseModel] | None) -> None:
    if schema is None and fault in IN_JSON:
        pytest.skip("plain text has no schema")
    server, endpoint = one_fault(fault)
    reply = endpoint.complete(ask(schema=schema, max_tokens=100))
    server.close()
    assert reply.parsed == Count(number=42) if schema else reply.text == '{"number": 42}'
    assert [(met.kind, met.attempt) for met in reply.faults] == [(FAULTS[fault], 1)]
    tried_again = "tried again after" if fault in ON_THE_WAY else "asked again"
    assert reply.faults[0].action.startswith("repaired" if fault == "prose" else tried_again)
    assert reply.usage.calls == (2 if fault in {**IN_ANY_REPLY, "wrong schema": ""} else 1)


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_a_fault_that_stays_is_recorded_to_the_end(fault: str) -> None:
    """The call fails, or what came is returned as it is; either way its faults are in the record."""
    server, endpoint = one_fault(fault, always=True)
    endpoint.retry = Retry(attempts=2, first_wait=0.001, max_wait=0.05)
    meter = Meter()
    meter.begin_step(0, "epoch 1")
    try:
        meter.client(endpoint).complete(ask(schema=Count if fault in IN_JSON else None))
    except AceError as error:
        assert KEY not in str(error)
    server.close()
    met = [fault for call in meter.calls for fault in call.faults]
    assert {one.kind for one in met} == {FAULTS[fault]}
    assert [one.attempt for one in met] == list(range(1, len(met) + 1))
    assert len(met) == len(server.met)
    assert met[-1].action in ("given up", "kept as it is", "repaired")


def test_what_a_content_filter_refuses_is_not_asked_again() -> None:
    server, endpoint = one_fault("policy", always=True)
    with pytest.raises(ContentRefused, match="content filter refused"):
        endpoint.complete(ask(schema=Count))
    server.close()
    assert server.requests == 1


# Secrets


def test_a_key_that_a_provider_repeats_reaches_nobody(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    from tests.test_llm_endpoint import FaultServer as Scripted
    from tests.test_llm_endpoint import fail, say

    server = Scripted()
    server.behaviours = [fail(500, f"Bearer {KEY} is over its limit"), fail(401, f"Incorrect key {KEY}")]
    endpoint = Endpoint("openai/m", api_base=server.address, api_key=KEY, retry=RETRY)
    with Store.open(tmp_path / "s.db") as store, pytest.raises(AceError) as caught:
        learn(numbers(4, 0), store, RoleModels.of(endpoint), Settings(workers=1))
    server.behaviours = [say("x")]
    server.close()
    error: BaseException | None = caught.value
    assert "Incorrect key [hidden]" in str(error)
    while error is not None:
        assert KEY not in str(error)
        error = error.__cause__
    assert KEY not in caplog.text
    data = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert KEY.encode() not in data and b"[hidden]" in data


@pytest.mark.parametrize(
    "text",
    [
        "GET https://host/v1?key=AIzaSyABCDEFGHIJKLMNOP failed",
        "http://me:hunter2hunter2@localhost:8000/v1 refused",
        "Authorization: Bearer abcdef.123456-xyz",
        "Incorrect API key provided: sk-proj-abcdefghijkl",
        "Incorrect API key provided: abcdefgh12345",
        '{"api_key": "abcdefgh12345"}',
        "x-api-key: abcdefgh12345",
        "apikey=abcdefgh12345&x=1",
        "Authorization: Basic abcdefgh12345==",
        "remote: ghp_abcdefgh12345 was refused",
        "AKIAabcdef".upper() + "12345678 is not valid",
        "token ya29.abcdefgh12345",
    ],
)
def test_what_looks_like_a_key_is_hidden(text: str) -> None:
    shown = hide(text)
    assert "[hidden]" in shown
    assert not re.search(r"AIza|hunter2|abcdef|ABCDEF", shown)


def test_a_key_in_the_environment_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "plainlookingword")
    assert hide("no such key plainlookingword.") == "no such key [hidden]."


# A whole run


def numbers(train: int, test: int) -> Task:
    def rows(kind: str, count: int) -> list[dict[str, str]]:
        told = "Which number has" if kind == "train" else "What is"
        return [
            {"id": f"{kind}-{n:03}", "question": f"{told} item{n:03}?", "answer": str(70_002 + 14 * n)}
            for n in range(count)
        ]

    def judge(sample: Sample, answer: str) -> bool:
        return answer == sample.data["answer"]

    told = "Answer by number."
    return define_task("numbers", rows("train", train), judge, test=rows("test", test), instructions=told)


def says(request: Request) -> str:
    system, user = request.messages[0].content, request.messages[1].content
    if request.role is Role.CURATOR:
        return '{"operations": []}'
    item = re.findall(r"item\d+", user)[0]
    if request.role is Role.REFLECTOR:
        right = re.findall(r"Right answer: (\d+)", user)[0]
        return reflect(request, f"{item} means twice {int(right) // 2}")
    halves = re.findall(rf"{item} means twice (\d+)", system)
    return str(2 * int(halves[-1])) if halves else "no idea"


@pytest.fixture
def faulty() -> Iterator[Callable[..., FaultServer]]:
    servers: list[FaultServer] = []

    def start(**options: Any) -> FaultServer:
        servers.append(FaultServer(says, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def endpoint_of(server: FaultServer) -> Endpoint:
    return Endpoint("openai/m", api_base=server.api_base, api_key=KEY, timeout=2.0, retry=RETRY)


def scored(store: Store) -> Counter[str]:
    return Counter(result["phase"] for step in store.steps(1) for result in step.payload["results"])


def test_a_fifth_of_calls_faulty_and_no_sample_is_lost(
    tmp_path: Path, faulty: Callable[..., FaultServer], ace: Ace
) -> None:
    task, options = numbers(100, 100), Settings(workers=8, batch_size=10, replays=0)
    with Store.open(tmp_path / "calm.db") as calm:
        learn(task, calm, RoleModels.of(ScriptedClient(says)), options)
        expected = scored(calm)
    server = faulty(rate=0.2, seed=4)
    with Store.open(tmp_path / "faulty.db") as store:
        report = learn(task, store, RoleModels.of(endpoint_of(server)), options)
        assert scored(store) == expected == {"before": 100, "epoch 1": 100, "after": 100}
        journaled = [fault for step in store.steps(1) for fault in step.payload["faults"]]
        rows = [fault for call in store.calls(1) for fault in call.faults]
        assert store.verify() == []
    assert len(server.met) > 0.15 * server.requests and set(server.met) == set(FAULTS)
    played = Counter(FAULTS[fault] for fault in server.met)
    told = Counter(fault["kind"] for fault in journaled)
    slow = told.pop("time-out") - played.pop("time-out")
    assert told == played and slow >= 0  # on a busy machine more than those may time out
    assert Counter(fault.kind for fault in rows) == Counter(fault["kind"] for fault in journaled)
    assert all(fault["role"] and fault["sample"] and fault["action"] for fault in journaled)
    # Only what a content filter refused for good cost an answer, or a lesson.
    lost = server.met.count("policy")
    assert report.after and report.after.errors <= lost and report.after.correct >= 100 - 2 * lost
    shown = ace("runs", "show", "1", "--playbook", str(tmp_path / "faulty.db")).out
    assert f"Calls met {len(journaled)} faults" in shown
    summed = json.loads(ace("runs", "show", "--json", "--playbook", str(tmp_path / "faulty.db")).out)[
        "faults"
    ]
    assert sum(sum(actions.values()) for actions in summed.values()) == len(journaled)


def test_a_megabyte_is_kept_whole_in_the_record_only(tmp_path: Path) -> None:
    client = ScriptedClient(lambda request: MEGABYTE if len(request.messages[0].content) > 0 else "")
    with Store.open(tmp_path / "m.db") as store:
        learn(numbers(3, 0), store, RoleModels.of(client), Settings(workers=1, tries=1))
        faults = [fault for call in store.calls(1) for fault in call.faults]
    assert {fault.kind for fault in faults} == {"too long"}
    assert all(len(fault.detail) < 300 for fault in faults)


def test_a_client_that_only_fails_is_told_of_too() -> None:
    class Down:
        model = "down"

        def complete(self, request: Request) -> Reply:
            raise AceError("it is out")

    meter = Meter()
    meter.begin_step(0, "epoch 1")
    with pytest.raises(AceError, match="it is out"):
        meter.client(Down()).complete(ask(role=Role.REFLECTOR))
    assert [fault.kind for call in meter.calls for fault in call.faults] == ["server error"]
