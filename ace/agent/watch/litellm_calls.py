"""Calls of litellm: its functions `completion` and `acompletion` are changed for a block.

They may have been imported by name anywhere. So what they call is changed, too, where litellm's decorator
keeps it. Within a watched call nothing is watched again.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from types import CellType
from typing import Any

from ace.agent.watch.block import WatchedCall, find_block, inside_call, run_beside
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
    for function, watch in ((library.completion, _watch), (library.acompletion, _watch_async)):
        for cell in _find_cells(function):
            changes.append(replace_attribute(cell, "cell_contents", watch(cell.cell_contents)))
        changes.append(replace_attribute(library, function.__name__, watch(function)))
    return changes


def _watch(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that does what the original does, and is watched."""

    @wraps(original)
    def completion(*args: Any, **keywords: Any) -> Any:
        call = None if keywords.get("acompletion") else _begin(args, keywords)
        if call is None:
            return original(*args, **keywords)
        args, keywords = _with_messages(args, keywords, call)
        try:
            with inside_call():
                result = original(*args, **keywords)
        except BaseException as error:
            call.take_error(error)
            raise
        _take_result(call, result)
        return result

    return completion


def _watch_async(original: Callable[..., Any]) -> Callable[..., Any]:
    """Return an `async` function that does what the original does, and is watched."""

    @wraps(original)
    async def acompletion(*args: Any, **keywords: Any) -> Any:
        call = await run_beside(_begin, args, keywords) if find_block() else None
        if call is None:
            return await original(*args, **keywords)
        args, keywords = _with_messages(args, keywords, call)
        try:
            with inside_call():
                result = await original(*args, **keywords)
        except BaseException as error:
            call.take_error(error)
            raise
        await run_beside(_take_result, call, result)
        return result

    return acompletion


def _find_cells(function: Any) -> Iterator[CellType]:
    """Yield where a function, or one that it wraps, keeps the one that litellm has decorated."""
    while function is not None:
        names = function.__code__.co_freevars
        for name, cell in zip(names, function.__closure__ or (), strict=True):
            if name == _INNER:
                yield cell
                return
        function = getattr(function, "__wrapped__", None)


def _begin(args: tuple[Any, ...], keywords: Mapping[str, Any]) -> WatchedCall | None:
    """Return the call to follow; None where nobody watches, or where it has no messages."""
    block = find_block()
    messages = args[1] if len(args) > 1 else keywords.get("messages")
    if block is None or not isinstance(messages, list):
        return None
    plain = [message if isinstance(message, dict) else message.model_dump() for message in messages]
    return block.begin_call(Interface.CHAT, {**keywords, "messages": plain})


def _with_messages(
    args: tuple[Any, ...], keywords: dict[str, Any], call: WatchedCall
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments with the messages of a call. The caller's stay as they are."""
    messages = call.body["messages"]
    if len(args) > 1:
        return (args[0], messages, *args[2:]), keywords
    return args, {**keywords, "messages": messages}


def _take_result(call: WatchedCall, result: Any) -> None:
    """Record what a call returned: an object, or a stream, which stays the same object with an ear on it."""
    with call.guard("read a reply"):
        if hasattr(result, "model_dump"):
            call.take_reply(result.model_dump(mode="json", warnings=False))
        else:
            _listen(result, ReplyBuilder(call.interface, call.take_reply))


def _listen(stream: Any, builder: ReplyBuilder) -> None:
    """Let a builder see the chunks of a stream as they are read: its class becomes one of its own kind."""
    kind = type(stream)

    def take_next(self: Any) -> Any:
        try:
            chunk = kind.__next__(self)
        except BaseException:
            builder.end()
            raise
        builder.take(chunk.model_dump(mode="json", warnings=False))
        return chunk

    async def take_next_async(self: Any) -> Any:
        try:
            chunk = await kind.__anext__(self)
        except BaseException:
            builder.end()
            raise
        builder.take(chunk.model_dump(mode="json", warnings=False))
        return chunk

    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    methods = {"__next__": take_next, "__anext__": take_next_async}
    stream.__class__ = type(kind.__name__, (kind,), {**names, **methods})
