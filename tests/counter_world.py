"""A world of tools for tests: a shop with stock that is counted in dozens, by ids that must be looked up."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

IDS = {"apples": "S7", "pears": "S9", "plums": "S4", "figs": "S2"}


class Wordless(Exception):
    """Raise another error when it is asked for its words."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


class Shop:
    """Give one attempt a shop."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        assert "actions" not in data and "answer" not in data
        self.stock = dict.fromkeys(IDS.values(), 0)

    def tools(self) -> list[Callable[..., Any]]:
        return [self.find, self.add, self.misbehave]

    def state(self) -> Any:
        return {"stock": self.stock}

    def find(self, name: str) -> dict[str, str]:
        """Look something up.

        name: what it is called
        """
        if name not in IDS:
            raise ValueError("nothing of that name")
        return {"shelf": IDS[name]}

    def add(self, shelf: str, dozens: int) -> str:
        """Put something on a shelf."""
        if shelf not in self.stock:
            raise ValueError("E3")
        self.stock[shelf] += dozens
        return "ok"

    def misbehave(self, how: str) -> Any:
        """Do something odd."""
        match how:
            case "hang":
                time.sleep(30)
            case "exit":
                raise SystemExit(3)
            case "long":
                return "x" * 10_000_000
            case "binary":
                return b"\x00\xff\x1b"
            case "nothing":
                return None
            case "control":
                return "a\x00b\x1b[31mc"
            case "recurse":
                return self.misbehave("recurse")
            case "wordless":
                raise Wordless
            case "itself":
                loop: list[Any] = []
                loop.append(loop)
                return loop
            case "deep":
                deep: list[Any] = []
                for _ in range(5_000):
                    deep = [deep]
                return deep
            case "huge":
                return 10**5_000
        return ""


def row(name: str, question: str, *calls: tuple[str, dict[str, Any]], **more: Any) -> dict[str, Any]:
    actions = [{"name": tool, "arguments": arguments} for tool, arguments in calls]
    return {"id": name, "question": question, "actions": actions, **more}


def order(name: str, what: str, dozens: int) -> dict[str, Any]:
    calls = (("find", {"name": what}), ("add", {"shelf": IDS[what], "dozens": dozens}))
    return row(name, f"Put {dozens * 12} {what} on their shelf.", *calls)


TRAIN = [order("a", "apples", 2), order("b", "pears", 4), order("c", "plums", 3), order("d", "figs", 5)]
TEST = [order("t1", "apples", 7), order("t2", "figs", 6)]
