"""Calls of openai and anthropic: both send every request through one method, which is changed for a block.

What it returns is the library's own object, unchanged but for an ear on the bytes of a stream.
"""

from __future__ import annotations

import copy
import importlib
from functools import wraps
from typing import Any

from ace.agent.watch.block import WatchedCall, find_block, inside_call, run_beside
from ace.agent.watch.patches import Undo, replace_attribute
from ace.agent.watch.reply_stream import ReplyBuilder, tee_response
from ace.agent.watch.wire import find_interface


def change_library(name: str) -> list[Undo]:
    """Change both clients of a library, and return what puts them back.

    Raises AttributeError or KeyError for a release that is made otherwise.
    """
    module = importlib.import_module(f"{name}._base_client")
    sync, asynchronous = module.SyncAPIClient, module.AsyncAPIClient
    original, original_async = vars(sync)["request"], vars(asynchronous)["request"]

    @wraps(original)
    def request(self: Any, cast_to: Any, options: Any, *args: Any, **keywords: Any) -> Any:
        call = _begin(options)
        if call is None:
            return original(self, cast_to, options, *args, **keywords)
        options = copy.copy(options)  # the caller's stay as they are
        options.json_data = call.body
        try:
            with inside_call():
                result = original(self, cast_to, options, *args, **keywords)
        except BaseException as error:
            call.take_error(error)
            raise
        _take_result(call, result)
        return result

    @wraps(original_async)
    async def request_async(self: Any, cast_to: Any, options: Any, *args: Any, **keywords: Any) -> Any:
        call = await run_beside(_begin, options) if find_block() else None
        if call is None:
            return await original_async(self, cast_to, options, *args, **keywords)
        options = copy.copy(options)  # the caller's stay as they are
        options.json_data = call.body
        try:
            with inside_call():
                result = await original_async(self, cast_to, options, *args, **keywords)
        except BaseException as error:
            call.take_error(error)
            raise
        await run_beside(_take_result, call, result)
        return result

    return [
        replace_attribute(sync, "request", request),
        replace_attribute(asynchronous, "request", request_async),
    ]


def _begin(options: Any) -> WatchedCall | None:
    """Return the call of a model to follow; None for other requests, and where nobody watches."""
    block = find_block()
    if block is None:
        return None
    interface = find_interface(str(getattr(options, "url", "")))
    body = getattr(options, "json_data", None)
    if interface is None or not isinstance(body, dict) or str(options.method).lower() != "post":
        return None
    return block.begin_call(interface, body)


def _take_result(call: WatchedCall, result: Any) -> None:
    """Record what a request returned: an object, a stream, or a raw response that may not be read yet."""
    builder = ReplyBuilder(call.interface, call.take_reply)
    with call.guard("read a reply"):
        response = getattr(result, "http_response", None)  # of a raw response
        if response is None and hasattr(result, "model_dump"):
            call.take_reply(result.model_dump(mode="json", warnings=False))
        elif response is not None and response.is_closed:
            call.take_reply(response.json())
        else:
            tee_response(result.response if response is None else response, builder)
