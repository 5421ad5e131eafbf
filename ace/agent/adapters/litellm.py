"""Gives the playbook to the callers of litellm's own proxy, and takes down their conversations.

    # playbook_logger.py, beside the proxy's configuration, which names it:
    # litellm_settings: {callbacks: playbook_logger.logger}
    logger = make_logger(ace.learner("shop.db", None))

For those who run that proxy already; `ace proxy` needs none. What goes wrong here is the learner's problem.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from ace.agent.adapters.agent_run import importing
from ace.agent.watch.conversation import Conversation, Conversations
from ace.agent.watch.wire import Interface, add_context
from ace.task.agent_episode import EpisodeLearner

_INTERFACES = {
    "completion": Interface.CHAT,
    "acompletion": Interface.CHAT,
    "anthropic_messages": Interface.MESSAGES,
    "aresponses": Interface.RESPONSES,
    "responses": Interface.RESPONSES,
}
_MOST = 10_000  # calls under way, and replies, that are remembered


class PlaybookCalls:
    """Follow calls by the hooks of litellm's `CustomLogger`. Use `make_logger`."""

    def __init__(self, learner: EpisodeLearner) -> None:
        self._learner = learner
        self._conversations = Conversations(learner)
        self._calls: dict[str, Conversation] = {}  # under way, by litellm's id
        self._episodes: dict[str, str] = {}  # by the id of a reply
        super().__init__()

    def find_episode(self, reply: str) -> str:
        """Return the episode of a reply by the id that its caller got; "" for one that is not known."""
        return self._episodes.get(reply, "")

    def feedback(self, reply: str, **outcome: Any) -> bool:
        """Record what became of a reply, as `learner.feedback` does. Its conversation ends with it."""
        episode = self.find_episode(reply)
        with self._learner.guard("take feedback", episode):
            self._conversations.finish(episode or reply)
            return self._learner.feedback(episode, **outcome)
        return False

    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: str
    ) -> dict[str, Any]:
        """Return a request with the playbook in it."""
        interface = _INTERFACES.get(call_type)
        with self._learner.guard("watch a call", ""):
            if interface is not None:
                take = self._conversations.take_request
                conversation = await asyncio.to_thread(take, interface, data)
                self._calls[str(data.get("litellm_call_id"))] = conversation
                if len(self._calls) > _MOST:
                    self._calls.pop(next(iter(self._calls)))
                context = conversation.episode.context
                return add_context(interface, data, context) if context else data
        return data

    async def async_log_success_event(
        self, kwargs: Mapping[str, Any], response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Record a reply; one that was streamed comes as a whole."""
        with self._learner.guard("record a reply", ""):
            conversation = self._calls.pop(str(kwargs.get("litellm_call_id")), None)
            if conversation is not None:
                reply = response_obj if isinstance(response_obj, Mapping) else response_obj.model_dump()
                interface = Interface.RESPONSES if "output" in reply else Interface.CHAT
                interface = Interface.MESSAGES if "content" in reply else interface
                await asyncio.to_thread(self._conversations.take_reply, conversation, interface, reply)
                self._episodes[str(reply.get("id"))] = conversation.episode.id
                if len(self._episodes) > _MOST:
                    self._episodes.pop(next(iter(self._episodes)))

    async def async_log_failure_event(
        self, kwargs: Mapping[str, Any], response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Remember why a call has no reply."""
        conversation = self._calls.pop(str(kwargs.get("litellm_call_id")), None)
        if conversation is not None:
            conversation.error, conversation.failed = kwargs.get("exception") or "the call failed", True

    def close(self) -> None:
        """End all conversations. The learner stays open."""
        with self._learner.guard("end the conversations", ""):
            while self._conversations.finish():
                pass


def make_logger(learner: EpisodeLearner) -> Any:
    """Return the logger for litellm's callbacks. Raises InputError where litellm is another release's."""
    with importing("litellm"):
        from litellm.integrations.custom_logger import CustomLogger

    # litellm calls a hook only where it stands in the class itself.
    hooks = {name: hook for name, hook in vars(PlaybookCalls).items() if name.startswith("async_")}
    return type("PlaybookLogger", (PlaybookCalls, CustomLogger), hooks)(learner)
