"""A team: who may do what, how a task is handed over, limits and loops, and runs that were killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from ace import AceError, Caps, evaluate, learn, load_task
from ace.agent.team_desk import Desk, TeamMemory
from ace.errors import InputError
from ace.llm.client import Request
from ace.playbook.model import Add, bullet_id
from ace.store import Store
from ace.task import Attempt, Failure, Task, ToolCall, Turn, TurnKind, define_task
from ace.task.attempt import read_turns
from ace.task.environments.tools.tools_environment import ToolsEnvironment
from ace.task.team import Team, TeamAgent, TeamSolving
from ace.task.workspace import ToolSpec
from ace.testing import World
from tests.cli import Ace
from tests.team_world import BILLING, SOLVING, TEAM, TECHNICAL, TRIAGE, Helpers, both, reboot, refund

ENVIRONMENT = ToolsEnvironment(Helpers)
ROW = refund("a", "Ann", 12)


def helpdesk(*rows: Mapping[str, Any], solving: TeamSolving = SOLVING, **more: Any) -> Task:
    task = define_task("helpers", rows or [ROW], ENVIRONMENT, **more)  # type: ignore[arg-type]
    return replace(task, solver=solving)


def call(tool: str, /, **arguments: Any) -> ToolCall:
    return ToolCall("", tool, arguments)


def hand_over(to: str, brief: str = "see the task", **more: Any) -> ToolCall:
    return call("hand_over", to=to, brief=brief, **more)


def acting(request: Request) -> str:
    """Return who acts, by the tools that are offered."""
    names = {tool.name for tool in request.tools}
    return "billing" if "pay" in names else "technical" if "restart" in names else "triage"


def script(**said: list[Any]) -> Callable[[Request], Any]:
    """Let each agent say one thing after the other, over all the times that it acts."""
    left = {name: iter(things) for name, things in said.items()}
    return lambda request: next(left[acting(request)])


def attempt(tmp_path: Path, model: World, task: Task | None = None, **settings: Any) -> Attempt:
    with Store.open(tmp_path / "p.db") as store:
        evaluate(task or helpdesk(), store, model, split="train", **settings)
        (episode,) = store.episodes()
        assert store.verify() == []
    return episode.attempt


PAID = [call("find_account", name="Ann"), call("pay", account="A7", cents=1200)]


def test_a_task_is_handed_over_with_a_brief_and_nothing_else(tmp_path: Path) -> None:
    note = call("note", key="mood", text="in a hurry")
    questions = ["Is it the first time?"]
    model = World(
        script(
            triage=["Let me think <of> it.", note, hand_over("billing", "pay her", open_questions=questions)][
                1:
            ],
            billing=[*PAID, "All done."],
        )
    )
    with Store.open(tmp_path / "p.db") as store:
        report = evaluate(helpdesk(), store, model, split="train")
        (episode,) = store.episodes()
    assert report.after and report.after.correct == 1
    turns = episode.attempt.turns
    assert [(turn.agent, turn.tool) for turn in turns] == [
        ("triage", "note"),
        ("triage", "hand_over"),
        ("billing", "find_account"),
        ("billing", "pay"),
        ("billing", ""),
    ]
    assert episode.attempt.answer == "All done."
    first = model.requests[2].messages
    assert [message.role for message in first] == ["system", "user"]
    assert first[1].content.startswith("Give Ann 12 euros back.")
    for text in ("The brief: pay her", "Open question: Is it the first time?", "mood: in a hurry"):
        assert text in first[1].content


def test_each_agent_is_offered_its_own_tools_and_whom_it_may_hand_to(tmp_path: Path) -> None:
    model = World(script(triage=[hand_over("technical")], technical=["nothing to do"]))
    attempt(tmp_path, model)
    first, second = model.requests
    assert [tool.name for tool in first.tools] == ["hand_over", "note"]
    assert first.tools[0].parameters["properties"]["to"]["enum"] == ["billing", "technical"]
    assert "billing: Money. technical: Machines." in first.tools[0].description
    assert [tool.name for tool in second.tools] == ["restart", "hand_over", "note"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (hand_over("nobody"), "triage hands to billing, technical, not to 'nobody'"),
        (hand_over("triage"), "not to 'triage'"),
        (call("hand_over", to=["billing"], brief="x"), "not to ['billing']"),
        (hand_over("billing", "  "), "a brief that is text"),
        (call("hand_over", to="billing"), "a brief that is text"),
        (hand_over("billing", transcript="all"), "the arguments (to, brief, open_questions)"),
        (hand_over("billing", "x" * 5_000), "5000 characters, of 2000"),
        (hand_over("billing", open_questions=["?"] * 9), "at most 5 texts"),
        (hand_over("billing", open_questions={"a": 1}), "at most 5 texts"),
        (call("note", key="a"), "a note takes the arguments (key, text)"),
        (call("note", key="a", text="x" * 900), "400 characters at most"),
        (call("pay", account="A7", cents=1), "triage has no tool pay; there are hand_over, note"),
    ],
)
def test_what_cannot_be_handed_over_or_done_is_an_observation(
    tmp_path: Path, asked: ToolCall, said: str
) -> None:
    done = attempt(tmp_path, World(script(triage=[asked, "I give up."])))
    assert done.turns[0].failed and said in done.turns[0].observation
    assert done.answer == "I give up." and not done.error


def test_an_agent_may_hand_over_only_to_those_named(tmp_path: Path) -> None:
    model = World(script(triage=[hand_over("technical")], technical=[hand_over("billing"), "stuck"]))
    done = attempt(tmp_path, model)
    assert done.turns[1].failed and "technical hands to triage" in done.turns[1].observation


def test_the_board_of_notes_is_bounded_and_a_key_is_replaced(tmp_path: Path) -> None:
    notes = [call("note", key=f"k{number % 13}", text=f"t{number}") for number in range(15)]
    triage = replace(TRIAGE, steps=40)
    team = replace(TEAM, agents=(triage, BILLING, TECHNICAL))
    model = World(script(triage=[*notes, hand_over("billing")], billing=["ok"]))
    done = attempt(tmp_path, model, helpdesk(solving=replace(SOLVING, team=team)))
    assert [turn.failed for turn in done.turns[:15]] == [False] * 12 + [True] + [False] * 2
    user = model.requests[-1].messages[1].content
    assert "k0: t13" in user and "t0\n" not in user and "k12" not in user


# Loops and limits


def test_a_brief_that_comes_back_ends_the_attempt(tmp_path: Path) -> None:
    model = World(
        script(triage=[hand_over("billing", "Pay  Ann")], billing=[hand_over("triage", "pay ann"), "never"])
    )
    done = attempt(tmp_path, model)
    assert done.failure is Failure.LOOP and not done.answer
    assert "billing and triage hand the same brief to each other: pay ann" in done.error
    assert done.turns[-1].failed


def test_too_many_handovers_between_two_agents_end_the_attempt(tmp_path: Path) -> None:
    def speak(request: Request) -> Any:
        to = "triage" if acting(request) == "billing" else "billing"
        return hand_over(to, f"brief {len(model.requests)}")

    model = World(speak)
    done = attempt(tmp_path, model)
    assert done.failure is Failure.LOOP and "handed the task to each other 4 times" in done.error
    assert len(done.turns) == 5


def test_a_task_may_go_round_a_team_with_new_briefs(tmp_path: Path) -> None:
    model = World(
        script(
            triage=[hand_over("billing", "pay"), hand_over("technical", "restart north")],
            billing=[*PAID, hand_over("triage", "paid")],
            technical=[call("restart", server="srv-3"), "done"],
        )
    )
    done = attempt(tmp_path, model, helpdesk(both("a", "Ann", 12, "north")))
    assert done.answer == "done" and not done.error
    assert [turn.agent for turn in done.turns].count("triage") == 2


def test_limits_of_the_team_and_of_an_agent(tmp_path: Path) -> None:
    numbers = iter(range(100))

    def speak(request: Request) -> Any:
        number = next(numbers)
        if acting(request) == "triage":
            return hand_over("billing", f"{number}")
        return call("find_account", name=f"{number}") if number % 3 else hand_over("triage", f"{number}")

    done = attempt(tmp_path, World(speak), helpdesk(solving=replace(SOLVING, steps=7)))
    assert done.failure is Failure.LIMIT and sum(turn.tokens is not None for turn in done.turns) == 7
    team = replace(TEAM, agents=(TRIAGE, replace(BILLING, steps=2), TECHNICAL))
    (tmp_path / "b").mkdir()
    done = attempt(tmp_path / "b", World(speak), helpdesk(solving=replace(SOLVING, team=team)))
    assert done.failure is Failure.LIMIT and done.error.startswith("billing: ")
    assert sum(turn.agent == "billing" for turn in done.turns) == 2


def test_a_task_that_comes_back_to_an_agent_without_steps_ends(tmp_path: Path) -> None:
    team = replace(TEAM, agents=(replace(TRIAGE, steps=1), BILLING, TECHNICAL))
    model = World(script(triage=[hand_over("billing")], billing=[hand_over("triage", "back")]))
    done = attempt(tmp_path, model, helpdesk(solving=replace(SOLVING, team=team)))
    assert done.failure is Failure.LIMIT and "triage: it has no steps left, of 1" in done.error


def test_the_time_of_a_team_is_limited(tmp_path: Path) -> None:
    done = attempt(tmp_path, World(), helpdesk(solving=replace(SOLVING, seconds=0.0)))
    assert done.failure is Failure.LIMIT and done.error == "triage: the team took more than 0 s"


def test_a_tool_that_nobody_has_is_a_mistake_in_the_task(tmp_path: Path) -> None:
    team = replace(TEAM, agents=(TRIAGE, replace(BILLING, tools=("pay", "refnd")), TECHNICAL))
    with pytest.raises(InputError, match="billing may call refnd, and there is no such tool"):
        attempt(tmp_path, World(), helpdesk(solving=replace(SOLVING, team=team)))


def test_a_tool_of_the_world_keeps_its_name() -> None:
    from ace.agent.team_desk import Desk, TeamMemory
    from ace.task.environments.tools.function_tools import read_functions
    from ace.task.environments.tools.tools_environment import FunctionWorkspace

    def note(text: str) -> str:
        """Write."""
        return f"the world's: {text}"

    def hand_over(to: str) -> str:
        """Hand."""
        return "the world's"

    inner = FunctionWorkspace(Helpers({}), read_functions([note, hand_over]))
    desk = Desk(inner, TEAM, replace(TRIAGE, tools=None), TeamMemory())
    assert [tool.name for tool in desk.tools()] == ["note", "hand_over", "team_hand_over", "team_note"]
    assert desk.call(call("note", text="x")).text == "the world's: x"
    assert desk.call(call("team_hand_over", to="billing", brief="x")).ends


def test_a_team_without_a_world_answers_in_words(tmp_path: Path) -> None:
    agents = (replace(TRIAGE, hands_to=("billing",)), TeamAgent(name="billing", tools=(), about="Money."))
    task = define_task("words", [{"id": "1", "question": "How much?", "answer": "12"}], "short")
    task = replace(task, solver=TeamSolving(team=Team(agents=agents, start="triage", notes=False)))
    said = iter([hand_over("billing"), "12"])
    done = attempt(tmp_path, World(lambda request: next(said)), task)
    assert done.answer == "12" and [turn.agent for turn in done.turns] == ["triage", "billing"]


def test_a_model_that_writes_its_calls_hands_over_too(tmp_path: Path) -> None:
    model = World(script(triage=[hand_over("billing")], billing=[*PAID, call("done")]), writes_calls=True)
    done = attempt(tmp_path, model)
    assert done.answer == "done()" and [turn.tool for turn in done.turns][-1] == "done"
    assert "- hand_over(to, brief, open_questions): Give the task" in model.requests[0].messages[0].content
    assert "find_account" not in model.requests[0].messages[0].content


# What each of them reads


def add(section: str, content: str) -> Add:
    return Add(bullet_id(section, content), section, content)


LESSONS = (
    add("billing: strategies", "Money is cents."),
    add("technical: strategies", "North is srv-3."),
    add("triage: strategies", "Machines go to technical."),
    add("facts", "Be kind."),
    add("Note: odd", "For all, whatever stands before the colon."),
)


def test_each_agent_reads_its_own_lessons_and_those_for_all(tmp_path: Path) -> None:
    model = World(
        script(
            triage=[hand_over("billing"), hand_over("technical", "x")],
            billing=[hand_over("triage", "back")],
            technical=["ok"],
        )
    )
    with Store.open(tmp_path / "p.db") as store:
        store.commit(LESSONS, author="human", reason="by hand")
        evaluate(helpdesk(instructions="You help."), store, model, split="train")
    own = {"triage": "Machines go", "billing": "Money is cents", "technical": "North is"}
    systems: dict[str, set[str]] = {}
    for request in model.requests:
        system = request.messages[0].content
        assert "Be kind." in system and "For all" in system and "You help." in system
        for name, text in own.items():
            assert (text in system) == (name == acting(request))
        assert any(own[acting(request)] in text for text in request.bullets)
        systems.setdefault(acting(request), set()).add(system)
    assert all(len(texts) == 1 for texts in systems.values()), "the prefix of an agent is stable"


def test_every_prompt_stays_within_the_share_of_its_agent(tmp_path: Path) -> None:
    team = replace(TEAM, agents=(replace(TRIAGE, share=0.3), replace(BILLING, share=0.5), TECHNICAL))
    model = World(script(triage=[hand_over("billing", "y " * 900)], billing=[*PAID, "ok"]))
    many = tuple(add("billing: facts", f"Fact number {number} of this world.") for number in range(400))
    more = tuple(add("triage: facts", f"Rule number {number} of this world.") for number in range(400))
    with Store.open(tmp_path / "p.db") as store:
        store.commit((*many, *more), author="human", reason="by hand")
        evaluate(helpdesk(solving=replace(SOLVING, team=team)), store, model, split="train", budget=6_000)
    shares = {"triage": 0.3, "billing": 0.5}
    for request in model.requests:
        size = sum(len(message.content) for message in request.messages) / 4
        assert 400 < size <= 6_000 * shares[acting(request)]


def test_turns_of_a_team_are_kept_with_who_acted() -> None:
    turn = Turn(kind=TurnKind.TOOL, tool="pay", arguments="{}", agent="billing")
    assert read_turns([turn.to_json()]) == (turn,)
    assert turn.lines()[0] == "billing calls pay({})"
    assert Turn(kind=TurnKind.AGENT, text="hello", agent="billing").lines() == ("billing: hello",)


def test_the_command_shows_who_acted(tmp_path: Path, ace: Ace) -> None:
    model = World(script(triage=[hand_over("billing")], billing=[*PAID, "All done."]))
    with Store.open(tmp_path / "p.db") as store:
        evaluate(helpdesk(), store, model, split="train")
        (episode,) = store.episodes()
    done = ace("runs", "show", "--playbook", str(tmp_path / "p.db"), "--episode", episode.id)
    assert "  1  triage: hand_over(" in done.out and "  3  billing: pay(" in done.out
    assert "  4  billing: assistant" in done.out


# Runs that are killed in the middle of a handover


def follow(request: Request) -> Any:
    """Act as somebody who knows it all, from the request alone: the same whenever it is asked."""
    question = request.sample.question  # type: ignore[union-attr]
    made = sum(message.role == "assistant" for message in request.messages)
    if acting(request) == "triage":
        return hand_over("technical" if "server" in question else "billing", "do it")
    if acting(request) == "technical":
        return [call("restart", server="srv-3"), "ok"][made]
    who = question.split()[1]
    ids = {"Ann": "A7", "Bob": "A4"}
    return [call("find_account", name=who), call("pay", account=ids[who], cents=1200), "ok"][made]


ROWS = (refund("a", "Ann", 12), refund("b", "Bob", 12), reboot("c", "north"))
CALLS = 11  # of the three samples
SETTINGS: dict[str, Any] = {"batch_size": 1}


def facts_of(store: Store) -> list[Any]:
    episodes = [(e.id, e.attempt.text, e.attempt.artifacts, e.verdict.correct) for e in store.episodes()]
    return [episodes, [version.hash for version in store.log()]]


@pytest.mark.parametrize("calls", range(1, 11))
def test_a_run_that_is_cut_off_in_a_handover_goes_on_as_if_nothing_was(tmp_path: Path, calls: int) -> None:
    seen = []
    for name, caps in (("whole", None), ("cut", Caps(calls=calls))):
        model = World(follow)
        with Store.open(tmp_path / f"{name}.db") as store:
            learn(helpdesk(*ROWS), store, model, caps=caps, **SETTINGS)
            if caps:
                learn(helpdesk(*ROWS), store, model, resume=True, **SETTINGS)
            seen.append(facts_of(store))
        assert model.calls["generator"] == CALLS, "no call is paid for twice"
    assert seen[0] == seen[1]


KILLED = """
import os, signal, sys
from ace import learn
from ace.store import Store
from ace.testing import World
from tests.test_team import ROWS, SETTINGS, follow, helpdesk

asked = 0
def speak(request):
    global asked
    asked += 1
    if asked == 6:  # the second task was just handed over
        os.kill(os.getpid(), signal.SIGKILL)
    return follow(request)

with Store.open(sys.argv[1]) as store:
    learn(helpdesk(*ROWS), store, World(speak), **SETTINGS)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_process_that_is_killed_after_a_handover_resumes(tmp_path: Path) -> None:
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "cut.db")], cwd=root, check=False)
    assert done.returncode == -signal.SIGKILL
    model = World(follow)
    with Store.open(tmp_path / "cut.db") as store:
        learn(helpdesk(*ROWS), store, model, resume=True, **SETTINGS)
        cut = facts_of(store)
        assert store.verify() == []
    with Store.open(tmp_path / "whole.db") as store:
        learn(helpdesk(*ROWS), store, World(follow), **SETTINGS)
        assert facts_of(store) == cut
    assert model.calls["generator"] == CALLS - 5


# The table of task.toml

AGENTS = """
[solver]
kind = "team"
start = "triage"
steps = 12
notes = false
[[solver.agents]]
name = "triage"
tools = []
hands_to = ["billing"]
[[solver.agents]]
name = "billing"
about = "Money."
instructions = "You pay."
share = 0.5
"""


def write_folder(folder: Path, solver: str) -> Path:
    folder.mkdir()
    (folder / "answers.jsonl").write_text('{"id": "1", "question": "?", "answer": "x"}', "utf-8")
    head = 'name = "t"\nenvironment = "answer"\n[data]\ntrain = "answers.jsonl"\n'
    (folder / "task.toml").write_text(head + solver, "utf-8")
    return folder


def test_a_team_is_read_from_a_task_folder(tmp_path: Path) -> None:
    solving = load_task(write_folder(tmp_path / "t", AGENTS)).solver
    assert isinstance(solving, TeamSolving) and solving.steps == 12 and not solving.team.notes
    triage, billing = solving.team.agents
    assert triage.tools == () and triage.hands_to == ("billing",) and billing.tools is None
    assert billing.about == "Money." and billing.instructions == "You pay." and billing.share == 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('start = "triage"', 'start = "front"'), "start: there is no agent 'front' in the team"),
        (('["billing"]', '["bill"]'), "hands_to of triage: there is no agent 'bill' in the team"),
        (('["billing"]', '["triage"]'), "cannot hand a task to itself"),
        (('name = "billing"', 'name = "triage"'), "the same name"),
        (('name = "billing"', 'name = "Billing: x"'), r"agents\[2\].name\]? ?.*small letters"),
        (("share = 0.5", "share = 2"), "at most 1"),
        (("share = 0.5", "shares = 2"), "Did you mean 'share'"),
        (('start = "triage"', ""), "Missing"),
        (("steps = 12", "words = 12"), "Unknown key"),
    ],
)
def test_what_is_wrong_with_a_team_is_said(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    with pytest.raises(AceError, match=message):
        load_task(write_folder(tmp_path / "t", AGENTS.replace(*change)))


def test_the_tools_of_a_team_are_named_apart_from_those_of_a_workspace() -> None:
    class Crowded:
        def tools(self) -> list[ToolSpec]:
            return [ToolSpec(name, "Do it.", {}) for name in ("hand_over", "team_hand_over", "note")]

    agent = replace(TEAM.find("billing"), tools=None)
    desk = Desk(cast(Any, Crowded()), TEAM, agent, TeamMemory())
    names = [tool.name for tool in desk.tools()]
    assert names[3:] == ["team_team_hand_over", "team_note"] and len(set(names)) == 5
    handed = desk.call(ToolCall("", names[3], {"to": agent.hands_to[0], "brief": "go on"}))
    assert handed.ends and desk.handover is not None
