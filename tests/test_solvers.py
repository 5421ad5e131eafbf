"""Agents that are not ours: a function, a command in a process of its own, a class."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import ace
from ace.agent import SOLVERS, Draw, Generator, build_solver
from ace.agent.command_process import run_command
from ace.agent.own_agent import public_fields
from ace.context import Assembled
from ace.errors import AgentFailed, CapReached, InputError, ModelUnavailable, TaskError
from ace.llm import Caps, Endpoint, RoleModels, ScriptedClient
from ace.settings import Settings
from ace.store import Store
from ace.task import Attempt, Failure, FinishReason, Sample, Task, Turn, TurnKind, define_task, load_task
from ace.task.solving import OwnCommand
from ace.testing import World
from tests.model_server import ModelServer

ROWS = [
    {"id": name, "question": f"Code of {name}?", "answer": f"{name}-7"} for name in ("red", "blue", "tan")
]
LESSONS = World(lessons=lambda request: [f"{request.sample.id}: its code ends in -7."])  # type: ignore[union-attr]


def judge(sample: Sample, answer: str) -> bool:
    return answer == sample.data["answer"]


def reads_the_playbook(question: str, context: str) -> str:
    name = question.split()[-1].rstrip("?")
    return f"{name}-7" if f"{name}: its code ends in -7" in context else "I do not know"


def agent_task(agent: Any, **options: Any) -> Task:
    return define_task("codes", ROWS, judge, agent=agent, **options)


# Functions


def test_a_playbook_improves_an_agent_that_is_a_function(tmp_path: Path) -> None:
    task = agent_task(reads_the_playbook)
    with Store.open(tmp_path / "p.db") as store:
        ace.learn(task, store, LESSONS, workers=2)
        report = ace.evaluate(task, store, LESSONS, split="train")
        assert report.after and report.after.correct == 3
        assert report.models["generator"] == "agent/reads_the_playbook" and LESSONS.calls["generator"] == 0
        calls = Counter(call.key.role for run in store.runs() for call in store.calls(run.id))
        assert calls["generator"] >= 9  # counted as a model's calls are


def test_an_async_agent_may_return_turns_and_artifacts(tmp_path: Path) -> None:
    turn = Turn(kind=TurnKind.TOOL, tool="look", arguments="{}", observation="nothing", failed=True)

    async def agent(question: str, context: str, seed: int) -> Attempt:
        await asyncio.sleep(0)
        found = Attempt(
            "", f"<think>Hm {question}</think>tan-7", "raw", turns=(turn,), artifacts={"n": str(seed)}
        )
        return replace(found, finish_reason=FinishReason.LENGTH)

    with Store.open(tmp_path / "p.db") as store:
        ace.evaluate(agent_task(agent), store, LESSONS, split="train")
        episodes = store.episodes()
    last = episodes[-1].attempt
    assert (last.answer, last.text, last.turns, last.sample_id) == ("tan-7", "raw", (turn,), "tan")
    assert last.reasoning == "Hm Code of tan?" and last.finish_reason is FinishReason.LENGTH
    assert len({episode.attempt.artifacts["n"] for episode in episodes}) == 3  # a seed for each sample
    assert [episode.verdict.correct for episode in episodes] == [False, False, True]


def test_an_agent_that_raises_hangs_or_lies_is_a_wrong_answer_with_an_error(tmp_path: Path) -> None:
    def agent(question: str, context: str) -> Any:
        match question.split()[-1]:
            case "red?":
                raise LookupError("no such colour")
            case "blue?":
                time.sleep(30)
            case "tan?":
                return object()
        return "x-7"

    task = agent_task(agent, agent_seconds=0.3)
    task = replace(task, train=(*task.train, Sample("x", "Code of x?", {"answer": "x-7"})))
    with Store.open(tmp_path / "p.db") as store:
        report = ace.evaluate(task, store, LESSONS, split="train")
        attempts = [episode.attempt for episode in store.episodes()]
    assert [attempt.failure for attempt in attempts] == [Failure.AGENT] * 3 + [None]
    errors = "\n".join(attempt.error for attempt in attempts)
    assert "LookupError: no such colour" in errors and "0.3 s" in errors and "returned <object" in errors
    assert report.after and (report.after.correct, report.after.total, report.after.errors) == (1, 4, 3)


def test_an_agent_that_never_answers_ends_the_run_with_its_own_words(tmp_path: Path) -> None:
    def agent(question: str, context: str) -> str:
        raise ImportError("no module named tools")

    with Store.open(tmp_path / "p.db") as store:
        with pytest.raises(ModelUnavailable, match="no module named tools") as error:
            ace.learn(agent_task(agent), store, LESSONS)
        assert "Run the agent by itself" in error.value.hint


def test_a_resumed_run_does_not_ask_an_agent_again(tmp_path: Path) -> None:
    asked: Counter[str] = Counter()
    lock = threading.Lock()

    def agent(question: str, context: str) -> str:
        with lock:
            asked[f"{question} {context}"] += 1
        return reads_the_playbook(question, context)

    task = agent_task(agent)
    hashes = []
    for name, caps in (("whole", [None]), ("parts", [Caps(calls=2), Caps(calls=5), None])):
        asked.clear()
        with Store.open(tmp_path / f"{name}.db") as store:
            for number, cap in enumerate(caps):
                models = RoleModels.of(LESSONS, caps=cap)
                report = ace.learn(task, store, models, resume=number > 0, batch_size=3, workers=1)
            assert not report.stopped and store.verify() == []
            hashes.append([version.hash for version in store.log()])
            totals = sum(asked.values())
            calls = [call for run in store.runs() for call in store.calls(run.id)]
            assert totals == sum(call.key.role == "generator" for call in calls)
    assert hashes[0] == hashes[1] and len(hashes[0]) > 1


def test_workers_do_not_change_what_an_agent_learns(tmp_path: Path) -> None:
    hashes = []
    for workers in (1, 4):
        with Store.open(tmp_path / f"{workers}.db") as store:
            ace.learn(agent_task(reads_the_playbook), store, LESSONS, workers=workers, batch_size=3)
            hashes.append([version.hash for version in store.log()])
    assert hashes[0] == hashes[1]


def test_caps_count_an_agents_calls(tmp_path: Path) -> None:
    with Store.open(tmp_path / "p.db") as store:
        report = ace.learn(agent_task(reads_the_playbook), store, LESSONS, caps=Caps(calls=2))
    assert "cap of 2 calls" in report.stopped


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(TaskError, match="Expected a function"):
        agent_task("agent.py")
    with pytest.raises(TaskError, match="extract"):
        agent_task(reads_the_playbook, extract="jason:x")


# Commands


def command(folder: Path, code: str, **options: Any) -> OwnCommand:
    (folder / "agent.py").write_text(code, encoding="utf-8")
    return OwnCommand(command=("python3", "agent.py"), folder=folder, **options)


def test_a_command_gets_json_and_runs_in_its_folder(tmp_path: Path) -> None:
    code = "import json, os, sys\nprint(json.load(sys.stdin)['question'], os.listdir('.'), end='')"
    text = run_command(command(tmp_path, code), json.dumps({"question": "Größe?"}), {})
    assert text == "Größe? ['agent.py']"


def test_a_command_sees_only_the_variables_that_it_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2-hunter2")
    monkeypatch.setenv("GREETING", "hello")
    code = "import json, os\nprint(json.dumps(dict(os.environ)))"
    agent = command(tmp_path, code, env=("GREETING", "ACE_MODEL_URL", "MISSING"))
    seen = json.loads(run_command(agent, "", {"ACE_MODEL_URL": "http://here", "ACE_MODEL_KEY": "k"}))
    assert seen.pop("LC_CTYPE", "C.UTF-8") == "C.UTF-8"  # Python's own
    assert seen.keys() == {"PATH", "LANG", "GREETING", "ACE_MODEL_URL"}
    assert (seen["GREETING"], seen["ACE_MODEL_URL"]) == ("hello", "http://here")


def ends(pid: int) -> bool:
    """Wait until a process that was killed is gone, or only waits to be counted."""
    while True:  # the limit of the test ends it
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)


def test_a_time_out_ends_the_command_and_what_it_started(tmp_path: Path) -> None:
    code = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(10_000)"])
open("pid", "w").write(str(child.pid))
print("so far", flush=True)
time.sleep(10_000)
"""
    with pytest.raises(AgentFailed, match=r"more than 1 s and was stopped") as error:
        run_command(command(tmp_path, code, seconds=1), "", {})
    assert error.value.details["output"] == "so far\n"
    assert ends(int((tmp_path / "pid").read_text()))


def test_what_a_command_leaves_behind_is_ended_too(tmp_path: Path) -> None:
    code = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(10_000)"])
print(child.pid)
"""
    pid = int(run_command(command(tmp_path, code), "", {}))
    assert ends(pid)


def test_a_command_that_writes_without_end_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(AgentFailed, match="more than 5,000 bytes") as error:
        run_command(command(tmp_path, "while True: print('x' * 1000)", output=5_000), "x" * 10**6, {})
    assert len(error.value.details["output"]) == 5_000


def test_a_crash_is_told_with_exit_code_and_the_end_of_stderr(tmp_path: Path) -> None:
    code = "import sys\nsys.stderr.write('noise\\n' * 9999)\nprint('half')\nraise ValueError('bad page 3')"
    with pytest.raises(AgentFailed) as error:
        run_command(command(tmp_path, code), "", {})
    message = str(error.value)
    assert "exit code 1" in message and message.endswith("ValueError: bad page 3") and len(message) < 3_000
    assert error.value.details["output"] == "half\n"


def test_a_command_has_a_limit_of_memory(tmp_path: Path) -> None:
    with pytest.raises(AgentFailed, match="MemoryError"):
        run_command(command(tmp_path, "x = bytearray(900_000_000)", memory=400), "", {})


def write_task(folder: Path, solver: str, files: dict[str, str]) -> Task:
    head = 'name = "codes"\nenvironment = "answer"\n[data]\ntrain = "train.jsonl"\n[solver]\n'
    (folder / "task.toml").write_text(head + solver, encoding="utf-8")
    (folder / "train.jsonl").write_text("\n".join(map(json.dumps, ROWS)), encoding="utf-8")
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    return load_task(folder, trust=True)


COMMAND = 'kind = "command"\ncommand = ["python3", "agent.py"]\n'
AGENT = """
import json, sys
asked = json.load(sys.stdin)
name = asked["question"].split()[-1].rstrip("?")
known = f"{name}: its code ends in -7" in asked["context"]
assert asked["data"] == {}
if name == "blue":
    print("<think>Blue.</think>", f"{name}-7" if known else "no idea")
else:
    turns = [{"kind": "tool", "tool": "look", "arguments": {"n": asked["seed"] >= 0}, "observation": name}]
    print(json.dumps({"answer": f"{name}-7" if known else "?", "turns": turns, "reasoning": "Look."}))
"""


def test_a_task_folder_with_a_command_learns(tmp_path: Path) -> None:
    task = write_task(tmp_path, COMMAND, {"agent.py": AGENT})
    with Store.open(tmp_path / "p.db") as store:
        ace.learn(task, store, LESSONS, batch_size=3)
        report = ace.evaluate(task, store, LESSONS, split="train")
        red, blue, _ = (episode.attempt for episode in store.episodes(run=report.run))
    assert report.after and report.after.correct == 3
    assert red.turns[0].arguments == '{"n": true}' and red.reasoning == "Look."
    assert (blue.answer, blue.text, blue.reasoning) == ("blue-7", "blue-7\n", "Blue.")


@pytest.mark.parametrize(
    ("solver", "problem"),
    [
        ('kind = "command"', "Missing"),
        ('kind = "command"\ncommand = "python3 agent.py"', "Expected a list"),
        ('kind = "command"\ncommand = ["no-such-program-x"]', "No such program or file: 'no-such-program-x'"),
        ('kind = "command"\ncommand = ["python3", "other.py"]', "No such program or file: 'other.py'"),
        ('kind = "command"\ncommand = ["/usr/bin/env"]', "leaves the task folder"),
        ('kind = "command"\ncommand = ["python3", "../agent.py"]', "leaves the task folder"),
        (COMMAND + "seconds = 0", "more than 0"),
        (COMMAND + 'env = ["A=B"]', "names of environment variables"),
        (COMMAND + "words = 5", "Unknown key"),
        ('kind = "agent:Nobody"', "does not load"),
        ('kind = "agent:Lazy"', "has no method solve"),
    ],
)
def test_a_wrong_solver_table_is_refused_with_its_place(solver: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"task\.toml") as error:
        write_task(tmp_path, solver, {"agent.py": "class Lazy: pass\n"})
    assert "[solver." in str(error.value) and problem in str(error.value)


def test_another_agent_is_not_resumed_with(tmp_path: Path) -> None:
    first = write_task(tmp_path, COMMAND, {"agent.py": AGENT})
    second = write_task(tmp_path, COMMAND, {"agent.py": AGENT + "\n"})
    with Store.open(tmp_path / "p.db") as store:
        ace.learn(first, store, LESSONS, caps=Caps(calls=1))
        with pytest.raises(InputError, match="samples"):
            ace.learn(second, store, LESSONS, resume=True)
        assert not ace.learn(first, store, LESSONS, resume=True).stopped


def test_an_agent_is_told_no_label() -> None:
    sample = Sample("a", "?", {"answer": "4", "gold": "4", "user": "bob"})
    assert public_fields(agent_task(reads_the_playbook), sample) == {"user": "bob"}


def test_an_address_of_ones_own_is_offered_and_a_providers_is_not() -> None:
    own = Endpoint("local/m", address="openai/m", api_base="http://127.0.0.1:1/v1", api_key="k")
    models = RoleModels.of(own)
    assert models.generator.access()["ACE_MODEL_URL"] == "http://127.0.0.1:1/v1"  # type: ignore[attr-defined]
    assert Endpoint("openai/gpt-4.1-mini", api_key="k").access() == {}


def test_the_example_agent_asks_the_model_that_it_is_told_of(tmp_path: Path) -> None:
    """The task in `tasks/own_agent`: a code is asked for in each set, and told in the context."""
    task = load_task(Path(__file__).parent.parent / "tasks" / "own_agent")
    codes = {sample.data["answer"] for sample in task.train}
    assert len(codes) == 10 and codes == {sample.data["answer"] for sample in task.test}
    server = ModelServer(
        lambda request: "The code is `K4`." if "Fog: K4" in request.messages[0].content else "?"
    )
    lessons = World(lessons=lambda request: ["Fog: K4."])
    endpoint = Endpoint("openai/m", api_base=server.api_base, api_key="k")
    models = RoleModels.of(endpoint, reflector=lessons, curator=lessons)
    with Store.open(tmp_path / "p.db") as store:
        fog = tuple(sample for sample in task.train if sample.data["answer"] == "K4")
        report = ace.learn(replace(task, train=fog), store, models, workers=2)
        (last,) = (each for each in store.episodes(run=report.run)[-20:] if each.sample_id == "test-fog-1")
    server.close()
    assert report.after and (report.before, report.after.correct) == (replace(report.after, correct=0), 2)
    assert last.attempt.turns[0].text == "The code is `K4`." and last.attempt.answer == "K4"
    assert "generator" in report.usage and {len(request.messages) for request in server.received} == {2}


# Classes

TWICE = """
from dataclasses import dataclass
from ace.agent import SingleCall
from ace.task import Attempt

class Twice:
    def __init__(self, generator, task, options):
        self.call, self.mark = SingleCall(generator), options["mark"]

    def solve(self, sample, context, workspace, draw):
        if sample.id == "tan":
            raise LookupError("tan is not there")
        attempts = [self.call.solve(sample, context, workspace, draw) for _ in range(2)]
        return Attempt(sample.id, attempts[1].answer + self.mark, artifacts={"first": attempts[0].answer})
"""


def test_a_class_of_the_task_folder_makes_attempts_with_the_runs_model(tmp_path: Path) -> None:
    solver = 'kind = "twice:Twice"\n[solver.options]\nmark = "-7"\n'
    task = write_task(tmp_path, solver, {"twice.py": TWICE})
    client = ScriptedClient(lambda request: request.sample.id)  # type: ignore[union-attr,arg-type,return-value]
    with Store.open(tmp_path / "p.db") as store:
        report = ace.evaluate(task, store, client, split="train")
        red, _, tan = (episode.attempt for episode in store.episodes())
    assert report.after and report.after.correct == 2 and len(client.calls) == 4
    assert red.artifacts == {"first": "red"}
    assert tan.failure is Failure.AGENT and tan.error == "twice:Twice: LookupError: tan is not there"


def test_every_choice_has_a_builder(tmp_path: Path) -> None:
    assert set(SOLVERS) == {"single", "outline", "tools", "team", "agent", "command", "class"}
    task = agent_task(reads_the_playbook)
    solver = build_solver(Generator(ScriptedClient(["red-7"]), task), task, len, Settings())
    assert solver.solve(task.train[0], Assembled("", "", 0, 0), None, Draw()).answer == "red-7"


def test_a_solver_lets_a_cap_end_the_run(tmp_path: Path) -> None:
    def agent(question: str, context: str) -> str:
        raise CapReached("enough")

    with Store.open(tmp_path / "p.db") as store:
        assert ace.learn(agent_task(agent), store, LESSONS).stopped == "enough"
