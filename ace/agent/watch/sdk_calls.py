"""Calls of openai and anthropic: both send every request through one method, which is changed for a block.

What it returns is the library's own object, unchanged but for an ear on the bytes of a stream.
"""

from __future__ import annotations

import copy
import importlib
from typing import Any

from ace.agent.watch.block import WatchedBlock, WatchedCall, watch, watch_async
from ace.agent.watch.patches import Undo, replace_attribute
from ace.agent.watch.reply_stream import ReplyBuilder, tee_response
from ace.agent.watch.wire import find_interface


def change_library(name: str) -> list[Undo]:
    """Change both clients of a library, and return what puts them back.

    Raises AttributeError or KeyError for a release that is made otherwise.
    """
    module = importlib.import_module(f"{name}._base_client")
    sync, asynchronous = module.SyncAPIClient, module.AsyncAPIClient
    request = watch(vars(sync)["request"], _begin, _take)
    request_async = watch_async(vars(asynchronous)["request"], _begin, _take)
    return [
        replace_attribute(sync, "request", request),
        replace_attribute(asynchronous, "request", request_async),
    ]


def _begin(
    block: WatchedBlock, args: tuple[Any, ...], keywords: dict[str, Any]
) -> tuple[WatchedCall | None, tuple[Any, ...], dict[str, Any]]:
    """Return the call of a model that a request is, if it is one, with what to send instead.

    The arguments are the client, the type of the result, and the options of the request, which stay as they
    are: those with another body are a copy.
    """
    options = args[2] if len(args) > 2 else keywords.get("options")
    interface = find_interface(str(getattr(options, "url", "")))
    body = getattr(options, "json_data", None)
    if options is None or interface is None or not isinstance(body, dict):
        return None, args, keywords
    call = WatchedCall(block, interface, body)
    options = copy.copy(options)
    options.json_data = call.body
    if len(args) > 2:
        return call, (*args[:2], options, *args[3:]), keywords
    return call, args, {**keywords, "options": options}


def _take(call: WatchedCall, result: Any) -> None:
    """Record what a request returned: an object, a stream, or a raw response that may not be read yet."""
    builder = ReplyBuilder(call.interface, call.take_reply, call.guard)
    response = getattr(result, "http_response", None)  # of a raw response
    if response is None and hasattr(result, "model_dump"):
        call.take_reply(result.model_dump(mode="json", warnings=False))
    elif response is not None and response.is_closed:
        call.take_reply(response.json())
    else:
        tee_response(result.response if response is None else response, builder)
