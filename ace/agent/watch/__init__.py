"""Calls of models that a program makes by libraries of their own are watched: context in, episodes out.

For programs whose agent is a loop around `openai`, `anthropic` or `litellm`. Within a block (`watch_calls`)
the playbook goes into the system prompt of each call, and what is asked, called and replied becomes an
episode for each conversation. Its modules:

    block          the block, which calls belong to it, and its feedback
    patches        the libraries' own functions, changed while a block lasts
    sdk_calls      calls of openai and anthropic
    litellm_calls  calls of litellm
    wire           bodies of requests and replies, as the three interfaces have them
    reply_stream   replies that come in pieces
    conversation   which requests are one conversation, and what is new in each
"""

from __future__ import annotations

from ace.agent.watch.block import WatchedBlock, watch_calls

__all__ = ["WatchedBlock", "watch_calls"]
