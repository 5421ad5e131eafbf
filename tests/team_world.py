"""A desk of helpers for tests: accounts by ids that must be looked up, money in cents, servers by codes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ace.task.team import Team, TeamAgent, TeamSolving
from tests.counter_world import row

ACCOUNTS = {"Ann": "A7", "Bob": "A4", "Cho": "A9", "Dee": "A2", "Eva": "A5", "Fay": "A8"}
SERVERS = {"north": "srv-3", "south": "srv-8", "east": "srv-5", "west": "srv-1"}


class Helpers:
    """Give one attempt the accounts and the servers."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.paid = dict.fromkeys(ACCOUNTS.values(), 0)
        self.restarts = dict.fromkeys(SERVERS.values(), 0)

    def tools(self) -> list[Callable[..., Any]]:
        return [self.find_account, self.pay, self.restart]

    def state(self) -> Any:
        return {"paid": self.paid, "restarts": self.restarts}

    def find_account(self, name: str) -> dict[str, str]:
        """Find an account."""
        if name not in ACCOUNTS:
            raise ValueError("nobody of that name")
        return {"account": ACCOUNTS[name]}

    def pay(self, account: str, cents: int) -> str:
        """Pay money back."""
        if account not in self.paid:
            raise ValueError("E4")
        self.paid[account] += cents
        return "ok"

    def restart(self, server: str) -> str:
        """Start a server again."""
        if server not in self.restarts:
            raise ValueError("E8")
        self.restarts[server] += 1
        return "ok"


def refund(name: str, who: str, euros: int) -> dict[str, Any]:
    calls = (
        ("find_account", {"name": who}),
        ("pay", {"account": ACCOUNTS[who], "cents": euros * 100}),
    )
    return row(name, f"Give {who} {euros} euros back.", *calls)


def reboot(name: str, where: str, ask: str = "The server in the {} hangs.") -> dict[str, Any]:
    return row(name, ask.format(where), ("restart", {"server": SERVERS[where]}))


def both(name: str, who: str, euros: int, where: str) -> dict[str, Any]:
    first, second = refund(name, who, euros), reboot(name, where)
    question = f"Return {euros} euros to {who}, whose machine in the {where} was down; start it, too."
    return {"id": name, "question": question, "actions": [*first["actions"], *second["actions"]]}


TRIAGE = TeamAgent(name="triage", tools=(), hands_to=("billing", "technical"))
BILLING = TeamAgent(
    name="billing", tools=("find_account", "pay"), hands_to=("triage", "technical"), about="Money."
)
TECHNICAL = TeamAgent(name="technical", tools=("restart",), hands_to=("triage",), about="Machines.")
TEAM = Team(agents=(TRIAGE, BILLING, TECHNICAL), start="triage")
SOLVING = TeamSolving(team=TEAM)
