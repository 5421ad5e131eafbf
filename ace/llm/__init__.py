"""Talk to a model: one protocol, `Client`, and everything that implements it.

Where to begin reading: `client`, then `endpoint` for a real model, or `scripted` for none.

    client       what is asked and answered, as values, and the protocol of whoever answers
    asking       ask until an answer can be used
    structured   a valid instance of a schema from what a model said
    transcript   thoughts, answer and tool calls as one text, and back
    faults       what can go wrong with a call, as records
    retry        when a failed request is sent again
    connect      a client by the name of a model
    endpoint     models behind litellm, and OpenAI-compatible addresses
    providers    litellm's names and exceptions
    local        embedded models: weights, server, slots
    window       how much a model reads, and how it counts
    embedding    texts as vectors
    meter        usage by role, kept under caps
    journal      the record of a call, and who keeps it
    role_models  one client for each role
    replay       calls recorded, and said again
    scripted     replies from a script
    prompts      prompts as files
"""

from __future__ import annotations

from ace.llm.client import (
    Client,
    FinishReason,
    Message,
    Reply,
    Request,
    Role,
    Subject,
    ToolCall,
    ToolSpec,
    Usage,
)
from ace.llm.connect import DEFAULT_MODEL, Check, LocalModel, check, connect, list_models, pull
from ace.llm.embedding import DEFAULT_EMBEDDER, Embedder, connect_embedder
from ace.llm.endpoint import Endpoint
from ace.llm.meter import Caps, Meter
from ace.llm.replay import RecordingClient, ReplayClient
from ace.llm.retry import Retry
from ace.llm.role_models import RoleModels
from ace.llm.scripted import ScriptedClient

__all__ = [
    "DEFAULT_EMBEDDER",
    "DEFAULT_MODEL",
    "Caps",
    "Check",
    "Client",
    "Embedder",
    "Endpoint",
    "FinishReason",
    "LocalModel",
    "Message",
    "Meter",
    "RecordingClient",
    "ReplayClient",
    "Reply",
    "Request",
    "Retry",
    "Role",
    "RoleModels",
    "ScriptedClient",
    "Subject",
    "ToolCall",
    "ToolSpec",
    "Usage",
    "check",
    "connect",
    "connect_embedder",
    "list_models",
    "pull",
]
