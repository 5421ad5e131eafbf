"""Talk to a model: one protocol, `Client`, and everything that implements it.

Where to begin reading: `client`, then `endpoint` for a real model, or `scripted` for none.

    client       what is asked and answered, as values, and the protocol of whoever answers
    asking       ask until an answer can be used
    structured   a valid instance of a schema from what a model said
    transcript   thoughts, answer and tool calls as one text, and back
    faults       what can go wrong with a call, as records
    retry        when a failed request is sent again
    connect      a client by the name of a model
    probes       what an endpoint refuses, leaves out or does otherwise
    endpoint     models behind litellm, and OpenAI-compatible addresses
    concessions  requests that a model does not refuse
    answers      bodies of replies, in whichever form
    failures     why a request failed, in the words of the endpoint
    token_counts  usage that can be right, and estimates
    written_calls  calls of tools as lines of text
    wire         HTTP with a deadline, a largest size, and one origin
    providers    litellm's names, clients and exceptions
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
from ace.llm.connect import DEFAULT_MODEL, LocalModel, check_model_name, connect, list_models, pull
from ace.llm.embedding import DEFAULT_EMBEDDER, Embedder, connect_embedder
from ace.llm.endpoint import Endpoint
from ace.llm.meter import Caps, Meter
from ace.llm.probes import Check, Finding, Topic, check
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
    "Finding",
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
    "Topic",
    "Usage",
    "check",
    "check_model_name",
    "connect",
    "connect_embedder",
    "list_models",
    "pull",
]
