"""A run as spans of OpenTelemetry: what they say, what they leave out, and that they are read back."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from ace.errors import InputError
from ace.llm import RoleModels
from ace.loop import learn, learn_from_traces
from ace.report import export_run
from ace.settings import Settings
from ace.store import Store
from ace.task import Turn, TurnKind
from ace.task.traces import Trace, make_unjudged_task, read_log
from ace.testing import World
from tests.cli import Ace
from tests.world import LESSON, SECRET, team, world

NOT_INSTALLED = "the extra `otel` is not installed"
TOKEN = "ghp_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8"  # has the form of a key, and is none
RECORDED = Trace(
    sample="7",
    question="How many bikes are at North and at South?",
    answer="12",
    turns=(
        Turn(kind=TurnKind.USER, text="How many bikes are at North and at South?"),
        Turn(kind=TurnKind.THOUGHT, text="Two look-ups."),
        Turn(kind=TurnKind.AGENT, text="I look both up."),
        Turn(kind=TurnKind.TOOL, tool="count", arguments='{"depot": "North"}', observation="12"),
        Turn(kind=TurnKind.TOOL, tool="count", arguments='{"depot": "South"}', observation="no such depot",
             failed=True),
        Turn(kind=TurnKind.AGENT, text="12"),
    ),
    correct=False,
    expected="15",
)  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "colours.db") as store:
        yield store


def learn_colours(store: Store) -> None:
    learn(world(tests=3), store, team(), Settings(workers=1, limit=3))


def learn_recorded(store: Store, *traces: Trace) -> None:
    client = World(lessons=lambda request: "South is called Harbour.")
    learn_from_traces(make_unjudged_task("depots"), traces, store, RoleModels.of(client), Settings(workers=1))


def make_run_spans(store: Store, *, content: bool = False) -> tuple[Any, ...]:
    """What an exporter of the SDK gets."""
    memory = pytest.importorskip(
        "opentelemetry.sdk.trace.export.in_memory_span_exporter", reason=NOT_INSTALLED
    ).InMemorySpanExporter()
    assert export_run(store, memory, content=content) == len(memory.get_finished_spans())
    return tuple(memory.get_finished_spans())


def values(span: Any) -> dict[str, Any]:
    return dict(span.attributes)


def test_spans_are_run_attempts_and_calls(store: Store) -> None:
    learn_colours(store)
    spans = make_run_spans(store)
    by_id = {span.context.span_id: span for span in spans}
    (root,) = [span for span in spans if span.parent is None]
    agents = [span for span in spans if values(span).get("gen_ai.operation.name") == "invoke_agent"]
    chats = [span for span in spans if values(span).get("gen_ai.operation.name") == "chat"]
    run = store.runs()[-1]
    assert root.name == "ace learn" and values(root)["ace.run.id"] == run.id
    episodes = {episode.id: episode for episode in store.episodes(run=run.id)}
    assert sorted(values(span)["gen_ai.conversation.id"] for span in agents) == sorted(episodes)
    assert all(by_id[span.parent.span_id] is root for span in agents)
    assert len(chats) == len(store.calls(run.id))
    generated = [span for span in chats if values(span)["ace.role"] == "generator"]
    assert all(by_id[span.parent.span_id] in agents for span in generated)
    for span in agents:
        episode = episodes[values(span)["gen_ai.conversation.id"]]
        assert values(span)["ace.playbook.version"] == episode.context_version
        playbook = store.checkout(episode.context_version)
        assert set(values(span)["ace.playbook.bullets"]) == set(playbook.bullets)
        (event,) = span.events
        assert event.name == "gen_ai.evaluation.result"
        assert event.attributes["gen_ai.evaluation.score.value"] == episode.verdict.score
    spent = sum(call.usage.prompt_tokens for call in store.calls(run.id))
    assert sum(values(span)["gen_ai.usage.input_tokens"] for span in chats) == spent
    for span in spans:
        above = by_id[span.parent.span_id] if span.parent else root
        assert above.start_time <= span.start_time <= span.end_time <= above.end_time


def test_content_is_left_out_unless_it_is_asked_for(store: Store) -> None:
    learn_colours(store)
    texts = (SECRET["red"], LESSON["red"], "Which number")
    without, with_content = (json.dumps([span.to_json() for span in make_run_spans(store, content=content)])
                             for content in (False, True))  # fmt: skip
    assert not any(text in without for text in texts)
    assert "Which number has red?" in with_content and SECRET["red"] in with_content


def test_the_same_run_gives_the_same_spans(store: Store) -> None:
    learn_colours(store)
    first, second = ([span.to_json() for span in make_run_spans(store, content=True)] for _ in range(2))
    assert first == second


def test_no_secret_reaches_a_span(store: Store) -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\n-----END PRIVATE KEY-----"
    turn = Turn(kind=TurnKind.TOOL, tool="env", observation=f"TOKEN={TOKEN}\n{key}", failed=True)
    learn_recorded(
        store, Trace(sample=TOKEN, question=f"Use {TOKEN}.", answer=TOKEN, turns=(turn,), error=TOKEN)
    )
    text = json.dumps([span.to_json() for span in make_run_spans(store, content=True)])
    assert TOKEN not in text and "MIIEvQ" not in text and "TOKEN=" in text


def test_what_is_written_is_read_back(store: Store, tmp_path: Path) -> None:
    learn_recorded(store, RECORDED)
    file = tmp_path / "spans.json"
    count = export_run(store, str(file), content=True)
    (resource,) = json.loads(file.read_text())["resourceSpans"]
    assert count == len(resource["scopeSpans"][0]["spans"])
    log = read_log(file)
    (trace,) = log.traces
    assert not log.left_out
    assert (trace.question, trace.answer, trace.turns) == (RECORDED.question, "12", RECORDED.turns)
    assert (trace.correct, trace.score) == (False, 0.0)
    assert trace.sample == store.episodes()[0].id


def test_attempts_of_a_whole_run_are_read_back(store: Store, tmp_path: Path) -> None:
    learn_colours(store)
    file = tmp_path / "spans.json"
    export_run(store, str(file), content=True)
    log = read_log(file)
    episodes = {episode.id: episode for episode in store.episodes()}
    assert not log.left_out and {trace.sample for trace in log.traces} == set(episodes)
    for trace in log.traces:
        episode = episodes[trace.sample]
        assert (trace.question, trace.answer) == (episode.question, episode.attempt.answer)
        assert trace.correct is episode.verdict.correct
        assert trace.expected == episode.feedback.expected != ""


def test_the_command_writes_a_file_and_says_how_many_spans(ace: Ace) -> None:
    with Store.open("depots.db") as store:
        learn_recorded(store, RECORDED)
    done = ace("runs", "export", "--otel", "spans.json", "--content", "--playbook", "depots.db")
    assert done.code == 0 and done.out.startswith("spans.json has "), done.err
    assert [trace.answer for trace in read_log(Path("spans.json")).traces] == ["12"]
    assert ace("runs", "export", "7", "--otel", "no.json", "--playbook", "depots.db").code == 1


class Collector:
    """A collector on loopback that counts what it is sent and answers with `status`."""

    def __init__(self, status: int) -> None:
        bodies = self.bodies = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                bodies.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"


def test_a_collector_gets_the_spans(store: Store) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http.trace_exporter", reason=NOT_INSTALLED)
    learn_recorded(store, RECORDED)
    collector = Collector(200)
    assert export_run(store, collector.address) == len(make_run_spans(store))
    ((path, body),) = collector.bodies
    assert path == "/v1/traces" and b"invoke_agent depots" in body and b"bikes" not in body
    refusing = Collector(400)
    with pytest.raises(InputError, match="did not take the spans"):
        export_run(store, refusing.address)


def test_a_file_that_cannot_be_written_is_named(store: Store, tmp_path: Path) -> None:
    learn_recorded(store, RECORDED)
    with pytest.raises(InputError, match="Cannot write"):
        export_run(store, str(tmp_path / "nowhere" / "spans.json"))
