"""Talk to a model: one protocol, `Client`, and everything that implements it."""

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
