"""An office that an agent works in: calendars, payments and files, by the conventions of `world.json`.

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
MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()  # noqa: SIM905


DATES = {
    WORLD["date"].format(month=month, day=day, name=name)
    for month, name in enumerate(MONTHS, 1)
    for day in range(1, 32)
}
TIMES = {WORLD["time"].format(hour=hour) for hour in range(7, 20)}


class Office:
    """Hold the office of one attempt. Every attempt begins in the same one."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        names = ("approvals", "refunds", "closed", "booked", "cancelled", "moved", "shared")
        self._events: dict[str, list[dict[str, str | int]]] = {name: [] for name in names}

    def tools(self) -> list[Callable[..., Any]]:
        """Return the tools under the names of this world."""
        return [make_tool(getattr(self, role), spec) for role, spec in WORLD["tools"].items()]

    def state(self) -> dict[str, Any]:
        """Return all that was done, whatever the order."""
        return {name: sorted(events, key=json.dumps) for name, events in self._events.items()}

    def find_person(self, name: str) -> Any:
        return find("people", "name", name)[0]

    def book_meeting(self, person: str, date: str, time: str) -> Any:
        require("person", person in WORLD["people"])
        require("date", date in DATES)
        require("time", time in TIMES)
        return self._record("booked", person=person, date=date, time=time)

    def cancel_meeting(self, person: str, date: str, reason: str) -> Any:
        require("person", person in WORLD["people"])
        gone = [event["person"] for event in self._events["cancelled"]]
        require("date", date == WORLD["people"][person].get("date") and person not in gone)
        require("reason", reason in WORLD["reasons"].values())
        return self._record("cancelled", person=person, date=date, reason=reason)

    def find_order(self, customer: str) -> Any:
        return find("orders", "customer", customer)[0]

    def ask_approval(self, order: str) -> Any:
        require("order", order in WORLD["orders"])
        if {"order": order} not in self._events["approvals"]:
            self._record("approvals", order=order)
        return {WORLD["arguments"]["approval"]: WORLD["approvals"][order]}

    def refund(self, order: str, amount: str, approval: str) -> Any:
        require("order", order in WORLD["orders"])
        require("order", order not in [event["order"] for event in self._events["refunds"]])
        value = read_amount(amount)
        expected = WORLD["none"]
        if value > WORLD["limit"] * WORLD["amount"]["scale"]:
            require("approval", {"order": order} in self._events["approvals"])
            expected = WORLD["approvals"][order]
        require("approval", approval == expected)
        return self._record("refunds", order=order, amount=value)

    def close_case(self, order: str, code: str) -> Any:
        require("order", order in [event["order"] for event in self._events["refunds"]])
        require("order", order not in [event["order"] for event in self._events["closed"]])
        require("code", code in WORLD["causes"].values())
        return self._record("closed", order=order, code=code)

    def find_files(self, project: str, kind: str, page: str) -> Any:
        files, size = find("files", "project", project), WORLD["page_size"]
        require("kind", kind in WORLD["kinds"])
        require("page", page in WORLD["pages"])
        start = WORLD["pages"].index(page) * size
        found = [{"id": file["id"]} for file in files[start : start + size] if file["kind"] == kind]
        return found[0] if found else {"found": 0}

    def move_file(self, file: str, folder: str) -> Any:
        require("file", file in WORLD["files"])
        require("file", file not in [event["file"] for event in self._events["moved"]])
        require("folder", folder == WORLD["kinds"][WORLD["files"][file]["kind"]])
        return self._record("moved", file=file, folder=folder)

    def share_file(self, file: str, reader: str, access: str) -> Any:
        require("file", file in WORLD["files"])
        require("reader", reader in [entry["name"] for entry in WORLD["people"].values()])
        require("access", access in WORLD["accesses"].values())
        return self._record("shared", file=file, reader=reader, access=access)

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
    tool.__doc__ = "\n".join(
        [spec["description"], *(f"{name}: {WORLD['about'][roles[name]]}" for name in roles)]
    )
    tool.__annotations__ = dict.fromkeys(roles, str)
    tool.__signature__ = signature  # type: ignore[attr-defined]
    return tool


def require(argument: str, fine: bool) -> None:
    """Refuse a call in the words of this world. They do not say what would be right."""
    if not fine:
        raise ValueError(WORLD["errors"][argument])


def find(table: str, field: str, value: str) -> list[dict[str, str]]:
    """Return the entries with a value, each with its id. Upper and lower case are the same."""
    found = [
        {"id": key, **{name: text for name, text in entry.items() if name not in (field, "date")}}
        for key, entry in WORLD[table].items()
        if entry[field].casefold() == value.casefold()
    ]
    if not found:
        raise ValueError("nothing found")
    return found


def read_amount(text: str) -> int:
    """Return an amount in the smallest unit that this world writes."""
    before, after = WORLD["amount"]["before"], WORLD["amount"]["after"]
    digits = text.removeprefix(before).removesuffix(after)
    require("amount", text == f"{before}{digits}{after}" and digits.isascii() and digits.isdigit())
    require("amount", 0 < len(digits) < 10 and int(digits) > 0)
    return int(digits)
