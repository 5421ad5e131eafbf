"""What workers and the relay of Ray run, sent to them as code: imports of the package may fail there.

Nothing here needs the package but the one import in `run_item`.
"""

from __future__ import annotations

from typing import Any


class Relay:
    """Pass on what workers ask, and the answers. An actor, whose methods run in one event loop."""

    def __init__(self) -> None:
        """Begin without messages."""
        import asyncio

        self.asked: Any = asyncio.Queue()
        self.answers: dict[int, Any] = {}
        self.number = 0

    async def ask(self, name: str, message: bytes) -> bytes:
        """Wait for the answer to a worker's message; `name` is that of the try it works on."""
        import asyncio

        self.number += 1
        number = self.number
        self.answers[number] = asyncio.get_running_loop().create_future()
        await self.asked.put((number, name, message))
        try:
            answer: bytes = await self.answers[number]
        finally:
            del self.answers[number]
        return answer

    async def take(self) -> list[tuple[int, str, bytes]]:
        """Wait for messages, and return all that have come, each with its number and the try's name."""
        messages = [await self.asked.get()]
        while not self.asked.empty():
            messages.append(self.asked.get_nowait())
        return messages

    async def answer(self, number: int, answer: bytes) -> None:
        """Give a worker the answer to the message of a number, if it still waits."""
        waiting = self.answers.get(number)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)


def run_item(relay: Any, parcel: bytes, place: int, name: str, version: str) -> tuple[bool, Any]:
    """Return whether the package is here in a version, and what came of the item; else what is wrong here."""
    import sys
    from importlib.metadata import version as find_version

    import ray

    where = f"The Ray node {ray.util.get_node_ip_address()}"
    try:
        from ace.loop.ray_worker import work_on

        version_here = find_version("ace-engine")
    except ImportError as error:
        return False, f"{where} cannot use the package ({error}; {sys.executable})."
    if version_here != version:
        return False, f"{where} has ace-engine {version_here}, and this is {version}."
    return True, work_on(relay, parcel, place, name)
