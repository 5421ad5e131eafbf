"""Calls of litellm: its functions `completion` and `acompletion` are changed for a block.

They may have been imported by name anywhere. So what they call is changed, too, where litellm's decorator
keeps it. Within a watched call nothing is watched again.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from types import CellType
from typing import Any

from ace.agent.watch.block import WatchedBlock, WatchedCall, watch, watch_async
from ace.agent.watch.patches import Undo, replace_attribute
from ace.agent.watch.reply_stream import ReplyBuilder
from ace.agent.watch.wire import Interface

_INNER = "original_function"  # what litellm's decorator calls the function inside


def change_library(name: str) -> list[Undo]:
    """Change both functions of a library, litellm, and return what puts them back.

    Raises AttributeError for a release that is made otherwise.
    """
    library = importlib.import_module(name)
    changes = []
    for function, change in ((library.completion, watch), (library.acompletion, watch_async)):
        for cell in _find_cells(function):
            watched = change(cell.cell_contents, _begin, _take)
            changes.append(replace_attribute(cell, "cell_contents", watched))
        changes.append(replace_attribute(library, function.__name__, change(function, _begin, _take)))
    return changes


def _find_cells(function: Any) -> Iterator[CellType]:
    """Yield where a function, or one that it wraps, keeps the one that litellm has decorated."""
    while function is not None:
        names = function.__code__.co_freevars
        for name, cell in zip(names, function.__closure__ or (), strict=True):
            if name == _INNER:
                yield cell
                return
        function = getattr(function, "__wrapped__", None)


def _begin(
    block: WatchedBlock, args: tuple[Any, ...], keywords: dict[str, Any]
) -> tuple[WatchedCall | None, tuple[Any, ...], dict[str, Any]]:
    """Return the call that arguments are, if they have messages, with what to send instead.

    What `completion` is asked on behalf of `acompletion` is left to that one.
    """
    messages = args[1] if len(args) > 1 else keywords.get("messages")
    if not isinstance(messages, list) or keywords.get("acompletion"):
        return None, args, keywords
    plain = [message if isinstance(message, dict) else message.model_dump() for message in messages]
    call = WatchedCall(block, Interface.CHAT, {**keywords, "messages": plain})
    if len(args) > 1:
        return call, (args[0], call.body["messages"], *args[2:]), keywords
    return call, args, {**keywords, "messages": call.body["messages"]}


def _take(call: WatchedCall, result: Any) -> None:
    """Record what a call returned: an object, or a stream, which stays the same object with an ear on it."""
    if hasattr(result, "model_dump"):
        call.take_reply(result.model_dump(mode="json", warnings=False))
    else:
        _listen(result, ReplyBuilder(call.interface, call.take_reply, call.guard))


def _listen(stream: Any, builder: ReplyBuilder) -> None:
    """Let a builder see the chunks of a stream as they are read: its class becomes one of its own kind."""
    kind = type(stream)

    @contextmanager
    def hear_end() -> Iterator[None]:
        """Tell the builder of the end of the stream, which an exception says, an error's or its own."""
        try:
            yield
        except BaseException:
            with builder.guard("read the end of a reply"):
                builder.end()
            raise

    def hear(chunk: Any) -> Any:
        """Give the builder a chunk, and return it."""
        with builder.guard("read a piece of a reply"):
            builder.take(chunk.model_dump(mode="json", warnings=False))
        return chunk

    def take_next(self: Any) -> Any:
        with hear_end():
            chunk = kind.__next__(self)
        return hear(chunk)

    async def take_next_async(self: Any) -> Any:
        with hear_end():
            chunk = await kind.__anext__(self)
        return hear(chunk)

    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    methods = {"__next__": take_next, "__anext__": take_next_async}
    stream.__class__ = type(kind.__name__, (kind,), {**names, **methods})
