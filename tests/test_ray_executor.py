"""Runs whose work is done by tasks of Ray on this machine, with a real server as the model.

Ray is started once for all of them: that, and each worker's imports, take seconds.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ace.errors import AceError, InputError
from ace.llm import Caps, Client, RoleModels, ScriptedClient, connect
from ace.loop import evaluate, learn
from ace.loop.lab import StepLab
from ace.loop.parcel import Arrival, Parcel
from ace.loop.progress import silent
from ace.loop.run import RunParts, start_run
from ace.loop.stand_ins import Home, StandIn
from ace.runs.steps import Phase, PhaseKind
from ace.settings import ExecutorKind, Settings
from ace.store import Store
from tests.model_server import ModelServer
from tests.pace import patience
from tests.ray_world import ON_RAY, ON_THREADS, deadly_judge, learn_into, left_by, things
from tests.test_loop_parallel import NUMBER, THINGS, says
from tests.world import write_world

ray = pytest.importorskip(
    "ray", reason="Ray is not installed: `just ray` runs these in an environment of its own"
)

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """Let workers be as urgent as this process, and end what the first run of the module has started."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_worker_niceness", "0")
        yield
    ray.shutdown()


@pytest.fixture
def model() -> Iterator[ModelServer]:
    server = ModelServer(says)
    yield server
    server.close()


@pytest.fixture
def client(model: ModelServer) -> Iterator[Client]:
    with connect("openai/things", api_base=model.api_base, api_key="none") as client:
        yield client


def test_a_run_on_ray_is_the_same_as_one_in_threads(
    tmp_path: Path, client: Client, model: ModelServer
) -> None:
    learn_into(tmp_path / "threads.db", things(), client, ON_THREADS)
    in_threads = model.calls
    learn_into(tmp_path / "ray.db", things(), client, ON_RAY)
    assert left_by(tmp_path / "ray.db") == left_by(tmp_path / "threads.db")
    assert model.calls == 2 * in_threads
    with Store.open(tmp_path / "ray.db") as store:
        assert [bullet.content for bullet in store.checkout()] != []


def test_a_killed_worker_costs_one_retry_and_pays_for_no_call_twice(
    tmp_path: Path, client: Client, model: ModelServer
) -> None:
    learn_into(tmp_path / "threads.db", things(), client, ON_THREADS)
    in_threads = model.calls
    marker = tmp_path / "marker"
    learn_into(tmp_path / "ray.db", things(partial(deadly_judge, marker)), client, ON_RAY)
    assert marker.exists()
    assert left_by(tmp_path / "ray.db") == left_by(tmp_path / "threads.db")
    # The other task that was under way is not disturbed, and the calls of the dead one had ended.
    assert model.calls == 2 * in_threads


def test_what_has_a_state_stays_at_home(tmp_path: Path) -> None:
    """A scripted client counts its calls, a source looks into this process: both are asked through it."""
    asked = list[str]()
    lock = threading.Lock()

    def look_up(question: str) -> list[str]:
        with lock:
            asked.append(question)
        return ["Numbers are even."]

    client = ScriptedClient(says)
    task = things(sources=[look_up])
    learn_into(tmp_path / "ray.db", task, client, ON_RAY)
    on_ray = len(asked), len(client.calls)
    learn_into(tmp_path / "threads.db", task, client, ON_THREADS)
    assert (len(asked), len(client.calls)) == (2 * on_ray[0], 2 * on_ray[1])
    assert left_by(tmp_path / "ray.db") == left_by(tmp_path / "threads.db")


def test_caps_hold_and_a_run_is_taken_up_by_another_executor(
    tmp_path: Path, client: Client, model: ModelServer
) -> None:
    learn_into(tmp_path / "whole.db", things(), client, ON_THREADS)
    whole, paid = left_by(tmp_path / "whole.db"), model.calls
    model.calls = 0
    path = tmp_path / "cut.db"
    learn_into(path, things(), client, ON_RAY, caps=Caps(calls=paid // 2))
    assert model.calls == paid // 2
    with Store.open(path) as store:
        learn(things(), store, RoleModels.of(client), ON_THREADS, resume=True)
    assert (left_by(path), model.calls) == (whole, paid)


def test_an_agent_that_always_kills_its_worker_ends_the_run_with_its_reason(tmp_path: Path) -> None:
    home = os.getpid()

    def die(question: str, context: str) -> str:
        if os.getpid() != home:
            os.kill(os.getpid(), signal.SIGKILL)
        return ""

    with Store.open(tmp_path / "p.db") as store, pytest.raises(AceError, match=r"3 workers of Ray died"):
        evaluate(things(agent=die), store, RoleModels.of(ScriptedClient(says)), ON_RAY)


def test_functions_travel_and_a_lock_in_one_is_named(tmp_path: Path) -> None:
    lock = threading.Lock()
    models = RoleModels.of(ScriptedClient(says))
    with Store.open(tmp_path / "p.db") as store:
        report = evaluate(things(agent=lambda question, context: NUMBER[THINGS[0]]), store, models, ON_RAY)
        assert report.after is not None and report.after.correct == 1
        with pytest.raises(InputError, match=r"the agent or solver of the task cannot be pickled") as error:
            evaluate(things(agent=lambda q, c: str(lock.locked())), store, models, ON_RAY)
        assert "--executor threads" in str(error.value)
        assert [run.status for run in store.run_summaries()] == ["done", "failed"]
        assert store.verify() == []


def test_a_node_with_another_version_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ace.loop.ray_executor.version", lambda name: "99.0")
    with (
        Store.open(tmp_path / "p.db") as store,
        pytest.raises(InputError, match=r"has ace-engine .*, and this is 99\.0.*pip install"),
    ):
        evaluate(things(), store, RoleModels.of(ScriptedClient(says)), ON_RAY)


def test_an_interrupt_ends_the_tasks(tmp_path: Path, model: ModelServer) -> None:
    """The command is a driver of its own on the cluster that is here already."""
    write_world(tmp_path / "colours")
    model.stalls_at = 3
    with Store.open(tmp_path / "warm.db") as store:  # where no other test has started Ray
        evaluate(
            things(agent=lambda question, context: ""), store, RoleModels.of(ScriptedClient(says)), ON_RAY
        )
    address = ray.get_runtime_context().gcs_address
    command = [sys.executable, "-c", "from ace.cli.main import main; main()", "learn", "colours"]
    command += ["--model", "openai/things", "--api-base", model.api_base, "--workers", "2"]
    command += ["--executor", "ray", "--ray-address", address]
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=-1, stderr=-1, text=True, env=os.environ, preexec_fn=heard
    )
    assert model.stalled.wait(patience(120))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert "everything committed so far is in" in err and "Traceback" not in err
    asked = model.calls
    model.go_on()
    assert asked <= 4  # two were answered, and two wait: nobody asks any more


def refuse(settings: Settings, tmp_path: Path) -> str:
    """Return the one error of a run that cannot start; nothing is left of it in the file."""
    with Store.open(tmp_path / "p.db") as store:
        with pytest.raises(InputError) as error:
            evaluate(things(), store, RoleModels.of(ScriptedClient(says)), settings)
        assert store.run_summaries() == []
    return str(error.value)


def test_ray_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert "pip install 'ace-engine[ray]'" in refuse(ON_RAY, tmp_path)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("127.0.0.1:1", "Nobody answers at 127.0.0.1:1"),
        ("ray://127.0.0.1:10001", "is no address of a Ray cluster"),
        ("nonsense", "is no address of a Ray cluster"),
    ],
)
def test_an_address_at_which_no_cluster_answers(tmp_path: Path, address: str, words: str) -> None:
    ray.shutdown()
    settings = Settings(executor=ExecutorKind.RAY, ray_address=address)
    assert words in refuse(settings, tmp_path)


def test_a_lab_is_pickled_without_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store.open(tmp_path / "p.db") as store:
        models = RoleModels.of(ScriptedClient(says))
        parts = RunParts(task=things(), store=store, models=models, settings=ON_THREADS, progress=silent)
        with start_run("eval", parts) as run:
            lab = run.lab(Phase(PhaseKind.BEFORE))
            bench = lab.bench("purpose")
            parcel = Parcel.of((lab, bench), Home())
            with pytest.raises(TypeError, match="one writer"):
                Parcel.of(run, Home())
        line = Recorded()
        monkeypatch.setattr(StandIn, "line", line)
        arrival = Arrival(parcel.content)
        copy: StepLab = arrival.thing[0]
        assert copy.bench("purpose") is arrival.thing[1] and copy.executor is None
        with pytest.raises(RuntimeError, match="inside `map`"):
            copy.episodes(["ep-1"])
        # What was sent comes back as what it was, and what is new beside it.
        sample = copy.place.task.train[0]
        back = parcel.open_answer(arrival.pack([copy, sample, "new"]))
        assert back[0] is lab and back[1] is parts.task.train[0] and back[2] == "new"
        assert copy.place.stop.is_set() and line.asked == ["is_set"]
    assert b"p.db" not in parcel.content


class Recorded:
    """A line on which everything is true."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, number: int, method: str, arguments: tuple[Any, ...], keywords: Any) -> bool:
        self.asked.append(method)
        return True
