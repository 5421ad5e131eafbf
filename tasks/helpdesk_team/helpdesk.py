"""A helpdesk that agents work at: tickets, accounts and devices, by the conventions of `world.json`.

`world.json` says what the tools, arguments and codes are called, so one class serves every world that
`generate.py` draws. What a tool cannot do raises ValueError.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any

WORLD: Mapping[str, Any] = json.loads(Path(__file__).with_name("world.json").read_text(encoding="utf-8"))
DATES = {WORLD["date"].format(month=month, day=day) for month in range(1, 13) for day in range(1, 32)}
BILLS = {WORLD["bill"].format(number=number) for number in range(1, 100)}


class Helpdesk:
    """Hold the helpdesk of one attempt. Every attempt begins at the same one."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        names = ("tags", "refunds", "plans", "invoices", "restarts", "parts", "visits")
        self._events: dict[str, list[dict[str, str | int]]] = {name: [] for name in names}

    def tools(self) -> list[Callable[..., Any]]:
        """Return the tools under the names of this world."""
        return [make_tool(getattr(self, role), spec) for role, spec in WORLD["tools"].items()]

    def state(self) -> dict[str, Any]:
        """Return all that was done, whatever the order."""
        return {name: sorted(events, key=json.dumps) for name, events in self._events.items()}

    def find_ticket(self, customer: str) -> Any:
        return find("tickets", customer)

    def tag_ticket(self, ticket: str, urgency: str) -> Any:
        require("ticket", ticket in WORLD["tickets"])
        require("urgency", urgency in WORLD["urgencies"].values())
        return self._record("tags", ticket=ticket, urgency=urgency)

    def find_account(self, customer: str) -> Any:
        return find("accounts", customer)

    def refund(self, account: str, amount: str, cause: str) -> Any:
        require("account", account in WORLD["accounts"])
        require("cause", cause in WORLD["causes"].values())
        return self._record("refunds", account=account, amount=read_amount(amount), cause=cause)

    def change_plan(self, account: str, plan: str) -> Any:
        require("account", account in WORLD["accounts"])
        require("plan", plan in WORLD["plans"].values())
        return self._record("plans", account=account, plan=plan)

    def send_invoice(self, account: str, bill: str) -> Any:
        require("account", account in WORLD["accounts"])
        require("bill", bill in BILLS)
        return self._record("invoices", account=account, bill=bill)

    def find_device(self, customer: str) -> Any:
        return find("devices", customer)

    def restart(self, device: str, level: str) -> Any:
        require("device", device in WORLD["devices"])
        require("level", level in WORLD["levels"].values())
        return self._record("restarts", device=device, level=level)

    def replace_part(self, device: str, part: str) -> Any:
        require("device", device in WORLD["devices"])
        require("part", part in WORLD["parts"].values())
        return self._record("parts", device=device, part=part)

    def book_visit(self, device: str, day: str) -> Any:
        require("device", device in WORLD["devices"])
        require("day", day in DATES)
        return self._record("visits", device=device, day=day)

    def _record(self, event: str, **values: str | int) -> Any:
        self._events[event].append(values)
        return {"ok": True}


def make_tool(method: Callable[..., Any], spec: Mapping[str, Any]) -> Callable[..., Any]:
    """Return a method as a function with the name, arguments and description of this world."""
    roles = {WORLD["arguments"][role]: role for role in spec["arguments"]}
    signature = Signature(
        [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, annotation=str) for name in roles]
    )

    def tool(*values: Any, **named: Any) -> Any:
        given = signature.bind(*values, **named).arguments
        return method(**{roles[name]: str(value).strip() for name, value in given.items()})

    tool.__name__ = tool.__qualname__ = spec["name"]
    tool.__doc__ = spec["description"]
    tool.__annotations__ = dict.fromkeys(roles, str)
    tool.__signature__ = signature  # type: ignore[attr-defined]
    return tool


def require(argument: str, fine: bool) -> None:
    """Refuse a call in the words of this world. They do not say what would be right."""
    if not fine:
        raise ValueError(WORLD["errors"][argument])


def find(table: str, customer: str) -> dict[str, str]:
    """Return the id of what belongs to a customer. Upper and lower case are the same."""
    for key, name in WORLD[table].items():
        if name.casefold() == customer.casefold():
            return {"id": key}
    raise ValueError("nothing found")


def read_amount(text: str) -> int:
    """Return an amount in the smallest unit that this world writes."""
    before, after = WORLD["amount"]["before"], WORLD["amount"]["after"]
    digits = text.removeprefix(before).removesuffix(after)
    require("amount", text == f"{before}{digits}{after}" and digits.isascii() and digits.isdigit())
    require("amount", 0 < len(digits) < 10 and int(digits) > 0)
    return int(digits)
