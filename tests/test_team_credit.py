"""Whose lesson it is: the agent that decided an attempt, or the router where the task went astray."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ace import Caps, learn
from ace.llm.client import Request
from ace.playbook.delta import apply
from ace.playbook.model import Add, Playbook, bullet_id
from ace.refine import refine_playbook
from ace.store import Store
from ace.task import Attempt, Failure, Sample, Turn, TurnKind
from ace.task.environments.tools.tools_environment import STATE, ToolsEnvironment
from ace.task.team import Leg, Reader, Team, TeamAgent
from ace.task.team_credit import find_responsible
from ace.task.types import Feedback, FeedbackKind
from ace.task.wording import Audience
from ace.testing import World
from tests.team_world import ACCOUNTS, SERVERS, TEAM, both, reboot, refund
from tests.test_team import ENVIRONMENT, acting, call, hand_over, helpdesk

NORTH = reboot("n", "north")


def judge(row: dict[str, Any], *turns: tuple[str, str], failure: Failure | None = None) -> str:
    """Return who is responsible for an attempt at a row that left the world as it was."""
    sample = helpdesk(row).train[0]
    return _judge(sample, turns, failure, ENVIRONMENT.follow(sample).first_state)


def _judge(sample: Sample, turns: Sequence[tuple[str, str]], failure: Failure | None, state: Any) -> str:
    made = tuple(Turn(kind=TurnKind.TOOL, tool=tool, agent=agent) for agent, tool in turns)
    attempt = Attempt(sample.id, "", failure=failure, turns=made, artifacts={STATE: json.dumps(state)})
    feedback = ENVIRONMENT.score(sample, attempt).shown(FeedbackKind.LABELS)
    return find_responsible(TEAM, attempt, feedback)


def test_facts_name_the_tools_that_would_have_made_the_change() -> None:
    sample = helpdesk(both("a", "Ann", 12, "north")).train[0]
    first = ENVIRONMENT.follow(sample).first_state
    turns = (Turn(kind=TurnKind.AGENT, text="no", agent="triage"),)
    attempt = Attempt(sample.id, "", turns=turns, artifacts={STATE: json.dumps(first)})
    missing = ENVIRONMENT.score(sample, attempt).missing
    tools = {
        fact.text.partition(":")[0]: fact.topics & {"pay", "restart", "find_account"} for fact in missing
    }
    assert tools == {"paid.A7": {"pay"}, 'restarts["srv-3"]': {"restart"}}


T, B, X = ("triage", "hand_over"), ("billing", "pay"), ("technical", "restart")


@pytest.mark.parametrize(
    ("row", "turns", "failure", "who"),
    [
        (NORTH, (T,), None, "triage"),
        (NORTH, (T, X), None, "technical"),
        (NORTH, (T, B), None, "triage"),  # the wrong agent was sent to, which could have handed on
        (NORTH, (T, ("billing", "hand_over"), X), None, "technical"),
        (NORTH, (T, ("billing", "hand_over"), X), Failure.LIMIT, "triage"),  # it came too late
        (NORTH, (T, X), Failure.LIMIT, "technical"),
        (NORTH, (T, X), Failure.LOOP, "technical"),
        (both("a", "Ann", 12, "north"), (T, ("billing", "find_account")), None, "billing"),
        (both("a", "Ann", 12, "north"), (T, X), None, "technical"),
    ],
)
def test_who_decided_a_failed_attempt(
    row: dict[str, Any], turns: tuple[tuple[str, str], ...], failure: Failure | None, who: str
) -> None:
    assert judge(row, *turns, failure=failure) == who


def test_who_had_the_task_rightly_should_have_handed_it_on() -> None:
    sample = helpdesk(both("a", "Ann", 12, "north")).train[0]
    state = ENVIRONMENT.follow(sample).first_state
    state["paid"]["A7"] = 1200
    assert _judge(sample, (T, B), None, state) == "billing"
    assert _judge(sample, (T, B, ("billing", "hand_over"), X), None, state) == "technical"


def test_where_nothing_tells_the_tools_the_last_to_act_is_responsible() -> None:
    attempt = Attempt("a", "no", turns=(Turn(kind=TurnKind.AGENT, text="no", agent="technical"),))
    assert find_responsible(TEAM, attempt, Feedback(FeedbackKind.EXECUTION, "")) == "technical"
    everybody = Team(agents=(TeamAgent(name="a"), TeamAgent(name="b")), start="a")
    assert find_responsible(everybody, attempt, Feedback(FeedbackKind.LABELS, "")) == "a"


# Recipes of a team


def test_calls_are_divided_with_few_handovers() -> None:
    shared = Team(
        agents=(
            TeamAgent(name="a", tools=("find", "pay")),
            TeamAgent(name="b", tools=("find", "restart")),
        ),
        start="a",
    )
    assert shared.divide(["find", "restart"]) == (Leg("b", 0, 2),)
    assert shared.divide(["find", "pay", "find", "restart"]) == (Leg("a", 0, 3), Leg("b", 3, 4))
    assert shared.divide(["find", "vanish"]) == () and shared.divide([]) == ()
    assert TEAM.find_way("technical", "billing") == ("triage", "billing")
    assert shared.find_way("a", "b") == ()


def recipes(*rows: dict[str, Any], team: Team = TEAM) -> list[tuple[str, str]]:
    first, *others = helpdesk(*rows).train
    entries = ENVIRONMENT.suggest(first, others, (), Audience(team))
    return [(each.reader, each.text) for entry in entries for each in entry]


def test_a_recipe_is_split_between_the_router_and_the_owner() -> None:
    rows = [refund("a", "Ann", 12), refund("b", "Bob", 30), reboot("c", "north"), reboot("d", "south")]
    texts = recipes(*rows)
    assert texts == [
        (
            "billing",
            "Give … euros back: find_account(name), "
            "then pay(account=the account that find_account shows, cents), then done.",
        ),
        ("billing", 'cents of pay: the number, then "00"; cents=1200 for 12 euros, cents=3000 for 30 euros.'),
        ("triage", 'Give … euros back: hand_over(to="billing", brief).'),
        ("triage", 'to of hand_over: to="billing" for euros; to="technical" for server.'),
    ]


def test_a_task_of_two_agents_is_split_between_them() -> None:
    rows = [both("a", "Ann", 12, "north"), both("b", "Bob", 30, "south"), refund("c", "Cho", 4)]
    texts = recipes(*rows)
    firsts = dict(reversed(texts))
    assert firsts["billing"].endswith('find_account shows, cents), then hand_over(to="technical", brief).')
    assert firsts["technical"].endswith(": restart(server), then done.") and firsts["triage"].endswith(
        ': hand_over(to="billing", brief).'
    )
    strict = replace(
        TEAM, agents=(TEAM.agents[0], replace(TEAM.agents[1], hands_to=("triage",)), TEAM.agents[2])
    )
    firsts = dict(reversed(recipes(*rows, team=strict)))
    assert firsts["billing"].endswith('cents), then hand_over(to="triage", brief=for technical).')
    assert firsts["triage"].endswith(
        ': hand_over(to="billing", brief), then hand_over(to="technical", brief).'
    )


def test_a_recipe_over_two_agents_says_what_the_brief_must_have() -> None:
    def ask(data: dict[str, Any]) -> Lookup:
        return Lookup(data)

    class Lookup:
        def __init__(self, data: Any) -> None:
            self.sent: list[str] = []

        def tools(self) -> list[Any]:
            return [self.find, self.send]

        def state(self) -> Any:
            return self.sent

        def find(self, name: str) -> dict[str, str]:
            """Find."""
            return {"key": f"K-{len(name)}"}

        def send(self, key: str) -> str:
            """Send."""
            self.sent.append(key)
            return "ok"

    rows = []
    for name in ("Anna", "Bartholomew"):
        calls = [("find", {"name": name}), ("send", {"key": f"K-{len(name)}"})]
        actions = [{"name": tool, "arguments": arguments} for tool, arguments in calls]
        rows.append(Sample(name, f"Write to {name}.", {"actions": actions}))
    agents = (
        TeamAgent(name="desk", tools=("find",), hands_to=("post",)),
        TeamAgent(name="post", tools=("send",)),
    )
    environment = ToolsEnvironment(ask)  # type: ignore[arg-type]
    ((*found,),) = environment.suggest(rows[0], rows[1:], (), Audience(Team(agents=agents, start="desk")))
    texts = {each.reader: each.text for each in found}
    assert texts["desk"].endswith('find(name), then hand_over(to="post", brief=the key that find shows).')
    assert texts["post"] == "Write to …: send(key=the key in the brief), then done."


def test_what_an_agent_knows_is_not_said_to_it_again() -> None:
    first, *others = helpdesk(refund("a", "Ann", 12), refund("b", "Bob", 30)).train
    entry = ENVIRONMENT.suggest(first, others, (), Audience(TEAM))[0]
    known: dict[str, list[str]] = {}
    for each in entry:
        known.setdefault(each.reader, []).append(each.text)
    assert ENVIRONMENT.suggest(first, others, (), Audience(TEAM, known)) == ()
    again = ENVIRONMENT.suggest(first, others, (), Audience(TEAM, {"billing": known["billing"]}))
    assert {each.reader for each in again[0]} == {"triage"}


def test_sections_have_a_reader() -> None:
    assert TEAM.find_reader("billing: formats") == "billing" and TEAM.find_reader("formats") == ""
    assert TEAM.find_reader("sales: formats") == "" and TEAM.find_reader("billing") == ""
    assert TEAM.name_section("billing", "formats") == "billing: formats"
    assert TEAM.name_section("billing", "triage: formats") == "triage: formats"
    assert Reader().name_section("formats") == "formats" and Reader().reads("billing: x")
    assert not Reader(TEAM, "triage").reads("billing: x")


# Learning as a team


def _reads_recipes(request: Request) -> Any:
    """A team that does what its playbook says, and guesses else."""
    question = request.sample.question  # type: ignore[union-attr]
    made = sum(message.role == "assistant" for message in request.messages)
    lines = request.bullets
    is_machine = "server" in question
    if acting(request) == "triage":
        words = "server" if is_machine else "euros"
        routes = [line for line in lines if words in line and "hand_over(to" in line]
        to = re.search(r'hand_over\(to="(\w+)', routes[0]) if routes else None
        return hand_over(to[1] if to else "billing", "see the task")
    if acting(request) == "technical":
        where = re.search(r"in the (\w+)", question)
        knows = any("server of restart" in line for line in lines)
        return [call("restart", server=SERVERS[where[1]] if where and knows else "srv"), "ok"][min(made, 1)]
    if is_machine:
        return "this is not about money"
    who, euros = re.search(r"Give (\w+) (\d+)", question).groups()  # type: ignore[union-attr]
    cents = int(euros) * (100 if any("cents of pay" in line for line in lines) else 1)
    steps = [call("find_account", name=who), call("pay", account=ACCOUNTS[who], cents=cents), "ok"]
    return steps[min(made, 2)]


TRAIN = [
    refund("a", "Ann", 12),
    refund("b", "Bob", 30),
    reboot("c", "north"),
    reboot("d", "south"),
    refund("e", "Cho", 45),
    reboot("f", "north", "Please wake the server in the {}."),
    reboot("g", "south", "Please wake the server in the {}."),
]
TEST = [
    refund("t1", "Dee", 18),
    refund("t2", "Eva", 9),
    reboot("t3", "north", "Once more the server in the {}."),
]


@pytest.mark.parametrize("profile", ["small", "full"])
def test_a_team_learns_where_to_send_and_what_to_do(tmp_path: Path, profile: str) -> None:
    with Store.open(tmp_path / "p.db") as store:
        report = learn(helpdesk(*TRAIN, test=TEST), store, World(_reads_recipes), profile=profile)
        bullets = store.checkout().active
        assert store.verify() == []
    assert report.before and report.before.correct == 0
    assert report.after and report.after.correct == 3
    sections = {bullet.section for bullet in bullets}
    assert {"triage: strategies", "billing: strategies", "billing: formats"} <= sections
    assert all(TEAM.find_reader(section) for section in sections)


class NoRecipes(ToolsEnvironment):
    suggest = None  # type: ignore[assignment]


def test_a_lesson_of_a_reflector_goes_to_who_decided_the_attempt(tmp_path: Path) -> None:
    def lessons(request: Request) -> list[str]:
        is_machine = "server" in request.sample.question  # type: ignore[union-attr]
        return (
            ['Tasks about a server: hand_over(to="technical").']
            if is_machine
            else ["cents of pay: euros times 100."]
        )

    task = replace(helpdesk(*TRAIN), environment=NoRecipes(type(ENVIRONMENT.create) and ENVIRONMENT.create))
    model = World(_reads_recipes, lessons=lessons)
    with Store.open(tmp_path / "p.db") as store:
        learn(task, store, model, profile="full")
        found = {bullet.content: bullet.section for bullet in store.checkout().active}
    assert found["cents of pay: euros times 100."].startswith("billing: ")
    asked = [request for request in model.requests if request.role == "reflector"]
    machines = [r for r in asked if "server" in r.sample.question]  # type: ignore[union-attr]
    assert 'the agent "triage" of the team reads it' in machines[0].messages[-1].content
    assert "billing calls find_account" in "".join(r.messages[-1].content for r in asked)


def test_a_run_of_a_team_that_learns_is_resumed_to_the_same_versions(tmp_path: Path) -> None:
    hashes = []
    for name, cuts in (("whole", ()), ("cut", (7, 20))):
        with Store.open(tmp_path / f"{name}.db") as store:
            for number, calls in enumerate((*cuts, None)):
                caps = Caps(calls=calls) if calls else None
                task = helpdesk(*TRAIN, test=TEST)
                learn(task, store, World(_reads_recipes), caps=caps, resume=number > 0, batch_size=2)
            hashes.append([version.hash for version in store.log()])
    assert hashes[0] == hashes[1] and len(hashes[0]) > 1


def test_lessons_of_two_agents_are_never_joined() -> None:
    text = "Amounts are written in cents."
    adds = [
        Add(bullet_id(section, text), section, text)
        for section in ("formats", "billing: formats", "technical: formats", "billing: facts")
    ]
    playbook, _ = apply(Playbook(), adds)
    refined, _ = apply(playbook, refine_playbook(playbook).delta)
    assert [bullet.section for bullet in refined.active] == [
        "formats",
        "billing: formats",
        "technical: formats",
    ]
